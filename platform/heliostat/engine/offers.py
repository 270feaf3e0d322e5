"""Making runs of what is offered: recorded first, handed out then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, repeat
from typing import Any

from heliostat.engine.question import MARK, Label, Offer
from heliostat.errors import OVERTAKEN, Conflict
from heliostat.experiment import ExperimentSpec
from heliostat.ports import RunLog
from heliostat.trial import Run
from heliostat.writes import CreateRun, Reply


def labelled(offers: Sequence[Offer], labels: Sequence[Label]) -> list[Offer]:
    """The offers, each with the label in its place; those beyond the last one without."""
    given = chain(labels, repeat(Label()))
    return [replace(offer, label=label) for offer, label in zip(offers, given)]  # noqa: B905 labels never end


def admitted(
    log: RunLog,
    experiment: int,
    spec: ExperimentSpec,
    offers: Sequence[Offer],
    epoch: int | None,
    now: float,
    after: int,
    maker: Mapping[str, Any],
) -> Iterator[Run | None]:
    """Record offers as open runs, all of them at once; each comes back when it is durable.

    Args:
        log: Where to.
        experiment: Whose they become.
        spec: Its declaration.
        offers: What to record.
        epoch: The session that makes them.
        now: Seconds since the epoch.
        after: Number of the last run that the offers know of. ``None`` comes back for an offer where somebody
            else has made a run meanwhile.
        maker: Of the runs' ``sys_metadata`` what tells who makes them.

    Raises:
        Conflict: The suggestion that an offer takes up is not in the queue any more.
        StaleSession: A newer session steers the experiment.
    """
    places = range(after, after + len(offers))
    pairs = zip(offers, places, strict=True)
    writes = [_write(experiment, spec, offer, epoch, now, place, maker) for offer, place in pairs]
    waiting = [(write, log.submit(write)) for write in writes]
    for write, future in waiting:
        try:
            yield _run(write, future.result())
        except Conflict as error:
            if error.code != OVERTAKEN:
                raise
            yield None


def _write(
    experiment: int,
    spec: ExperimentSpec,
    offer: Offer,
    epoch: int | None,
    now: float,
    after: int,
    maker: Mapping[str, Any],
) -> CreateRun:
    proposal, task, label = offer.proposal, spec.task(offer.proposal.task), offer.label
    mark = {} if offer.mark is None else {MARK: dict(offer.mark)}
    return CreateRun(
        experiment,
        dict(proposal.assignments),
        time=now,
        project=spec.project,
        task=None if task is None else task.name,
        origin=offer.origin,
        searcher=spec.searcher if offer.origin == "heliostat" else "",
        why=proposal.why,
        predicted=dict(proposal.predicted),
        suggestion=offer.suggestion,
        sys_metadata={**maker, **label.sys_metadata, **mark},
        name=label.name,
        user=label.user,
        metadata=dict(label.metadata),
        after=after,
        epoch=epoch,
    )


def _run(write: CreateRun, reply: Reply) -> Run:
    return Run(
        id=reply.run or 0,
        experiment=write.experiment,
        project=write.project,
        number=reply.number or 0,
        assignments=write.assignments,
        task=write.task,
        origin=write.origin,
        searcher=write.searcher,
        why=write.why,
        predicted=write.predicted,
        sys_metadata=write.sys_metadata,
        name=write.name,
        user=write.user,
        metadata=write.metadata,
        created=write.time,
    )
