#!/usr/bin/env bash
# One night through Airflow, without a server: night.sh DATE
# The real DAG with the real operator; prints one line a task, and keeps the rest in a file.
# Ends with 0 only when every task did its work.
set -euo pipefail

as_of=${1:-}
if [[ ! $as_of =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}$ ]]; then
  echo "usage: night.sh YYYY-MM-DD   (GOLDENLAKE_ENV chooses conf/env/<name>.yml)" >&2
  exit 2
fi
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
cd "$home"
migrate_when_needed

log=$AIRFLOW_HOME/logs/night-$GOLDENLAKE_ENV-$as_of.log
echo "  the whole log: $log"
# The plugin night_progress writes to descriptor 3, which is this script's own output.
code=0
GOLDENLAKE_PROGRESS_FD=3 airflow dags test goldenlake_nightly "$as_of" 3>&1 >"$log" 2>&1 || code=$?
if ((code)); then
  echo "  the night of $as_of did not do all its work; see the lines above and docs/runbooks/"
fi
exit "$code"
