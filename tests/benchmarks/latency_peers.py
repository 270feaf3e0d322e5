"""The same question to the peers, by their own interfaces: Ax's client, Optuna's TPE and GP samplers.

As with ours, loading the history is not timed. ``cold`` is the first suggestion of a new client or sampler,
``warm`` the next one after one more result. Ax fits anew each time, so it has no warm column.
"""

from __future__ import annotations

import time

import optuna
import torch
from latency_data import assignments, table

from heliostat_searchers.quiet import compile_nothing, quiet

AX, TPE, GP = "Ax client", "Optuna TPE", "Optuna GP"
LOUD = (
    "ax.api.client",
    "ax.generation_strategy.dispatch_utils",
    "ax.storage.sqa_store.with_db_settings_base",
)
"""Ax's loggers that speak here."""

AX_START = 8
"""Most suggestions of Ax until its model answers: it wants some Sobol points of its own first."""

SAMPLERS = {TPE: optuna.samplers.TPESampler, GP: optuna.samplers.GPSampler}


def cell(who, n, d, *, repeats):
    """One row of a peer's table."""
    torch.set_num_threads(1)
    ask = _ax if who == AX else _optuna
    taken = [ask(who, n, d, seed) for seed in range(repeats)]
    columns = {"cold": [one[0] for one in taken], "warm": [one[1] for one in taken if len(one) > 1]}
    return {"who": who, "n": n, "d": d, "m": 1, "pending": 0, **columns}


def _optuna(who, n, d, seed):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    places, values = table(n, d, 1, seed)
    ranges = {f"x{place}": optuna.distributions.FloatDistribution(0, 1) for place in range(d)}
    study = optuna.create_study(sampler=SAMPLERS[who](seed=seed))
    for place, value in zip(places, values[:, 0], strict=True):
        trial = optuna.create_trial(params=assignments(place), distributions=ranges, value=float(value))
        study.add_trial(trial)
    times = []
    with quiet():
        for _ in range(2):
            start = time.process_time()
            asked = study.ask(ranges)
            times.append(time.process_time() - start)
            study.tell(asked, float(values.mean()))
    return times


def _ax(who, n, d, seed):
    with quiet(*LOUD):
        compile_nothing()
        client = _client(n, d, seed)
        for _ in range(AX_START):
            start = time.process_time()
            (index,) = client.get_next_trials(max_trials=1)
            spent = time.process_time() - start
            if client._experiment.trials[index].generator_runs[0]._generation_node_name == "MBM":
                return [spent]
            client.complete_trial(trial_index=index, raw_data={"m0": float(table(n, d, 1, seed)[1].mean())})
    raise RuntimeError(f"{who} did not come to its model in {AX_START} suggestions")


def _client(n, d, seed):
    from ax.api.client import Client
    from ax.api.configs import RangeParameterConfig

    client = Client(random_seed=seed)
    client.configure_experiment(
        parameters=[RangeParameterConfig(f"x{place}", (0.0, 1.0), "float") for place in range(d)]
    )
    client.configure_optimization(objective="-m0")
    places, values = table(n, d, 1, seed)
    for place, value in zip(places, values[:, 0], strict=True):
        index = client.attach_trial(parameters=assignments(place))
        client.complete_trial(trial_index=index, raw_data={"m0": float(value)})
    return client
