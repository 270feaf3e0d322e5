"""A thousand clients share fifty experiments: no point twice, no report lost, no budget exceeded."""

import asyncio
import collections

import pytest

import heliostat as hs
from heliostat.registry import open_log
from heliostat.service import ServiceSettings
from heliostat.testing.service import serving
from heliostat.trial import State

EXPERIMENTS, CLIENTS, BUDGET = 50, 1000, 60


async def work(remote, id, told):
    """One client: runs until there are none."""
    experiment = await remote.experiment(id)
    async for run in experiment.loop():
        told.append((id, run.id, run["x"]))
        run.log_metric("loss", run["x"])


async def crowd(url):
    told = []
    remotes = [hs.connect_async(url, "none", patience=600) for _ in range(EXPERIMENTS)]
    made = [
        await remote.create_experiment(
            f"shared {place}",
            project="crowd",
            parameters=[hs.Double("x", 0, 1)],
            metrics=[hs.minimize("loss")],
            budget=BUDGET,
            parallel_bandwidth=CLIENTS // EXPERIMENTS,
            searcher="random",
            seed=place,
        )
        for place, remote in enumerate(remotes)
    ]
    await asyncio.gather(
        *(
            work(remotes[client % EXPERIMENTS], made[client % EXPERIMENTS].id, told)
            for client in range(CLIENTS)
        )
    )
    for remote in remotes:
        await remote.close()
    return [experiment.id for experiment in made], told


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_thousand_clients_share_fifty_experiments(log_url):
    limits = {"read_rate": 1e6, "write_rate": 1e6}
    with serving(ServiceSettings(log=log_url, auth=False, **limits)) as host:
        ids, told = asyncio.run(crowd(f"http://{host}"))
    log = open_log(log_url)
    runs = {run.id: run for id in ids for run in log.runs(id)}
    log.close()
    assert collections.Counter(id for id, _, _ in told) == dict.fromkeys(ids, BUDGET)
    assert len(runs) == len({run for _, run, _ in told}) == EXPERIMENTS * BUDGET
    assert len({(id, x) for id, _, x in told}) == len(told)
    for id, run, x in told:
        found = runs[run]
        assert (found.experiment, found.state, found.numbers) == (id, State.COMPLETED, {"loss": x})
