"""Candidates of scikit-learn's searches are recorded as they are evaluated; the search does not notice."""

import copy
import pickle
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import load_iris
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    KFold,
    RandomizedSearchCV,
    ShuffleSplit,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from heliostat.registry import open_log
from heliostat.testing.adapters import (
    FAILING,
    PROJECT,
    REASON,
    TRIALS,
    Account,
    AdapterContract,
    Told,
    settled,
)
from heliostat.trial import State
from heliostat_trackers.adapters.sklearn import track

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning"),
    pytest.mark.filterwarnings("ignore:One or more of the (test|train) scores:UserWarning"),
    # joblib's: its processes outlive a search, and are told of in a test that comes after.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

X, Y = load_iris(return_X_y=True)


class Loss(ClassifierMixin, BaseEstimator):
    """Its score is a bowl over ``x``; it tells when it is fitted, and may fail."""

    hook = staticmethod(lambda x: None)

    def __init__(self, x=0.0):
        self.x = x

    def fit(self, X, y):
        Loss.hook(self.x)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


def loss(estimator, X, y):
    return (estimator.x - 0.3) ** 2


@pytest.fixture
def log(tmp_path):
    return open_log(tmp_path / "runs.db")


@pytest.fixture(autouse=True)
def no_hook():
    yield
    Loss.hook = staticmethod(lambda x: None)


def recorded(log, search, **more):
    return track(search, log, project=PROJECT, **more)


def tree(**more):
    return DecisionTreeClassifier(random_state=0, **more)


def assert_same(first, second):
    """Two fitted searches are equal in all but time."""
    assert first.best_params_ == second.best_params_
    assert first.best_score_ == second.best_score_
    assert first.best_index_ == second.best_index_
    assert first.cv_results_.keys() == second.cv_results_.keys()
    for key, column in first.cv_results_.items():
        if "time" not in key:
            np.testing.assert_array_equal(column, second.cv_results_[key])


class Contract(AdapterContract):
    adapter = "sklearn"

    def make(self):
        raise NotImplementedError

    def search(self, tracked, during):
        search, order = tracked(self.make()), {}

        def hook(x):
            if x not in order:
                order[x] = len(order)
                during(order[x])
            if order[x] == FAILING:
                raise ValueError(REASON)

        Loss.hook = staticmethod(hook)
        search.fit(X, Y)
        Loss.hook = staticmethod(lambda x: None)
        table = search.cv_results_
        trials = tuple(
            Told(
                params,
                {} if np.isnan(score) else {"loss": score},
                State.FAILED if np.isnan(score) else State.COMPLETED,
            )
            for params, score in zip(table["params"], table["mean_test_loss"], strict=True)
        )
        return Account(trials, (search.best_params_, search.best_score_))


class TestGrid(Contract):
    origin, searcher = "grid", "GridSearchCV"

    def make(self):
        grid = {"x": list(np.linspace(0, 1, TRIALS))}
        return GridSearchCV(Loss(), grid, scoring={"loss": loss}, refit="loss", cv=2)


class TestRandom(Contract):
    origin, searcher = "random", "RandomizedSearchCV"

    def make(self):
        line = {"x": list(np.linspace(0, 1, 50))}
        return RandomizedSearchCV(
            Loss(), line, n_iter=TRIALS, scoring={"loss": loss}, refit="loss", cv=2, random_state=1
        )


GRID = {"max_depth": [1, None, -3, 3]}


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_the_table_is_the_same_and_the_runs_are_its_rows(log, n_jobs):
    def make():
        splits = ShuffleSplit(3, random_state=np.random.RandomState(1))
        return GridSearchCV(
            tree(), GRID, cv=splits, n_jobs=n_jobs, scoring="accuracy", return_train_score=True
        )

    plain, search = make().fit(X, Y), recorded(log, make())
    assert_same(search.fit(X, Y), plain)
    table, runs = search.cv_results_, settled(log, 4)
    for row, run in enumerate(runs):
        assert run.assignments["max_depth"] in (table["params"][row]["max_depth"], "None")
        if np.isnan(table["mean_test_score"][row]):
            assert run.state is State.FAILED
            assert "max_depth" in run.failure.message
            assert "Traceback" in run.failure.traceback
            assert not run.values
            continue
        assert run.state is State.COMPLETED
        score, train = run.values["accuracy"], run.values["train_accuracy"]
        for found, kind in ((score, "test"), (train, "train")):
            splits = [table[f"split{split}_{kind}_score"][row] for split in range(3)]
            assert found.value == table[f"mean_{kind}_score"][row]
            assert found.stddev == pytest.approx(np.std(splits, ddof=1) / np.sqrt(3))
        assert [point.values["accuracy"] for point in run.curve] == [
            table[f"split{split}_test_score"][row] for split in range(3)
        ]
        for fact in ("mean_fit_time", "std_fit_time", "mean_score_time", "std_score_time"):
            assert run.metadata[fact] == table[fact][row]


def test_candidates_appear_while_other_processes_work_on_them(log, tmp_path):
    """Some have ended and others not while the last one waits for us; joblib may send several at once."""
    gate = tmp_path / "gate"
    search = recorded(log, GridSearchCV(Gated(str(gate)), {"x": list(range(12))}, cv=2, n_jobs=2))
    worker = threading.Thread(target=search.fit, args=(X, Y))
    worker.start()
    end = time.monotonic() + 60
    while sum(not run.state.is_open for run in log.runs(project=PROJECT)) < 2 and time.monotonic() < end:
        time.sleep(0.01)  # other processes work; there is nothing to wait on
    states = [run.state for run in log.runs(project=PROJECT)]
    gate.touch()
    worker.join(60)
    assert states[:2] == [State.COMPLETED] * 2
    assert State.ACTIVE in states or len(states) < 12
    assert [run.state for run in settled(log, 12)] == [State.COMPLETED] * 12


class Gated(Loss):
    """Fits of ``x`` = 11 wait until a file is there."""

    def __init__(self, gate="", x=0):
        super().__init__(x)
        self.gate = gate

    def fit(self, X, y):
        end = time.monotonic() + 60
        while self.x == 11 and not Path(self.gate).exists() and time.monotonic() < end:
            time.sleep(0.01)  # in another process; there is nothing to wait on
        return super().fit(X, y)


@pytest.mark.parametrize("resource", ["n_samples", "x"])
def test_halving_is_a_curve_of_iterations_and_dropping_is_an_early_stop(log, resource):
    def make():
        if resource == "n_samples":
            return HalvingGridSearchCV(
                tree(), {"max_depth": [1, 2, 3, 4, -1]}, random_state=1, min_resources=30
            )
        grid = {"classes": [1, 2, 3, 4]}
        return HalvingRandomSearchCV(
            Growing(), grid, resource="x", max_resources=12, min_resources=3, factor=2, random_state=1
        )

    plain, search = make().fit(X, Y), recorded(log, make()).fit(X, Y)
    assert_same(search, plain)
    table, count = search.cv_results_, search.n_candidates_[0]
    runs = settled(log, count)
    last = search.n_iterations_ - 1
    for number, run in enumerate(runs):
        params = {name: value for name, value in table["params"][number].items() if name != resource}
        rows = [row for row, item in enumerate(table["params"])
                if {name: value for name, value in item.items() if name != resource} == params]  # fmt: skip
        assert dict(run.assignments) == params
        assert (run.origin, run.metadata["resource"]) == ("halving", resource)
        assert run.metadata["n_resources"] == table["n_resources"][rows[-1]]
        if params.get("max_depth") == -1:
            assert run.state is State.FAILED
            continue
        assert [(point.step, point.values["score"]) for point in run.curve] == [
            (table["iter"][row], table["mean_test_score"][row]) for row in rows
        ]
        is_last = table["iter"][rows[-1]] == last
        assert run.state is (State.COMPLETED if is_last else State.EARLY_STOPPED)
        if not is_last:
            assert run.end_reason.startswith(f"dropped by successive halving after iteration {len(rows) - 1}")


class Growing(Loss):
    """Better with ``x``, its resource, and with ``classes``."""

    def __init__(self, x=0, classes=1):
        super().__init__(x)
        self.classes = classes

    def score(self, X, y):
        return self.x * self.classes


def test_an_exception_that_leaves_the_search_fails_its_candidate(log):
    search = recorded(log, GridSearchCV(tree(), GRID, error_score="raise", cv=2))
    with pytest.raises(ValueError, match="max_depth"):
        search.fit(X, Y)
    runs = settled(log, 3)
    assert [run.state for run in runs] == [State.COMPLETED, State.COMPLETED, State.FAILED]
    assert "max_depth" in runs[2].failure.message


def test_ctrl_c_cancels(log):
    def hook(x):
        if x == 1:
            raise KeyboardInterrupt

    Loss.hook = staticmethod(hook)
    with pytest.raises(KeyboardInterrupt):
        recorded(log, GridSearchCV(Loss(), {"x": [0, 1, 2]}, cv=2)).fit(X, Y)
    assert [run.state for run in settled(log, 2)] == [State.COMPLETED, State.CANCELLED]


def test_a_penalty_for_failures_does_not_hide_them(log):
    recorded(log, GridSearchCV(tree(), GRID, error_score=-1.0, cv=2, scoring="accuracy")).fit(X, Y)
    failed = settled(log, 4)[2]
    assert (failed.state, failed.numbers) == (State.FAILED, {"accuracy": -1.0})


def test_clones_are_recorded_and_pickles_are_plain(log):
    plain = GridSearchCV(tree(), {"max_depth": [1, 2]}, cv=2)
    search = recorded(log, clone(plain))
    assert (repr(search), isinstance(search, GridSearchCV)) == (repr(plain), True)
    again = pickle.loads(pickle.dumps(search.fit(X, Y)))
    assert type(again) is type(copy.deepcopy(search)) is GridSearchCV
    assert again.best_score_ == search.best_score_
    np.testing.assert_array_equal(again.predict(X), search.predict(X))
    assert "_heliostat" not in vars(again)
    settled(log, 2)
    clone(search).fit(X, Y)
    assert len({run.metadata["study"] for run in settled(log, 4)}) == 2


def test_nested_cross_validation_records_every_inner_search(log):
    search = recorded(log, GridSearchCV(tree(), {"max_depth": [1, 2]}, cv=2))
    scores = cross_val_score(search, X, Y, cv=KFold(3, shuffle=True, random_state=0))
    assert len(scores) == 3
    assert len(settled(log, 6)) == 6


def test_parameters_of_pipelines_and_estimators_as_choices(log):
    pipeline = make_pipeline(StandardScaler(), tree())
    grid = {"standardscaler": ["passthrough", StandardScaler()], "decisiontreeclassifier__max_depth": [2]}
    recorded(log, GridSearchCV(pipeline, grid, cv=2)).fit(X, Y)
    runs = settled(log, 2)
    assert [run.assignments["standardscaler"] for run in runs] == ["passthrough", "StandardScaler()"]
    assert {run.assignments["decisiontreeclassifier__max_depth"] for run in runs} == {2}
