"""MLflow's wire, inward: tools that speak MLflow write into the run log by changing one address.

::

    mounting          routes, the border of all calls
      *_calls         what each call does: experiments, runs, logging, artifacts, models
        wire          reading by MLflow's ids, writing
        views         our runs and projects in MLflow's words
          facts, points, datasets, models, artifacts, identities     pure
        searching       filter strings (filters, comparisons), orders, pages

The run-tracking part of MLflow's REST API 2.0 (https://mlflow.org/docs/latest/rest-api.html), as its
Python, R and Java clients and other tools' callbacks use it. docs/mlflow-inward.md says what becomes of
what.
"""

from heliostat.service.mlflow.mounting import mount

__all__ = ["mount"]
