"""LightGBM: ``lgb.train(…, callbacks=[hook])``, ``LGBMClassifier.fit(…, callbacks=[hook])``, ``lgb.cv``.

LightGBM does not tell its callbacks that another one stopped it early. Say ``hook.finish()`` after training,
or use the hook as a context manager; without either the last second of a training that stopped early may be
missing from the metrics, though not from the curve.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

from lightgbm import Booster

from heliostat_trackers.trainers.run import RunFeed, TrackedRun, harmless

_INTERNAL = ("verbose", "verbosity", "num_threads", "n_jobs")


class HeliostatCallback:
    """Records the parameters, each round, and what came out.

    A round's values are points of the curve, counted from 1 and named as LightGBM prints them
    (``valid_0's l2``). At the end the run's metrics are those of the best round, if early stopping chose one,
    else of the last.

    Args:
        run: By default the current one.
        importance: Type of feature importance: ``gain`` or ``split``.
    """

    order = 25
    """Before early stopping, which leaves the round by an exception."""
    before_iteration = False

    def __init__(self, run: TrackedRun | None = None, *, importance: str = "gain") -> None:
        self._feed = RunFeed(run)
        self._importance = importance
        self._model: Any = None
        self._names: list[str] = []
        self._history: list[tuple[float, ...]] = []
        self._finished: int | None = None

    @harmless
    def __call__(self, env: Any) -> None:
        """A round is over."""
        if env.iteration == env.begin_iteration:
            self._feed.begin()
            self._model, self._history, self._finished = env.model, [], None
            self._feed.model("LightGBM")
            self._feed.parameters(
                {name: value for name, value in env.params.items() if name not in _INTERNAL}
            )
        found = env.evaluation_result_list or ()
        self._names = [f"{item[0]}'s {item[1]}" for item in found]
        self._history.append(tuple(float(item[2]) for item in found))
        self._feed.point(env.iteration - env.begin_iteration + 1, self._values(-1))
        if env.iteration + 1 >= env.end_iteration:
            self.finish()

    @harmless
    def finish(self, model: Any = None) -> None:
        """Training is over; may be called again, for only then LightGBM may have told its best round.

        Args:
            model: What training gave back, if that is not the booster that was trained.
        """
        booster = self._model if model is None else getattr(model, "booster_", model)
        if booster is None or not self._history:
            return
        best = max(0, int(getattr(booster, "best_iteration", 0) or 0))
        if best == self._finished:
            return
        self._finished = best
        self._feed.finals(self._values(best - 1 if best <= len(self._history) else -1))
        if best > 0:
            self._feed.fact("best_iteration", best)
        if isinstance(booster, Booster):
            scores = booster.feature_importance(self._importance)
            self._feed.importances(self._importance, dict(zip(booster.feature_name(), scores, strict=True)))

    def _values(self, place: int) -> dict[str, float]:
        return dict(zip(self._names, self._history[place], strict=True))

    def __del__(self) -> None:
        # Written inline, the hook goes when training gives back its model: a stop has become known by then.
        if getattr(self, "_model", None) is not None:
            self.finish()

    def __enter__(self) -> HeliostatCallback:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()
