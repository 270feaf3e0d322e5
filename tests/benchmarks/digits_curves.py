"""Makes ``data/digits_curves.npz``: real learning curves to replay early stopping on.

Random configurations of the demo's search space, each a neural classifier of scikit-learn's handwritten
digits trained for 40 epochs; after each epoch its accuracy and its loss on 540 unseen images are kept. About
three minutes of one core.

    python tests/benchmarks/digits_curves.py
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np

from heliostat.demo.digits import SPEC, digits, network
from heliostat.experiment import read_experiment
from heliostat.space.sampling import sample

STORED = Path(__file__).parent / "data" / "digits_curves.npz"
CONFIGS = 300
EPOCHS = 40
WIDEST = 160
"""Wider networks take most of the time and end where this width ends."""

LARGEST_LOSS = 50.0
"""Log losses of a network that is sure and wrong end about here: the probability of a float is never 0."""


def curve(config):
    """Accuracy and loss after each epoch, and the number of weights."""
    images, labels, other_images, other_labels = digits()
    model = network(config)
    accuracy, loss = np.zeros(EPOCHS), np.zeros(EPOCHS)
    rows = np.arange(len(other_labels))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # a diverging network overflows; its accuracy says so
        for epoch in range(EPOCHS):
            model.partial_fit(images, labels, classes=np.arange(10))
            chances = np.nan_to_num(model.predict_proba(other_images), nan=0.0)
            accuracy[epoch] = np.mean(chances.argmax(axis=1) == other_labels)
            loss[epoch] = -np.log(np.maximum(chances[rows, other_labels], np.exp(-LARGEST_LOSS))).mean()
    return accuracy, loss, sum(item.size for item in (*model.coefs_, *model.intercepts_))


def main():
    spec = read_experiment(SPEC)
    rng = np.random.default_rng(15)
    drawn = [values for values in sample(spec.space, rng, 2 * CONFIGS) if values["width"] <= WIDEST]
    configs, start = drawn[:CONFIGS], time.process_time()
    made = []
    for place, config in enumerate(configs, 1):
        made.append(curve(config))
        if place % 25 == 0:
            print(f"{place} curves, {time.process_time() - start:.0f} CPU seconds", flush=True)
    accuracy, loss, weights = zip(*made, strict=True)
    STORED.parent.mkdir(exist_ok=True)
    np.savez_compressed(
        STORED,
        accuracy=np.round(np.array(accuracy) * 540).astype(np.uint16),  # of 540 images
        loss=np.array(loss, dtype=np.float16),
        weights=np.array(weights, dtype=np.int32),
        configs=np.array(json.dumps(configs)),
    )
    print(f"{STORED.name}: {STORED.stat().st_size / 1e3:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
