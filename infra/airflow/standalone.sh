#!/usr/bin/env bash
# Airflow on this machine: API server, scheduler and DAG processor, with the DAGs of dags/.
# Ctrl-C ends all of it.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
cd "$home"
migrate_when_needed

log=$AIRFLOW_HOME/logs/standalone.log
# A session of its own: a signal to `standalone` alone would leave its children behind.
setsid airflow standalone >"$log" 2>&1 &
session=$!

end_session() {
  trap - INT TERM EXIT
  echo "stopping ..."
  pkill -TERM -s "$session" 2>/dev/null || true
  for _ in {1..40}; do
    pgrep -s "$session" >/dev/null 2>&1 || return 0
    sleep 0.5
  done
  pkill -KILL -s "$session" 2>/dev/null || true
}
trap 'end_session; exit 130' INT TERM
trap end_session EXIT

answers() {
  "$PYSPARK_PYTHON" - "$AIRFLOW__API__BASE_URL/api/v2/monitor/health" 2>/dev/null <<'PY'
import sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
opener.open(sys.argv[1], timeout=2).read()
PY
}

echo "Airflow is starting, which takes half a minute; its log: $log"
until answers; do
  if ! kill -0 "$session" 2>/dev/null; then
    tail -n 20 "$log" >&2
    echo "Airflow ended; is port $airflow_port taken? GOLDENLAKE_AIRFLOW_PORT names another." >&2
    exit 1
  fi
  sleep 1
done
password=$("$PYSPARK_PYTHON" -c 'import json, sys; print(json.load(open(sys.argv[1]))["admin"])' \
  "$AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE")
cat <<TEXT

  $AIRFLOW__API__BASE_URL
  user admin, password $password

  The DAGs are paused at first: switch goldenlake_nightly on, or trigger it with a day as as_of.
  Environment: $GOLDENLAKE_ENV (conf/env/$GOLDENLAKE_ENV.yml). Ctrl-C ends Airflow.

TEXT
wait "$session"
