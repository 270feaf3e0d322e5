"""Hyperopt recorded by the official client's bridge."""

import numpy as np
from hyperopt import STATUS_OK, fmin, hp, tpe
from sigopt.hyperopt import SigOptTrials

fmin(
    lambda point: {"loss": point["x"] ** 2, "status": STATUS_OK},
    {"x": hp.uniform("x", -1, 1)},
    algo=tpe.suggest,
    max_evals=3,
    trials=SigOptTrials(project="bridge"),
    show_progressbar=False,
    rstate=np.random.default_rng(0),
)
