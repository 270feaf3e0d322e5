#!/usr/bin/env bash
# `cluster/job/submit.sh NAME [arguments of sweep.py]`: sends the sweep to the cluster behind RAY_ADDRESS
# (http://HEAD:8265), and follows it. Use it from a laptop or in CI: the same NAME twice is one job, so that a repeated
# call is safe. HELIOSTAT_LOG is the log's address as the nodes see it; set RAY_AUTH_MODE and RAY_AUTH_TOKEN as they do.
# Checked by tests/cluster/test_manifests.py (shellcheck), run by tests/cluster/test_job.py.
set -euo pipefail
name=${1:?a name for the job}
shift
: "${RAY_ADDRESS:?the dashboard, such as http://head:8265}" "${HELIOSTAT_LOG:?the run log, such as postgresql://…}"
here=$(cd "$(dirname "$0")" && pwd)

if ray job status "$name" >/dev/null 2>&1; then
  ray job logs --follow "$name"
  ray job status "$name" 2>&1 | grep -qi succeeded # its exit code is the job's, as below
  exit
fi
exec ray job submit --submission-id "$name" --working-dir "$here" --runtime-env "$here/runtime_env.yaml" -- \
  env "HELIOSTAT_LOG=$HELIOSTAT_LOG" python sweep.py "$@"
