"""The core connection's calls about what is shared: tokens, clients, projects, runs, pages, errors."""

import json

from sigopt import Connection
from sigopt.exception import ApiException

connection = Connection()
token = connection.tokens("self").fetch()
client = connection.clients(token.client).fetch()
project = connection.clients(token.client).projects("core").fetch()
runs = connection.clients(token.client).projects("core").training_runs()
made = [runs.create(name=f"r{place}").id for place in range(5)]
run = connection.training_runs(made[0])
run.checkpoints().create(values=[{"name": "loss", "value": 0.5}], metadata={"epoch": 1})
points = list(run.checkpoints().fetch().iterate_pages())
found = [item.id for item in runs.fetch(limit=2).iterate_pages()]
try:
    connection.training_runs("999999").fetch()
except ApiException as error:
    missing = (error.status_code, error.to_json()["status"])
try:
    runs.create(name="n" * 101)
except ApiException as error:
    wrong = (error.status_code, str(error))
run.delete()
print(
    json.dumps(
        {
            "client": client.id,
            "project": project.id,
            "made": made,
            "found": found,
            "points": [[point.metadata["epoch"], point.values[0].value] for point in points],
            "missing": missing,
            "wrong": wrong,
        }
    )
)
