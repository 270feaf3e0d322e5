"""Trainer hooks, each against the real framework: what a training leaves in its run."""

import copy
import logging
import math
import os
import pickle
import threading
import time
import warnings

import numpy as np
import pytest

from heliostat.errors import StorageError
from heliostat.registry import open_log
from heliostat.tracking.creation import create_run
from heliostat.trial import State
from heliostat_trackers.trainers.run import POINTS, RunFeed

os.environ.setdefault("KERAS_BACKEND", "torch")

rng = np.random.default_rng(0)
X = rng.normal(size=(120, 4))
Y = X[:, 0] * 2 + X[:, 1] + rng.normal(size=120) * 0.1


@pytest.fixture
def log(tmp_path):
    opened = open_log(tmp_path / "runs.db")
    yield opened
    opened.close()


@pytest.fixture
def begin(log):
    return lambda **given: create_run(name="t", project="p", log=log, capture="none", **given)


def ended(run):
    return run.log.run(run.id)


def batches(log):
    return sum(event.kind == "LogCheckpoints" for event in log.events(limit=10**6))


# What all hooks share


def test_points_are_written_in_batches(begin, log):
    run = begin()
    now = [0.0]
    feed = RunFeed(run, clock=lambda: now[0])
    for step in range(1000):
        feed.point(step, {"loss": 1 / (step + 1), "note": "text", "none": None})
    feed.finals()
    found = run.end()
    assert [point.step for point in found.curve] == list(range(1000))
    assert found.numbers == {"loss": 0.001}
    assert batches(log) == 1 + math.ceil(999 / POINTS)


def test_slow_points_are_written_at_once(begin, log):
    run = begin()
    now = [0.0]
    feed = RunFeed(run, clock=lambda: now[0])
    for step in range(5):
        now[0] += 1.0
        feed.point(step, {"loss": 1.0})
    assert len(run.end().curve) == 5


def test_points_that_wait_are_written_within_a_second_or_so(begin, log):
    run = begin()
    feed = RunFeed(run)
    feed.point(1, {"loss": 1.0})
    feed.point(2, {"loss": 0.5})
    deadline = time.monotonic() + 60
    while len(run.read().curve) < 2:
        assert time.monotonic() < deadline
        threading.Event().wait(0.05)
    run.end()


def test_values_of_one_step_are_one_point(begin):
    run = begin()
    feed = RunFeed(run)
    for name in ("train", "valid"):
        feed.point(3, {name: np.float32(0.5)})
    feed.flush()
    assert [(point.step, dict(point.values)) for point in run.end().curve] == [
        (3, {"train": 0.5, "valid": 0.5})
    ]


def test_a_hundred_thousand_steps(begin, log):
    psutil = pytest.importorskip("psutil")
    run = begin()
    feed = RunFeed(run)
    before = psutil.Process().memory_info().rss
    for step in range(100_000):
        feed.point(step, {"loss": 1.0})
    feed.finals()
    assert psutil.Process().memory_info().rss - before < 200e6
    assert batches(log) <= 100_000 / POINTS + 100
    assert len(run.end().curve) == 100_000


def test_points_that_come_after_the_end_are_kept(begin):
    run = begin()
    feed = RunFeed(run)
    feed.point(1, {"loss": 1.0})
    feed.point(2, {"loss": 0.5})
    run.end()
    feed.flush()
    assert len(run.read().curve) == 2


def test_a_log_that_fails_does_not_stop_training(begin, log, caplog):
    run = begin()
    feed = RunFeed(run)
    run.end()
    log.close()
    with caplog.at_level(logging.WARNING):
        for step in range(500):
            feed.point(step, {"loss": 1.0})
        feed.finals()
        feed.parameters({"lr": 0.1})
        feed.failure(StorageError("gone"))
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "training is not recorded in full"
    ]


def test_what_the_run_has_already_stays(begin):
    run = begin()
    run.params.lr = 0.5
    feed = RunFeed(run)
    feed.parameters({"lr": 0.1, "net": {"act": "relu", "sizes": (1, 2)}, "none": None, "flag": True})
    assert run.end().assignments == {"lr": 0.5, "net/act": "relu", "net/sizes": "[1, 2]", "flag": True}


def test_the_current_run_is_meant_where_none_is_given(begin):
    feed = RunFeed()
    runs = []
    for value in (1.0, 2.0):
        with begin() as run:
            feed.begin()
            feed.finals({"loss": value})
            runs.append(run)
    assert [ended(run).numbers for run in runs] == [{"loss": 1.0}, {"loss": 2.0}]


def test_copies_write_into_the_same_run(begin):
    run = begin()
    for step, other in enumerate((copy.deepcopy(RunFeed(run)), pickle.loads(pickle.dumps(RunFeed(run))))):
        other.point(step, {"loss": 1.0})
        other.flush()
    assert len(run.end().curve) == 2


def test_a_run_of_a_loop_takes_it_too(log):
    import heliostat as hs

    spec = {
        "parameters": [hs.Double("x", 0, 1)],
        "metrics": [hs.minimize("loss")],
        "budget": 1,
        "searcher": "sobol",
    }
    experiment = hs.Experiment("fit", log=log, **spec)
    for run in experiment.loop():
        feed = RunFeed(run)
        feed.parameters({"x": 9.0, "act": "relu"})
        feed.model("net")
        for step in range(250):
            feed.point(step, {"loss": 1 / (step + 1)})
        feed.finals()
    log.flush()
    (found,) = experiment.runs()
    assert (found.state, len(found.curve), found.model) == (State.COMPLETED, 250, "net")
    assert found.assignments["act"] == "relu"
    assert found.assignments["x"] < 1


# XGBoost


def xgboost_data():
    xgb = pytest.importorskip("xgboost")
    return xgb, xgb.DMatrix(X[:80], Y[:80]), xgb.DMatrix(X[80:], Y[80:])


def test_xgboost(begin):
    xgb, train, valid = xgboost_data()
    from heliostat_trackers.trainers.xgboost import HeliostatCallback

    with begin() as run:
        booster = xgb.train(
            {"max_depth": 3, "eta": 0.5, "lambda": 2},
            train,
            60,
            evals=[(train, "train"), (valid, "valid")],
            early_stopping_rounds=3,
            callbacks=[HeliostatCallback(run, params={"rows": 80})],
            verbose_eval=False,
        )
    found = ended(run)
    best = booster.best_iteration
    assert (found.state, found.model) == (State.COMPLETED, "XGBoost")
    assert (found.assignments["max_depth"], found.assignments["eta"], found.assignments["rows"]) == (
        3,
        0.5,
        80,
    )
    assert "gamma" not in found.assignments  # a default
    assert [point.step for point in found.curve] == list(range(booster.num_boosted_rounds()))
    assert found.metadata == {"best_iteration": best, "rounds": booster.num_boosted_rounds()}
    assert found.numbers == pytest.approx(found.curve[best].values)
    importances = found.sys_metadata["feature_importances"]
    assert importances["type"] == "gain"
    assert max(importances["scores"], key=importances["scores"].get) == "f0"


def test_xgboost_estimators_and_cross_validation(begin):
    xgb, train, _ = xgboost_data()
    from heliostat_trackers.trainers.xgboost import HeliostatCallback

    with begin() as first:
        xgb.XGBRegressor(n_estimators=4, max_depth=2, callbacks=[HeliostatCallback()]).fit(
            X, Y, eval_set=[(X, Y)], verbose=False
        )
    with begin() as second:
        table = xgb.cv({"max_depth": 2}, train, 4, nfold=3, callbacks=[HeliostatCallback()])
    with begin() as third:
        xgb.train({"booster": "gblinear"}, train, 3, callbacks=[HeliostatCallback()])
    assert len(ended(first).curve) == 4
    assert list(ended(first).numbers) == ["validation_0-rmse"]
    assert ended(second).numbers["test-rmse"] == pytest.approx(table["test-rmse-mean"].iloc[-1])
    assert ended(third).assignments == {"booster": "gblinear"}
    assert (ended(third).metadata, len(ended(third).curve)) == ({"rounds": 3}, 0)


def test_xgboost_that_raises(begin):
    xgb, train, _ = xgboost_data()
    from heliostat_trackers.trainers.xgboost import HeliostatCallback

    class Bomb(xgb.callback.TrainingCallback):
        def after_iteration(self, model, epoch, evals_log):
            if epoch == 3:
                raise MemoryError("too large")
            return False

    hook = HeliostatCallback()
    with pytest.raises(MemoryError), begin() as run:
        xgb.train({}, train, 10, evals=[(train, "train")], callbacks=[hook, Bomb()], verbose_eval=False)
    hook._feed.flush()
    run.log.flush()
    assert (ended(run).state, ended(run).failure.message) == (State.FAILED, "MemoryError: too large")
    assert len(ended(run).curve) == 4


# LightGBM


def lightgbm_data():
    lgb = pytest.importorskip("lightgbm")
    train = lgb.Dataset(X[:80], Y[:80])
    return lgb, train, lgb.Dataset(X[80:], Y[80:], reference=train)


SMALL = {"objective": "l2", "num_leaves": 4, "verbose": -1, "num_threads": 1}


@pytest.mark.parametrize("manner", ["inline", "finish", "with"])
def test_lightgbm_that_stops_early(begin, manner):
    lgb, train, valid = lightgbm_data()
    from heliostat_trackers.trainers.lightgbm import HeliostatCallback

    def fit(hook):
        stop = lgb.early_stopping(3, verbose=False)
        return lgb.train(SMALL, train, 500, valid_sets=[valid], callbacks=[hook, stop])

    with begin() as run:
        if manner == "inline":
            booster = fit(HeliostatCallback())
        elif manner == "finish":
            hook = HeliostatCallback(run)
            booster = fit(hook)
            hook.finish()
        else:
            with HeliostatCallback(run) as hook:
                booster = fit(hook)
    found = ended(run)
    best = booster.best_iteration
    assert found.state is State.COMPLETED
    assert found.metadata["best_iteration"] == best
    assert found.numbers == {"valid_0's l2": pytest.approx(booster.best_score["valid_0"]["l2"])}
    assert [point.step for point in found.curve] == list(range(1, best + 4))
    assert found.assignments == {"objective": "l2", "num_leaves": 4, "num_iterations": 500}
    assert found.sys_metadata["feature_importances"]["scores"]["Column_0"] > 0
    assert found.model == "LightGBM"


def test_lightgbm_to_its_last_round(begin, caplog):
    lgb, train, valid = lightgbm_data()
    from heliostat_trackers.trainers.lightgbm import HeliostatCallback

    hook = HeliostatCallback()
    with begin() as run:
        lgb.train(SMALL, train, 5, valid_sets=[valid], callbacks=[hook])
    with begin() as other:
        lgb.cv(SMALL, lgb.Dataset(X, Y), 5, nfold=3, stratified=False, callbacks=[hook])
    del hook
    found = ended(run)
    assert len(found.curve) == 5
    assert found.numbers == dict(found.curve[-1].values)
    assert "feature_importances" in found.sys_metadata
    assert (len(ended(other).curve), list(ended(other).numbers)) == (5, ["valid's l2"])
    assert caplog.records == []


# Keras


@pytest.fixture(scope="module")
def keras():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("keras")


@pytest.mark.filterwarnings("ignore")
def test_keras(begin, keras):
    from heliostat_trackers.trainers.keras import HeliostatCallback

    model = keras.Sequential([keras.layers.Dense(4), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(0.01), loss="mse", metrics=["mae"])
    with begin() as run:
        history = model.fit(X, Y, epochs=3, validation_split=0.2, verbose=0, callbacks=[HeliostatCallback()])
    with begin() as each:
        model.fit(X, Y, epochs=2, batch_size=40, verbose=0, callbacks=[HeliostatCallback(each, batches=True)])
    found = ended(run)
    assert (found.state, found.model) == (State.COMPLETED, "Sequential")
    assert [point.step for point in found.curve] == [1, 2, 3]
    assert found.numbers == pytest.approx({name: values[-1] for name, values in history.history.items()})
    given = found.assignments
    assert (given["epochs"], given["optimizer"], given["loss"]) == (3, "sgd", "mse")
    assert given["learning_rate"] == pytest.approx(0.01)
    assert found.metadata == {"weights": 25, "best_epoch": 1 + int(np.argmin(history.history["val_loss"]))}
    assert [point.step for point in ended(each).curve] == [1, 2, 3, 4, 5, 6]


# Lightning


@pytest.fixture(scope="module")
def lightning():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("lightning")


def lightning_module(lightning, bomb=None):
    import torch

    class Net(lightning.LightningModule):
        def __init__(self, lr=0.05, act="relu"):
            super().__init__()
            self.save_hyperparameters()
            self.layer = torch.nn.Linear(4, 1)

        def training_step(self, batch, place):
            if self.global_step == bomb:
                raise ValueError("boom")
            loss = ((self.layer(batch[0]) - batch[1]) ** 2).mean()
            self.log("train_loss", loss)
            return loss

        def validation_step(self, batch, place):
            self.log("val_loss", ((self.layer(batch[0]) - batch[1]) ** 2).mean())

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), self.hparams.lr)

    columns = [torch.tensor(part, dtype=torch.float32) for part in (X, Y[:, None])]
    return Net(), torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*columns), 40)


def lightning_fit(lightning, folder, hook, bomb=None):
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    trainer = lightning.Trainer(
        max_epochs=2, accelerator="cpu", logger=hook, log_every_n_steps=1, default_root_dir=folder, **quiet
    )
    net, data = lightning_module(lightning, bomb)
    trainer.fit(net, data, data)


@pytest.mark.filterwarnings("ignore")
def test_lightning(begin, lightning, tmp_path):
    from heliostat_trackers.trainers.lightning import HeliostatLogger

    with begin() as run:
        lightning_fit(lightning, tmp_path, HeliostatLogger())
    found = ended(run)
    assert (found.state, found.model, found.metadata) == (State.COMPLETED, "Net", {"weights": 5})
    assert found.assignments == {"lr": 0.05, "act": "relu"}
    assert [point.step for point in found.curve] == [0, 1, 2, 3, 4, 5]
    assert sorted(found.numbers) == ["train_loss", "val_loss"]
    assert found.numbers["val_loss"] == found.curve[-1].values["val_loss"]


@pytest.mark.filterwarnings("ignore")
def test_lightning_tells_of_its_failure(begin, lightning, tmp_path):
    from heliostat_trackers.trainers.lightning import HeliostatLogger

    run = begin()
    with pytest.raises(ValueError, match="boom"):
        lightning_fit(lightning, tmp_path, HeliostatLogger(run), bomb=3)
    found = run.end()
    assert (found.state, found.end_reason) == (State.FAILED, "ValueError: boom")
    assert len(found.curve) == 3


# Hugging Face


@pytest.mark.filterwarnings("ignore")
def test_transformers(begin, tmp_path):
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate", reason="transformers' Trainer needs accelerate")
    import torch

    from heliostat_trackers.trainers.transformers import HeliostatCallback

    shape = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    config = transformers.BertConfig(vocab_size=20, max_position_embeddings=16, num_labels=2, **shape)
    model = transformers.BertForSequenceClassification(config)
    rows = [
        {"input_ids": torch.arange(6) + place % 8, "labels": torch.tensor(place % 2)} for place in range(16)
    ]
    args = transformers.TrainingArguments(
        output_dir=str(tmp_path), num_train_epochs=2, per_device_train_batch_size=8, logging_steps=1,
        eval_strategy="epoch", save_strategy="no", report_to="none", disable_tqdm=True, learning_rate=0.01,
        use_cpu=True, seed=3,
    )  # fmt: skip
    with begin() as run:
        hook = HeliostatCallback(run)
        trainer = transformers.Trainer(model, args, train_dataset=rows, eval_dataset=rows, callbacks=[hook])
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
        last = trainer.evaluate()["eval_loss"]
    found = ended(run)
    assert (found.state, found.model) == (State.COMPLETED, "BertForSequenceClassification")
    given = found.assignments
    assert (given["learning_rate"], given["num_train_epochs"], given["seed"]) == (0.01, 2, 3)
    assert not {"output_dir", "report_to", "logging_steps", "use_cpu"} & set(given)
    assert [point.step for point in found.curve] == [1, 2, 3, 4]
    assert sorted(found.numbers) == ["eval_loss", "loss", "train_loss"]
    assert found.numbers["eval_loss"] == last
    assert found.metadata["weights"] == sum(item.numel() for item in model.parameters())
