"""All our searchers keep the contract that the package ships for everyone's."""

import pytest

from heliostat.registry import make_searcher
from heliostat.testing.problems import TINY
from heliostat.testing.searchers import SearcherContract


class TestRandom(SearcherContract):
    @pytest.fixture
    def searcher(self):
        return make_searcher("random")


class TestSobol(SearcherContract):
    @pytest.fixture
    def searcher(self):
        return make_searcher("sobol")


class TestGrid(SearcherContract):
    finite_only = True

    @pytest.fixture
    def searcher(self):
        return make_searcher("grid")


class TestBayesian(SearcherContract):
    @pytest.fixture
    def searcher(self):
        return make_searcher("bayesian")


@pytest.mark.slow
class TestAx(SearcherContract):
    """Seconds per suggestion, hence a few of all."""

    zoo = ("one objective", "nested switches", "two objectives")
    histories = ("empty", "all failed", "some NaN", "only pending", "all states")
    examples = 3
    small = TINY

    @pytest.fixture
    def searcher(self):
        return make_searcher("ax")


class TestOptuna(SearcherContract):
    @pytest.fixture
    def searcher(self):
        return make_searcher("optuna")


class TestHyperopt(SearcherContract):
    @pytest.fixture
    def searcher(self):
        return make_searcher("hyperopt")
