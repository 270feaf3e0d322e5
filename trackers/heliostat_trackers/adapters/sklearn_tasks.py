"""Standing between scikit-learn's searches and joblib, to see each fit go out and come back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from types import FunctionType
from typing import Any, Protocol, cast

SLOT = "parallel"
"""The variable of ``BaseSearchCV.fit`` that its ``evaluate_candidates`` calls joblib by."""


class Observer(Protocol):
    """Is told of the tasks; must not raise."""

    def sent(self, place: int, splits: int) -> None:
        """One of so many fits of the candidate at that place was handed to joblib."""

    def received(self, place: int, split: int, result: Any) -> None:
        """Its result is there."""


class WatchedParallel:
    """joblib's ``Parallel`` with an observer: same tasks, same order, same results, same exceptions.

    Args:
        parallel: The real one.
        observer: Is told.
    """

    def __init__(self, parallel: Any, observer: Observer) -> None:
        self._parallel = parallel
        self._observer = observer

    @classmethod
    def put_into(cls, evaluate: Callable[..., Any], observer: Observer) -> bool:
        """Take joblib's place in this one function object, which lives as long as one ``fit``.

        Returns:
            ``False`` if the function does not look as it did in scikit-learn 1.5 to 1.9.
        """
        names = getattr(getattr(evaluate, "__code__", None), "co_freevars", ())
        if SLOT not in names:
            return False
        cell = cast(FunctionType, evaluate).__closure__[names.index(SLOT)]  # type: ignore[index]
        cell.cell_contents = cls(cell.cell_contents, observer)
        return True

    def __call__(self, tasks: Iterable[tuple[Any, Any, dict[str, Any]]]) -> list[Any]:
        """Run the tasks; results in the order of the tasks."""
        places: list[tuple[int, int]] = []
        # A list is what joblib makes of its generator at last: so the results are the same, only earlier.
        self._parallel.return_generator = True
        try:
            outputs = self._parallel(self._seen(tasks, places))
        finally:
            self._parallel.return_generator = False
        results: list[Any] = []
        for output in outputs:
            self._observer.received(*places[len(results)], output)
            results.append(output)
        return results

    def _seen(
        self, tasks: Iterable[tuple[Any, Any, dict[str, Any]]], places: list[tuple[int, int]]
    ) -> Iterator[tuple[Any, Any, dict[str, Any]]]:
        for task in tasks:
            (place, _), (split, splits) = task[2]["candidate_progress"], task[2]["split_progress"]
            places.append((place, split))
            self._observer.sent(place, splits)
            yield task
