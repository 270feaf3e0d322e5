"""Is this Ray cluster fit for a sweep? The questions of ``heliostat cluster check``, asked from Python."""

from pathlib import Path

from heliostat import cluster
from heliostat.inspection import Question, check_cluster

cluster.connect()  # the cluster that $RAY_ADDRESS names, or a private one on this machine
findings = check_cluster(Question(log=f"ray://{Path.cwd()}/heliostat.db", nodes=1))
for finding in findings:
    print(f"{finding.status:<4}  {finding.check:<8}  {finding.detail}")
    if finding.failed:
        print(f"      {finding.remedy}")
print(f"fit for a sweep: {not any(finding.failed for finding in findings)}")

# A trial asks, once a step, whether its machine was told to go (None: it was not).
print(f"seconds left here: {cluster.seconds_left()}")
