"""Runs of experiments take the same calls as others."""

import numpy as np
import pytest

import heliostat as hs
from heliostat.errors import InvalidValue


def bowl(**more):
    return hs.create_experiment(
        name="bowl",
        parameters=[{"name": "x", "type": "double", "bounds": {"min": -5, "max": 5}}],
        metrics=[{"name": "loss", "objective": "minimize"}],
        budget=3,
        parallel_bandwidth=2,
        type="random",
        **more,
    )


def test_the_run_of_an_experiment_takes_the_same_calls(log):
    experiment = bowl(metadata={"owner": "Ann"})
    assert not experiment.is_finished()
    for run in experiment.loop(name="try"):
        with run:
            run.params.extra = "more"
            for change in (lambda run=run: run.params.update(x=1), lambda run=run: run.params.pop("x")):
                with pytest.raises(InvalidValue, match="assigned by the experiment"):
                    change()
            run.log_dataset("d")
            run.log_model("svm")
            hs.log_metadata("rows", 3)
            hs.log_metric("loss", run.params.x**2)
            run.log_metric("loss", 0.5, role="production")
            run.log_image(np.zeros((2, 2)))
    assert experiment.is_finished()
    assert (len(experiment.get_runs()), len(experiment.get_best_runs()), len(log.runs())) == (3, 1, 3)
    assert experiment.spec.project == "tests"
    for found in log.runs():
        assert set(found.assignments) == {"x", "extra"}
        assert (found.name, found.datasets, found.model, found.metadata) == (
            "try",
            {"d": {}},
            "svm",
            {"rows": 3},
        )
        assert found.numbers == {"loss": found.assignments["x"] ** 2}
        assert found.late["production"]["loss"][0].value == 0.5
        assert len(log.files(found.id)) == 1


@pytest.mark.parametrize("searcher", ["sobol", "bayesian"])
def test_extra_parameters_do_not_disturb_the_searcher(log, searcher):
    experiment = hs.create_experiment(
        name="bowl",
        parameters=[hs.Double("x", -5, 5), hs.Categorical("kind", ["a", "b"])],
        metrics=[hs.minimize("loss")],
        budget=7,
        searcher=searcher,
    )
    for _ in range(6):
        # Opened anew each time: what an engine knows, it has read from the log.
        run = hs.get_experiment(experiment.id).create_run()
        run.params.extra = "text"
        run.log_metric("loss", run.params.x**2)
        run.end()
    assert hs.get_experiment(experiment.id).create_run().params.keys() == {"x", "kind"}


def test_experiments_can_be_archived(log):
    experiment = bowl()
    hs.archive_experiment(str(experiment.id))
    assert log.experiment(experiment.id).archived
    hs.unarchive_experiment(experiment.id)
    assert not log.experiment(experiment.id).archived


def test_track_names_what_it_knows(log):
    with pytest.raises(InvalidValue, match=r"no adapter knows such objects, got 'builtins.dict'.*optuna"):
        hs.track({})
