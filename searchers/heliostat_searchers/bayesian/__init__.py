"""Bayesian optimization in parts that compose.

A search mode is one of: a treatment of rows (:mod:`.rows`, :mod:`.curves`), a term of the kernel or mean
(:mod:`.kernels`, :mod:`.gp`), an additive log term (:mod:`.acquisition`, :mod:`.pareto`, chosen in
:mod:`.goal`), or a rule of the feasible set (:mod:`.cube`, :mod:`.optimizer`).
"""

from heliostat_searchers.bayesian.searcher import BayesianSearcher

__all__ = ["BayesianSearcher"]
