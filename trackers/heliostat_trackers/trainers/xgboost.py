"""XGBoost: ``xgb.train(…, callbacks=[HeliostatCallback(run)])``; also for its estimators and ``xgb.cv``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from xgboost import Booster, DMatrix, train
from xgboost.callback import TrainingCallback

from heliostat_trackers.importers.cells import guess
from heliostat_trackers.trainers.run import RunFeed, TrackedRun, harmless


class HeliostatCallback(TrainingCallback):  # type: ignore[misc]  # XGBoost's types are not followed
    """Records the parameters that differ from XGBoost's defaults, each round, and what came out.

    A round's values are points of the curve, named as XGBoost prints them (``validation-rmse``) and counted
    from 0 as there. At the end the run's metrics are those of the best round, if early stopping chose one,
    else of the last.

    Args:
        run: By default the current one.
        params: What else to record as parameters.
        importance: Feature importance: ``gain``, ``weight``, ``cover``, ``total_gain`` or ``total_cover``.
    """

    def __init__(
        self,
        run: TrackedRun | None = None,
        *,
        params: Mapping[str, Any] | None = None,
        importance: str = "gain",
    ) -> None:
        super().__init__()
        self._feed = RunFeed(run)
        self._params = dict(params or {})
        self._importance = importance
        self._is_described = False
        self._history: dict[str, list[Any]] = {}

    def before_training(self, model: Any) -> Any:
        """Training begins."""
        self._feed.begin()
        self._is_described, self._history = False, {}
        return model

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        """A round is over; training goes on."""
        self._take(model, epoch, evals_log)
        return False

    def after_training(self, model: Any) -> Any:
        """Training is over."""
        self._finish(model)
        return model

    @harmless
    def _take(self, model: Any, epoch: int, evals_log: Mapping[str, Mapping[str, list[Any]]]) -> None:
        if not self._is_described:  # a booster knows its parameters once it has learned something
            self._is_described = True
            self._describe(model)
        self._history = {
            f"{data}-{name}": values for data, found in evals_log.items() for name, values in found.items()
        }
        self._feed.point(epoch, {name: _mean(values[-1]) for name, values in self._history.items()})

    @harmless
    def _describe(self, model: Any) -> None:
        self._feed.model("XGBoost")
        self._feed.parameters(self._params)
        if isinstance(model, Booster):
            self._feed.parameters(changed_parameters(model))

    @harmless
    def _finish(self, model: Any) -> None:
        attribute = model.attr("best_iteration") if isinstance(model, Booster) else None
        best = -1 if attribute is None else int(attribute)
        self._feed.finals({name: _mean(values[best]) for name, values in self._history.items()})
        if best >= 0:
            self._feed.fact("best_iteration", best)
        if isinstance(model, Booster):
            self._feed.fact("rounds", model.num_boosted_rounds())
            self._feed.importances(self._importance, self._scores(model))

    def _scores(self, model: Booster) -> dict[str, Any]:
        try:
            found: dict[str, Any] = model.get_score(importance_type=self._importance)
        except Exception:  # linear boosters know one type only
            found = model.get_score(importance_type="weight")
        return {name: sum(score) if isinstance(score, list) else score for name, score in found.items()}


def changed_parameters(model: Booster) -> dict[str, Any]:
    """The parameters of a booster that are not XGBoost's defaults, by their own names."""
    settings = _settings(json.loads(model.save_config()))
    kind = settings.get("booster", _BOOSTER)
    plain = {**_defaults(kind), "booster": _BOOSTER}
    return {name: guess(value) for name, value in settings.items() if plain.get(name) != value}


_BOOSTER = "gbtree"


@cache
def _defaults(booster: str) -> dict[str, str]:
    """The settings of a booster that was told nothing."""
    data = DMatrix([[0.0], [1.0]], label=[0.0, 1.0])
    return _settings(json.loads(train({"booster": booster}, data, num_boost_round=1).save_config()))


_LEARNED = frozenset(
    {"base_score", "boost_from_average", "name", "num_class", "num_feature", "num_target", "num_trees",
     "size_leaf_vector"}
)  # fmt: skip
"""What XGBoost finds in the data, not what it is told."""


def _settings(config: Any) -> dict[str, str]:
    """All leaves of a configuration by name."""
    found: dict[str, str] = {}
    if isinstance(config, Mapping):
        for key, value in config.items():
            if isinstance(value, (Mapping, list)):
                found |= _settings(value)
            elif key not in _LEARNED and isinstance(value, str):
                found[key] = value
    return found


def _mean(value: Any) -> Any:
    """Cross-validation gives mean and standard deviation."""
    return value[0] if isinstance(value, (tuple, list)) else value
