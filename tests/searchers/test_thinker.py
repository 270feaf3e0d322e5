"""The thinking actor: told only what is new, told everything after a restart, the same answers either way."""

import os
from dataclasses import replace

import numpy as np
import pytest

import heliostat as hs
from heliostat.experiment import read_experiment
from heliostat.trial import Checkpoint, History, Measurement, Run, State
from heliostat_searchers.thinker import Briefing, Thinker, Thinking

SPEC = read_experiment(
    {"name": "t", "parameters": [hs.Double("x", 0, 1)], "metrics": [hs.minimize("loss")], "budget": 50}
)


def run_of(number, state=State.COMPLETED):
    x = (number * 0.37) % 1
    values = {"loss": Measurement((x - 0.3) ** 2)} if state is State.COMPLETED else {}
    return Run(id=100 + number, number=number, assignments={"x": x}, state=state, values=values)


def test_only_what_is_new_is_told():
    briefing = Briefing()
    runs = [run_of(number) for number in range(1, 21)]
    assert len(briefing.news(History(tuple(runs))).changed) == 20
    runs.append(run_of(21, State.ACTIVE))
    assert [run.number for run in briefing.news(History(tuple(runs))).changed] == [21]
    runs[20] = replace(runs[20], curve=(Checkpoint(1, {"loss": 1.0}),))
    found = briefing.news(History(tuple(runs[1:])))
    assert ([run.number for run in found.changed], found.gone) == ([21], (101,))
    assert briefing.told == 22
    briefing.forget()
    assert len(briefing.news(History(tuple(runs))).changed) == 21


def test_an_actor_that_is_told_bit_by_bit_answers_as_one_that_is_told_all():
    briefing, grown = Briefing(), Thinking("bayesian")
    runs, sources = [], (run_of(90),)
    for number in range(1, 9):
        runs.append(run_of(number, State.ACTIVE))
        if number > 1:
            runs[number - 2] = run_of(number - 1)
        history = History(tuple(runs), sources)
        rng = np.random.default_rng([0, number])
        found = grown.think(SPEC, briefing.news(history), 1, rng)
        whole = Thinking("bayesian").think(
            SPEC, Briefing().news(history), 1, np.random.default_rng([0, number])
        )
        assert found == whole
    assert Thinking("sobol").think(SPEC, briefing.news(history), 1, rng) is None


@pytest.mark.slow
@pytest.mark.ray
def test_a_restarted_actor_is_told_everything_once_more(ray_cluster, log_url):
    experiment = hs.Experiment(
        "t",
        parameters=[hs.Double("x", 0, 1)],
        metrics=[hs.minimize("loss")],
        budget=30,
        searcher="sobol",
        log=log_url,
    )
    thinker = Thinker("sobol")
    told = []
    for _ in range(4):
        before = thinker.briefing.told
        (run,) = experiment.engine.suggest(1, think=thinker.think)
        told.append(thinker.briefing.told - before)
        experiment.engine.finish(run.id, _end(run))
    assert told == [0, 1, 1, 1]
    _restart(ray_cluster, thinker._link._actor)
    before = thinker.briefing.told
    (run,) = experiment.engine.suggest(1, think=thinker.think)
    assert thinker.briefing.told - before == 5  # what is new, and then everything
    assert run.why == "Sobol sequence"
    thinker.close()


def _restart(ray, actor):
    """Kill the actor's process and wait until another one answers: Ray kills at its leisure."""

    def process():
        return ray.get(actor.__ray_call__.remote(lambda _: os.getpid()))

    before = process()
    ray.kill(actor, no_restart=False)
    while process() == before:
        pass


def _end(run):
    from heliostat import outcome

    return outcome.judge(SPEC.metrics, {"loss": run.assignments["x"]})
