"""Many clients share experiments: no point twice, no report lost, no budget exceeded."""

import asyncio
import collections

import pytest

import heliostat as hs
from heliostat.registry import open_log
from heliostat.service import ServiceSettings
from heliostat.testing.service import serving
from heliostat.trial import State

BUDGET = 60
CLIENTS = 20
"""Of each experiment."""


async def work(remote, id, told):
    """One client: runs until there are none."""
    experiment = await remote.experiment(id)
    async for run in experiment.loop():
        told.append((id, run.id, run["x"]))
        run.log_metric("loss", run["x"])


async def crowd(url, count):
    told = []
    remotes = [hs.connect_async(url, "none", patience=600) for _ in range(count)]
    made = [
        await remote.create_experiment(
            f"shared {place}",
            project="crowd",
            parameters=[hs.Double("x", 0, 1)],
            metrics=[hs.minimize("loss")],
            budget=BUDGET,
            parallel_bandwidth=CLIENTS,
            searcher="random",
            seed=place,
        )
        for place, remote in enumerate(remotes)
    ]
    await asyncio.gather(
        *(
            work(remote, experiment.id, told)
            for remote, experiment in zip(remotes, made, strict=True)
            for _ in range(CLIENTS)
        )
    )
    for remote in remotes:
        await remote.close()
    return [experiment.id for experiment in made], told


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "count",
    [
        pytest.param(5, marks=pytest.mark.slow, id="a hundred clients"),
        pytest.param(50, marks=pytest.mark.hosts, id="a thousand clients"),
    ],
)
def test_clients_that_share_experiments_meet_each_budget(log_url, count):
    limits = {"read_rate": 1e6, "write_rate": 1e6}
    with serving(ServiceSettings(log=log_url, auth=False, **limits)) as host:
        ids, told = asyncio.run(crowd(f"http://{host}", count))
    log = open_log(log_url)
    runs = {run.id: run for id in ids for run in log.runs(id)}
    log.close()
    assert collections.Counter(id for id, _, _ in told) == dict.fromkeys(ids, BUDGET)
    assert len(runs) == len({run for _, run, _ in told}) == count * BUDGET
    assert len({(id, x) for id, _, x in told}) == len(told)
    for id, run, x in told:
        found = runs[run]
        assert (found.experiment, found.state, found.numbers) == (id, State.COMPLETED, {"loss": x})
