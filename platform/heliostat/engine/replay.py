"""Asking the same question again, from the log alone."""

from __future__ import annotations

from collections.abc import Iterator

from heliostat.engine.book import Book
from heliostat.engine.question import MARK, Question
from heliostat.engine.sources import read_sources
from heliostat.errors import InvalidValue
from heliostat.ports import Event, RunLog
from heliostat.trial import History, Run, State

PAGE = 1000


def question_of(log: RunLog, run: Run) -> Question:
    """The question that a run was the answer to: its searcher, asked it again, proposes the run again.

    Exact as long as nothing was corrected, archived or declared anew since, no run was lost and tried again,
    and the searcher looks at the curves of ended runs only.

    Args:
        log: Where the run is.
        run: A run that a searcher proposed.

    Raises:
        InvalidValue: No searcher of this log proposed it.
    """
    mark = run.sys_metadata.get(MARK)
    if run.experiment is None or not mark:
        rule, remedy = "the run answers no question of a searcher", "Take one of origin heliostat."
        raise InvalidValue("run", rule, given=run.id, remedy=remedy)
    spec = log.experiment(run.experiment).spec
    ended = {event.run for event in list(_ends(log, run.experiment))[: mark["ended"]]}
    book = Book(run.experiment)
    book.fill(
        item if item.id in ended else _as_it_was_open(item)
        for item in log.runs(run.experiment, curves=True)
        if item.number <= mark["made"]
    )
    history = History(book.known(spec.space), read_sources(spec, log, run.experiment))
    return Question(spec, history, mark["made"], mark["ended"], mark["changed"])


def _as_it_was_open(run: Run) -> Run:
    return Run(
        id=run.id,
        experiment=run.experiment,
        project=run.project,
        number=run.number,
        assignments=run.assignments,
        state=State.ACTIVE,
        task=run.task,
        origin=run.origin,
        searcher=run.searcher,
        archived=run.archived,
    )


def _ends(log: RunLog, experiment: int) -> Iterator[Event]:
    after = 0
    while events := log.events(after, PAGE, experiment=experiment, kinds=("FinishRun",)):
        yield from events
        after = events[-1].seq
