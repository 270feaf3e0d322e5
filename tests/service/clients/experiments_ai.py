"""What an AI experiment's user calls: create, loop, best runs, update, archive."""

import json

import sigopt

sigopt.create_project("optimizer", "Optimizer")
sigopt.set_project("optimizer")
experiment = sigopt.create_experiment(
    name="E",
    type="offline",
    parameters=[
        {"name": "x", "type": "double", "bounds": {"min": 0.01, "max": 1.0}, "transformation": "log"},
        {"name": "y", "type": "int", "bounds": {"min": 1, "max": 5}},
        {"name": "act", "type": "categorical", "categorical_values": ["relu", "tanh"]},
        {"name": "a", "type": "double", "bounds": {"min": 0, "max": 1}},
        {"name": "b", "type": "double", "bounds": {"min": 0, "max": 1}},
    ],
    metrics=[
        {"name": "f", "objective": "maximize", "strategy": "optimize"},
        {"name": "size", "objective": "minimize", "strategy": "constraint", "threshold": 10.0},
        {"name": "t", "strategy": "store"},
    ],
    linear_constraints=[
        {
            "type": "less_than",
            "threshold": 1.5,
            "terms": [{"name": "a", "weight": 1}, {"name": "b", "weight": 2}],
        }
    ],
    budget=8,
    parallel_bandwidth=1,
    metadata={"k": "v"},
)
points = []
for run in experiment.loop():
    with run:
        points.append(dict(run.params))
        run.log_metric("f", run.params.x * 2)
        run.log_metric("size", 3)
        run.log_metric("t", 1)
best = [run.id for run in experiment.get_best_runs()]
runs = [run.id for run in experiment.get_runs()]
experiment.update(name="E2", budget=9, parameters=experiment.parameters)
again = sigopt.get_experiment(experiment.id)
manual = again.create_run(name="manual", metadata={"a": 1})
try:
    manual.params.x = 4
    fixed = False
except ValueError:
    fixed = True
manual.end()
again.archive()
sigopt.unarchive_experiment(experiment.id)
try:
    sigopt.create_experiment(
        name="BAD", parameters=[{"name": "x", "type": "double"}], metrics=[{"name": "f"}]
    )
except sigopt.exception.ApiException as error:
    wrong = [error.status_code, str(error)]
print(
    json.dumps(
        {
            "id": experiment.id,
            "points": points,
            "best": best,
            "runs": runs,
            "manual": manual.id,
            "fixed": fixed,
            "renamed": [again.name, again.budget],
            "wrong": wrong,
        }
    )
)
