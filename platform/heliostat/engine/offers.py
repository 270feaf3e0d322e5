"""Making runs of what is offered: recorded first, handed out then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from heliostat.engine.question import MARK, Offer
from heliostat.experiment import ExperimentSpec
from heliostat.ports import RunLog
from heliostat.trial import Run
from heliostat.writes import CreateRun, Reply


def admitted(
    log: RunLog,
    experiment: int,
    spec: ExperimentSpec,
    offers: Sequence[Offer],
    epoch: int | None,
    now: float,
) -> Iterator[Run]:
    """Record offers as open runs, all of them at once; each comes back when it is durable.

    Raises:
        Conflict: The suggestion that an offer takes up is not in the queue any more.
        StaleSession: A newer session steers the experiment.
    """
    writes = [_write(experiment, spec, offer, epoch, now) for offer in offers]
    waiting = [(write, log.submit(write)) for write in writes]
    for write, future in waiting:
        yield _run(write, future.result())


def _write(experiment: int, spec: ExperimentSpec, offer: Offer, epoch: int | None, now: float) -> CreateRun:
    proposal, task = offer.proposal, spec.task(offer.proposal.task)
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
        sys_metadata={} if offer.mark is None else {MARK: dict(offer.mark)},
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
        created=write.time,
    )
