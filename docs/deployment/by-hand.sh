#!/usr/bin/env bash
# A scheduler and workers by hand, here on one machine; on several, run each part on its own.
#
#   by-hand.sh [command ...]     runs the command with DASK_SCHEDULER_ADDRESS set, then stops all;
#                                without a command, stays until it is interrupted
set -euo pipefail

port=${SCHEDULER_PORT:-8786}
dashboard=${DASHBOARD_PORT:-8787}
workers=${WORKERS:-2}
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; wait; rm -rf "$folder"' EXIT

# The plugin lets all clients share what any of them has computed; the page /stratum shows it.
DASK_STRATUM__RETENTION__BYTES="${RETENTION:-4GB}" \
    dask scheduler --preload stratum_dask.scheduler --host 127.0.0.1 --port "$port" \
    --dashboard-address "127.0.0.1:$dashboard" &

# One thread per process: what one candidate breaks, others do not notice; and as many processes as
# there are cores. Inner threads of BLAS and OpenMP are set by stratum_dask for each task.
dask worker "tcp://127.0.0.1:$port" --host 127.0.0.1 --nworkers "$workers" --nthreads 1 \
    --memory-limit auto --local-directory "$folder" --no-dashboard &

export DASK_SCHEDULER_ADDRESS="tcp://127.0.0.1:$port"
if [ $# -gt 0 ]; then
    "$@"
else
    echo "clients: Client(\"$DASK_SCHEDULER_ADDRESS\"); page: http://127.0.0.1:$dashboard/stratum"
    wait
fi
