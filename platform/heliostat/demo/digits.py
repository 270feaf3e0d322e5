"""A neural classifier of scikit-learn's handwritten digits, and the experiment that tunes it.

Real data that ship with scikit-learn: 1,797 images of 8 x 8 pixels. Two things are wanted of the network:
accuracy on images that it has not seen, and speed at inference; and one thing is demanded: at most
0.15·10⁶ weights.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

EPOCHS = 20
"""Passes over the training images; the curves have flattened by then."""

MOST_WEIGHTS = 0.15
"""The guardrail, in millions of weights."""

Images = NDArray[np.float64]
Labels = NDArray[np.int64]

SPEC: dict[str, Any] = {
    "name": "digits",
    "project": "demo",
    "conditionals": [{"name": "optimizer", "values": ["adam", "sgd"]}],
    "parameters": [
        {
            "name": "adam_learning_rate",
            "type": "double",
            "bounds": {"min": 1e-4, "max": 3e-2},
            "transformation": "log",
            "conditions": {"optimizer": "adam"},
        },
        {
            "name": "sgd_learning_rate",
            "type": "double",
            "bounds": {"min": 1e-3, "max": 1.0},
            "transformation": "log",
            "conditions": {"optimizer": "sgd"},
        },
        {
            "name": "momentum",
            "type": "double",
            "bounds": {"min": 0.0, "max": 0.98},
            "conditions": {"optimizer": "sgd"},
        },
        {"name": "layers", "type": "int", "bounds": {"min": 1, "max": 3}},
        {"name": "width", "type": "int", "bounds": {"min": 8, "max": 512}, "transformation": "log"},
        {"name": "activation", "type": "categorical", "categorical_values": ["relu", "tanh", "logistic"]},
        {"name": "batch_size", "type": "int", "grid": [16, 32, 64, 128, 256]},
        {
            "name": "l2",
            "type": "double",
            "bounds": {"min": 1e-6, "max": 1e-1},
            "transformation": "log",
        },
    ],
    "metrics": [
        {"name": "accuracy", "objective": "maximize"},
        {"name": "latency_us", "objective": "minimize"},
        {
            "name": "weights_millions",
            "objective": "minimize",
            "strategy": "constraint",
            "threshold": MOST_WEIGHTS,
        },
    ],
    "budget": 60,
}
"""The experiment in its wire form; a YAML file or an HTTP body would say the same."""


def train(config: Mapping[str, Any]) -> None:
    """Train one network on Ray Tune, reporting after every epoch."""
    from ray import tune

    for result in epochs(config):
        tune.report(result)


def epochs(config: Mapping[str, Any], count: int = EPOCHS) -> Iterator[dict[str, float]]:
    """Train one network; yields the metrics after each epoch.

    Args:
        config: Assignments of :data:`SPEC`.
        count: Number of epochs.

    Yields:
        ``accuracy`` (share of 540 unseen images), ``latency_us`` (microseconds per image, one thread) and
        ``weights_millions``.
    """
    train_images, train_labels, other_images, other_labels = digits()
    model = network(config)
    facts: dict[str, float] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a diverging network overflows; its accuracy says so
        for _ in range(count):
            model.partial_fit(train_images, train_labels, classes=np.arange(10))
            facts = facts or measure(model, other_images)
            yield {"accuracy": float(model.score(other_images, other_labels)), **facts}


@cache
def digits() -> tuple[Images, Labels, Images, Labels]:
    """Training images (1,257 x 64, scaled to [0, 1]) and labels, then 540 others with theirs."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    split = train_test_split(images / 16.0, labels, test_size=540, stratify=labels, random_state=0)
    return split[0], split[2], split[1], split[3]


def network(config: Mapping[str, Any]) -> Any:
    """The network that a configuration describes."""
    from sklearn.neural_network import MLPClassifier

    optimizer = config["optimizer"]
    return MLPClassifier(
        hidden_layer_sizes=(int(config["width"]),) * int(config["layers"]),
        activation=config["activation"],
        solver=optimizer,
        learning_rate_init=config[f"{optimizer}_learning_rate"],
        momentum=config.get("momentum", 0.0),
        alpha=config["l2"],
        batch_size=int(config["batch_size"]),
        random_state=0,
    )


def measure(model: Any, images: Images) -> dict[str, float]:
    """Size and speed of a network: neither changes with training, so once is enough.

    The fastest of 25 passes is taken: whatever else the machine does can only make a pass slower.
    """
    weights = sum(item.size for item in (*model.coefs_, *model.intercepts_))
    seconds = []
    for _ in range(25):
        start = time.perf_counter()
        model.predict_proba(images)
        seconds.append(time.perf_counter() - start)
    return {"latency_us": min(seconds) / len(images) * 1e6, "weights_millions": weights / 1e6}
