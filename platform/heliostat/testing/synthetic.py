"""Made-up experiments for tests of analysis, figures and pages: seeded, rich, nothing is run."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from heliostat.experiment import ExperimentSpec
from heliostat.metrics import Metrics, guardrail, maximize, minimize, store
from heliostat.space import Categorical, Conditional, Double, Int, Space
from heliostat.trial import Checkpoint, Failure, Measurement, Run, State

INJECTION = "</script><script>window.broken = 1</script><img src=x onerror='window.broken = 1'>"
"""A text that breaks a page which prints it unescaped."""

EPOCHS = 12
START = 1_790_000_000.0


def vision_spec(*, budget: int = 80) -> ExperimentSpec:
    """Two objectives, a guardrail, a stored metric; log, categorical and conditional parameters."""
    space = Space(
        parameters=(
            Double("learning_rate", 1e-5, 1e-1, log=True),
            Int("width", 16, 256, log=True),
            Double("dropout", 0.0, 0.6),
            Categorical("activation", ("relu", "gelu", "silu")),
            Double("momentum", 0.5, 0.99, conditions=(("optimizer", ("sgd",)),)),
        ),
        conditionals=(Conditional("optimizer", ("sgd", "adam")),),
    )
    metrics = Metrics(
        (
            maximize("accuracy"),
            minimize("size_mb"),
            guardrail("latency_ms", at_most=20),
            store("epochs_used"),
        )
    )
    return ExperimentSpec(name="cnn tuning", project="vision", space=space, metrics=metrics, budget=budget)


def single_spec(*, with_guardrail: bool = True) -> ExperimentSpec:
    """The space of :func:`vision_spec` with one objective, with or without the guardrail."""
    rich = vision_spec()
    limits = rich.metrics.guardrails if with_guardrail else ()
    metrics = Metrics((maximize("accuracy"), *limits))
    return ExperimentSpec(name="cnn accuracy", project="vision", space=rich.space, metrics=metrics, budget=80)


def vision_runs(count: int = 60, *, seed: int = 0) -> list[Run]:
    """Runs of :func:`vision_spec` in every state, with curves, NaN, infeasible ones and hostile texts."""
    rng = np.random.default_rng(seed)
    return [_run(number, rng) for number in range(1, count + 1)]


def in_state(runs: Sequence[Run], state: State) -> list[Run]:
    """The same runs as if all had ended this way; failed ones lose their values."""
    failure = Failure("user_error", "ValueError: no") if state is State.FAILED else None
    changed = []
    for run in runs:
        fields = {**run.__dict__, "state": state, "failure": failure}
        changed.append(Run(**{**fields, "values": {}} if failure else fields))
    return changed


def _assignments(rng: np.random.Generator) -> dict[str, float | int | str]:
    optimizer = str(rng.choice(["sgd", "adam"]))
    values: dict[str, float | int | str] = {
        "optimizer": optimizer,
        "learning_rate": float(10 ** rng.uniform(-5, -1)),
        "width": int(2 ** rng.uniform(4, 8)),
        "dropout": float(rng.uniform(0, 0.6)),
        "activation": str(rng.choice(["relu", "gelu", "silu"])),
    }
    if optimizer == "sgd":
        values["momentum"] = float(rng.uniform(0.5, 0.99))
    return values


def _metrics(values: dict[str, float | int | str], rng: np.random.Generator) -> dict[str, float]:
    rate, width = float(values["learning_rate"]), float(values["width"])
    fit = math.exp(-((math.log10(rate) + 2.6) ** 2) / 1.8)
    accuracy = 0.62 + 0.33 * fit * (1 - 0.7 * math.exp(-width / 40)) - 0.05 * float(values["dropout"]) ** 2
    return {
        "accuracy": min(accuracy + 0.006 * rng.standard_normal(), 0.999),
        "size_mb": 0.004 * width**1.25 + 0.02 * abs(rng.standard_normal()),
        "latency_ms": 3 + 0.11 * width + abs(rng.standard_normal()),
        "epochs_used": float(EPOCHS),
    }


def _curve(final: float, steps: int, rng: np.random.Generator) -> tuple[Checkpoint, ...]:
    speed = rng.uniform(2, 4)
    values = [final * (1 - 0.8 * math.exp(-step / speed)) for step in range(1, steps + 1)]
    return tuple(
        Checkpoint(step, {"accuracy": value + 0.004 * rng.standard_normal(), "loss": 1 - value})
        for step, value in enumerate(values, start=1)
    )


def _run(number: int, rng: np.random.Generator) -> Run:
    values = _assignments(rng)
    metrics = _metrics(values, rng)
    state, steps, failure = State.COMPLETED, EPOCHS, None
    if number % 9 == 4:
        state, steps, failure = State.FAILED, int(rng.integers(1, 6)), _failure(number)
    elif number % 5 == 3:
        state, steps = State.EARLY_STOPPED, int(rng.integers(2, 7))
    elif number % 29 == 12:
        state = State.CANCELLED
    elif number % 29 == 20:
        state, failure = State.LOST, Failure("lost", "the node 10.0.0.7 went away")
    curve = _curve(metrics["accuracy"], steps, rng)
    if number == 7:
        metrics["latency_ms"] = math.nan
    if state is not State.COMPLETED:
        metrics = {"accuracy": curve[-1].values["accuracy"]} if state is State.EARLY_STOPPED else {}
    started = START + 40.0 * number
    return Run(
        id=100 + number,
        experiment=1,
        project="vision",
        number=number,
        assignments=values,
        state=state,
        values={name: Measurement(value) for name, value in metrics.items()},
        searcher="bayesian" if number > 10 else "sobol",
        why=INJECTION if number == 2 else "expected improvement 0.012" if number > 10 else "initial design",
        end_reason="below the median at step 4" if state is State.EARLY_STOPPED else "",
        failure=failure,
        created=started - 1,
        started=started,
        ended=started + float(rng.uniform(20, 90)),
        metadata={"note": INJECTION},
        curve=curve,
    )


def _failure(number: int) -> Failure:
    message = (
        f"RuntimeError: loss is <b>NaN</b> {INJECTION}" if number == 4 else "RuntimeError: out of memory"
    )
    trace = f'Traceback (most recent call last):\n  File "train.py", line 12, in <module>\n{message}\n'
    return Failure("user_error", message, trace)
