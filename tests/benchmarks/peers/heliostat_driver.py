"""Heliostat's own searchers through the public door: ``make_searcher(name).suggest(spec, history, 1, rng)``.

The option ``searcher`` names the searcher, ``cold`` hides the sources, ``single`` the cheaper tasks.
"""

from dataclasses import replace
from importlib.metadata import version

import numpy as np
from channel import serve

from heliostat.experiment import read_experiment
from heliostat.registry import check_supported, make_searcher
from heliostat.trial import Failure, History, Measurement, Run, State

STATES = {"completed": State.COMPLETED, "failed": State.FAILED, "lost": State.LOST}
FAILURES = {
    "failed": Failure("user_error", "outside the working region"),
    "lost": Failure("lost", "node lost"),
}


class Heliostat:
    def __init__(self, declared):
        options = declared.options
        name = options.get("searcher", "bayesian")
        spec = {**declared.spec, "searcher": name, "seed": declared.seed}
        if options.get("cold"):
            spec.pop("transfer", None)
        self.task = declared.full_task if options.get("single") else None
        if options.get("single"):
            spec.pop("tasks", None)
        self.versions = {"heliostat": version("heliostat"), "numpy": np.__version__}
        self.spec = read_experiment(spec)
        check_supported(self.spec)
        self.seed = declared.seed
        self.searcher = make_searcher(name)
        sources = [] if options.get("cold") else declared.sources
        self.sources = tuple(source_run(number, row) for number, row in enumerate(sources, 1))
        self.runs = {}

    @property
    def history(self):
        return History(tuple(self.runs[number] for number in sorted(self.runs)), self.sources)

    def ask(self, trial):
        rng = np.random.default_rng([self.seed, trial])
        (found,) = self.searcher.suggest(self.spec, self.history, 1, rng)
        self.runs[trial] = Run(
            id=trial, number=trial, assignments=found.assignments, task=found.task, why=found.why,
            predicted=found.predicted, searcher=self.spec.searcher, created=float(trial),
            started=float(trial),
        )  # fmt: skip
        return dict(found.assignments), found.task or self.task

    def tell(self, message):
        trial, spread = message["trial"], message.get("sd") or {}
        task = message["task"] if self.spec.tasks else None
        run = self.runs.get(trial) or Run(
            id=trial, number=trial, assignments=message["assignments"], task=task
        )
        values = {
            name: Measurement(value, spread.get(name)) for name, value in (message["values"] or {}).items()
        }
        state = STATES[message["state"]]
        failure = FAILURES.get(message["state"])
        ended = float(message.get("ended") or trial)
        self.runs[trial] = replace(run, state=state, values=values, failure=failure, ended=ended)

    def recommend(self):
        wanted = getattr(self.searcher, "recommend", None)
        found = wanted(self.spec, self.history) if wanted else None
        return None if found is None else dict(found.assignments)


def source_run(number, row):
    values = {name: Measurement(value) for name, value in row["values"].items()}
    return Run(
        id=10_000 + number, number=number, experiment=row["experiment"], assignments=row["assignments"],
        state=State.COMPLETED, values=values,
    )  # fmt: skip


if __name__ == "__main__":
    serve(Heliostat)
