"""A run log with something in it, for tests and pictures of pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from heliostat.experiment import ExperimentSpec
from heliostat.ports import RunLog
from heliostat.testing.synthetic import INJECTION
from heliostat.trial import Run
from heliostat.writes import (
    AddFile,
    CreateExperiment,
    CreateRun,
    FinishRun,
    LogCheckpoints,
    LogText,
    StartRun,
    UpdateRun,
    Write,
)

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360000002"
    "0000050001a5f645400000000049454e44ae426082"
)
"""A PNG of one pixel."""


def record_runs(log: RunLog, spec: ExperimentSpec, runs: Sequence[Run]) -> tuple[int, list[int]]:
    """Put an experiment and its runs into a log, many writes at a time.

    Returns:
        The experiment's identity, and the runs' in their order.
    """
    first = runs[0].created if runs else 0.0
    experiment = log.apply(CreateExperiment(spec.to_dict(), time=first)).experiment or 0
    made = [log.submit(_creation(experiment, run)) for run in runs]
    ids = [future.result().run or 0 for future in made]
    done = [log.submit(write) for id, run in zip(ids, runs, strict=True) for write in _life(id, run)]
    for future in done:
        future.result()
    return experiment, ids


def without_injections(runs: Sequence[Run]) -> list[Run]:
    """The same runs with harmless texts, for pictures."""

    def clean(text: str) -> str:
        return text.replace(INJECTION, "").replace("<b>", "").replace("</b>", "").strip()

    return [
        replace(
            run,
            why=clean(run.why) or "initial design",
            metadata={},
            failure=None
            if run.failure is None
            else replace(
                run.failure, message=clean(run.failure.message), traceback=clean(run.failure.traceback)
            ),
        )
        for run in runs
    ]


def attach(
    log: RunLog, run: int, *, time: float, text: str = "epoch 1 loss 0.52\nepoch 2 loss 0.41\n"
) -> None:
    """Give a run everything that a run can have beside numbers."""
    writes: tuple[Write, ...] = (
        LogText(run, "stdout", text, time=time),
        LogText(run, "stderr", "warning: the learning rate is high\n", time=time),
        LogText(run, "source", "import heliostat as hs\n\nprint('training')\n", time=time),
        LogText(run, "diff", "@@ -1 +1 @@\n-rate = 0.1\n+rate = 0.01\n", time=time),
        AddFile(run, "confusion", PIXEL, time=time, content_type="image/png", filename="confusion.png"),
        AddFile(run, "weights", b"0" * 2048, time=time, filename="weights.bin"),
        UpdateRun(
            run,
            time=time,
            model="convolutional network",
            datasets={"digits": {"rows": 1797, "digest": "5f2c"}},
            metadata={"pipeline": "augmented", "rows": 1797},
            source_hash="a1b2c3d",
            tags={"candidate": True},
            note="**Candidate.** See [the notes](/projects/vision).",
        ),
    )
    for write in writes:
        log.apply(write)


def _creation(experiment: int, run: Run) -> CreateRun:
    return CreateRun(
        experiment,
        run.assignments,
        time=run.created,
        name=run.name,
        origin=run.origin,
        searcher=run.searcher,
        why=run.why,
        metadata=run.metadata,
    )


def _life(id: int, run: Run) -> list[Write]:
    writes: list[Write] = [StartRun(id, time=run.started or run.created)]
    if run.curve:
        writes.append(LogCheckpoints(id, tuple(run.curve)))
    if not run.state.is_open:
        end = run.ended or run.created
        writes.append(
            FinishRun(
                id,
                run.state,
                run.end_reason or "finished",
                time=end,
                values=dict(run.values),
                failure=run.failure,
            )
        )
    return writes
