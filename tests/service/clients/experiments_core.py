"""What the core API's user calls: suggestions, observations, the queue, best assignments."""

import json
import warnings

from sigopt import Connection
from sigopt.exception import ApiException

warnings.simplefilter("ignore")  # .data warns of pages
connection = Connection()
made = connection.experiments().create(
    name="Franke",
    parameters=[
        {"name": "x", "type": "double", "bounds": {"min": 0.0, "max": 1.0}},
        {"name": "y", "type": "double", "bounds": {"min": 0.0, "max": 1.0}},
    ],
    metrics=[{"name": "f", "objective": "maximize"}],
    observation_budget=20,
    tasks=[{"name": "cheap", "cost": 0.1}, {"name": "true", "cost": 1}],
)
experiment = connection.experiments(made.id)
suggestion = experiment.suggestions().create()
first = experiment.observations().create(
    suggestion=suggestion.id,
    values=[{"name": "f", "value": 1.0, "value_stddev": 0.1}],
    metadata={"host": "h"},
)
experiment.observations().create(assignments={"x": 0.1, "y": 0.2}, task="true", failed=True, no_optimize=True)
batch = experiment.observations().create_batch(
    observations=[
        {"assignments": {"x": 0.1, "y": 0.3}, "task": "true", "values": [{"name": "f", "value": 2}]}
    ],
    no_optimize=True,
)
own = experiment.suggestions().create(assignments={"x": 0.5, "y": 0.5}, task="cheap")
listed = experiment.suggestions().fetch(state="open", limit=10).count
noted = dict(experiment.suggestions(own.id).update(metadata={"a": 1}).metadata)
experiment.suggestions(own.id).delete()
experiment.suggestions().delete(state="open")
queued = experiment.queued_suggestions().create(assignments={"x": 0.5, "y": 0.5}, task="true")
waiting = experiment.queued_suggestions().fetch().count
experiment.queued_suggestions(queued.id).delete()
ranked = [item.id for item in experiment.observations().fetch(limit=2, sort="value-f").iterate_pages()]
best = experiment.best_assignments().fetch().data[0]
stop = experiment.stopping_criteria().fetch().should_stop
try:
    experiment.metric_importances().fetch()
except ApiException as error:
    unclear = error.status_code
experiment.tokens().create()
experiment.update(name="n2", metadata=None, observation_budget=30)
after = experiment.fetch()
experiment.observations(first.id).delete()
experiment.observations().delete()
unnamed = (
    connection.clients(1)
    .experiments()
    .create(name="c", parameters=[{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}])
)
open_one = connection.experiments(unnamed.id).suggestions().create()
plain = (
    connection.experiments(unnamed.id).observations().create(suggestion=open_one.id, values=[{"value": 1.5}])
)
experiment.delete()
print(
    json.dumps(
        {
            "id": made.id,
            "task": suggestion.task.name,
            "value": [first.value, first.values[0].value_stddev],
            "batch": batch.count,
            "listed": listed,
            "noted": noted,
            "waiting": waiting,
            "ranked": ranked,
            "best": [dict(best.assignments), best.values[0].value],
            "stop": stop,
            "unclear": unclear,
            "count": after.progress.observation_count,
            "budget": after.observation_budget,
            "plain": plain.value,
            "state": experiment.fetch().state,
        }
    )
)
