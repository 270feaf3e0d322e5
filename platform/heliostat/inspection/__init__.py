"""Is a Ray cluster fit for sweeps? Facts from every node, and one judgement for each question.

::

    probe (an actor on each node) ──▶ facts (frozen) ──▶ verdicts (pure) ──▶ findings

The command is ``heliostat cluster check``; in Python it is :func:`check_cluster`.
"""

from __future__ import annotations

from heliostat.inspection.collection import check_cluster, join
from heliostat.inspection.facts import ClusterFacts, Listener, Mark, NodeFacts, Question
from heliostat.inspection.verdicts import Finding, judged

__all__ = [
    "ClusterFacts",
    "Finding",
    "Listener",
    "Mark",
    "NodeFacts",
    "Question",
    "check_cluster",
    "join",
    "judged",
]
