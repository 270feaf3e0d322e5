"""Our searcher inside Ax's client: the same suggestions as outside, for what Ax can declare."""

import numpy as np
import pytest

from heliostat.errors import Unsupported
from heliostat.experiment import ExperimentSpec
from heliostat.metrics import Metrics, guardrail, minimize
from heliostat.registry import make_searcher
from heliostat.space import Double, Space
from heliostat.trial import History, Measurement, Run, State
from heliostat_searchers.quiet import quiet

with quiet():
    from ax.api.client import Client
    from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig
    from ax.generation_strategy.generation_strategy import GenerationStrategy

    from heliostat_searchers.ax_node import HeliostatNode

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

BOX = [RangeParameterConfig("learning rate", (0.001, 1.0), "float", scaling="log"),
       RangeParameterConfig("decay", (0.0, 1.0), "float")]  # fmt: skip


def client(parameters=BOX, objective="-loss", constraints=(), outcomes=(), **options):
    made = Client(random_seed=0)
    made.configure_experiment(parameters=list(parameters), parameter_constraints=list(constraints))
    made.configure_optimization(objective=objective, outcome_constraints=list(outcomes))
    made.set_generation_strategy(GenerationStrategy(name="ours", nodes=[HeliostatNode(**options)]))
    return made


def asked(made):
    ((index, parameters),) = made.get_next_trials(max_trials=1).items()
    return index, parameters


def bowl(rate, decay):
    return (np.log10(rate) + 1.5) ** 2 + (decay - 0.3) ** 2


def test_it_proposes_what_the_searcher_proposes_outside():
    metrics = Metrics((minimize("m0"), guardrail("m1", at_most=0.9)))
    space = Space((Double("p0", 0.001, 1.0, log=True), Double("p1", 0.0, 1.0)))
    spec = ExperimentSpec("ax", space, metrics, budget=100, seed=3)
    made, runs = client(outcomes=["memory <= 0.9"], seed=3), ()
    for turn in range(12):
        index, parameters = asked(made)
        draws = np.random.default_rng([3, turn])
        (expected,) = make_searcher("bayesian").suggest(spec, History(runs), 1, draws)
        values = {"p0": parameters["learning rate"], "p1": parameters["decay"]}
        assert values == expected.assignments
        run = Run(number=turn + 1, id=turn + 1, assignments=values)
        if turn == 5:
            made.mark_trial_failed(trial_index=index)
            runs += (Run(**{**vars(run), "state": State.FAILED}),)
            continue
        loss, memory = bowl(*parameters.values()), (parameters["decay"], 0.01)
        made.complete_trial(index, raw_data={"loss": loss, "memory": memory})
        found = {"m0": Measurement(loss), "m1": Measurement(*memory)}
        runs += (Run(**{**vars(run), "state": State.COMPLETED, "values": found}),)


def test_it_searches_well_and_apart_from_trials_under_way():
    made, losses = client(), []
    for _ in range(10):
        trials = made.get_next_trials(max_trials=2)
        first, second = trials.values()
        assert first != second
        for index, parameters in trials.items():
            losses.append(bowl(*parameters.values()))
            made.complete_trial(index, raw_data={"loss": losses[-1]})
    assert min(losses) < 0.01


def test_switches_choices_constraints_and_several_objectives():
    parameters = [
        ChoiceParameterConfig(
            "kind", ["net", "forest"], "str", is_ordered=False, dependent_parameters={"net": ["width"]}
        ),
        RangeParameterConfig("width", (1, 64), "int", scaling="log"),
        ChoiceParameterConfig("batch", [16, 32, 128], "int", is_ordered=True),
        ChoiceParameterConfig("bias", [True, False], "bool", is_ordered=True),
        RangeParameterConfig("x", (0.0, 1.0), "float"),
        RangeParameterConfig("y", (0.0, 1.0), "float"),
    ]
    made = client(parameters, "-loss, speed", ["x + y <= 0.8"], ["speed >= 0.1"])
    for _ in range(14):
        index, found = asked(made)
        assert ("width" in found) == (found["kind"] == "net")
        assert found["batch"] in (16, 32, 128)
        assert found["bias"] in (True, False)
        assert found["x"] + found["y"] <= 0.8 + 1e-9
        speed = found["y"] + 0.1 * found["bias"]
        made.complete_trial(index, raw_data={"loss": (found["x"] - 0.5) ** 2 + speed / 3, "speed": speed})


def test_what_has_no_place_is_refused():
    with pytest.raises(Unsupported, match="weighted sum"):
        asked(client(objective="loss + 2*speed"))
    with pytest.raises(Unsupported, match="on more than one metric"):
        asked(client(outcomes=["size + speed <= 3"]))
