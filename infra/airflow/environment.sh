# Settings of Airflow on this machine; sourced by the scripts beside it.
# What is already set in the environment wins, where that makes sense.

# shellcheck shell=bash

# Who is not in the group reads neither Airflow's database, with its keys, nor what a night writes.
umask 027
home=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
for needed in "$home/.venv/bin/spark-submit" "$home/.venv-airflow/bin/airflow" \
  "$home/.cache/spark/submit.properties"; do
  if [[ ! -e $needed ]]; then
    echo "$needed is missing. Run \`make setup setup-airflow\`." >&2
    exit 2
  fi
done

export GOLDENLAKE_HOME=$home
export GOLDENLAKE_ENV=${GOLDENLAKE_ENV:-local}
# SparkSubmitOperator finds spark-submit on PATH; Airflow's environment has none of its own.
# GOLDENLAKE_BIN: a folder with another one, such as a cluster's.
export PATH=${GOLDENLAKE_BIN:+$GOLDENLAKE_BIN:}$home/.venv-airflow/bin:$home/.venv/bin:$PATH

export SPARK_HOME=$home/.venv/lib/python3.11/site-packages/pyspark
export PYSPARK_PYTHON=$home/.venv/bin/python
JAVA_HOME=$("$PYSPARK_PYTHON" -c 'from goldenlake.io.java import java_home; print(java_home())')
export JAVA_HOME
export SPARK_LOCAL_IP=127.0.0.1
export SPARK_LOCAL_DIRS=$home/.cache/tmp/spark
# spark-submit asks a small JVM of its own what to start: light options for that one too.
export SPARK_LAUNCHER_OPTS="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto"
export GX_ANALYTICS_ENABLED=false

export AIRFLOW_HOME=${AIRFLOW_HOME:-$home/var/airflow}
export AIRFLOW_CONN_SPARK_DEFAULT=${AIRFLOW_CONN_SPARK_DEFAULT:-'{"conn_type": "spark", "host": "local[2]"}'}

export AIRFLOW__CORE__DAGS_FOLDER=$home/dags
export AIRFLOW__CORE__PLUGINS_FOLDER=$home/infra/airflow/plugins
export AIRFLOW__CORE__LOAD_EXAMPLES=False
export AIRFLOW__CORE__DEFAULT_TIMEZONE=utc
export AIRFLOW__CORE__EXECUTOR=LocalExecutor
# Each of the 32 workers of the default is a process of 170 MB.
export AIRFLOW__CORE__PARALLELISM=4
# SQLite gives up after 5 s where another process writes; a busy machine needs longer.
export AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=${AIRFLOW__DATABASE__SQL_ALCHEMY_CONN:-sqlite:///$AIRFLOW_HOME/airflow.db?timeout=60}
export AIRFLOW__USAGE_DATA_COLLECTION__ENABLED=False
export AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT=30

# The three addresses belong together: with the port alone no task finds the execution API.
airflow_port=${GOLDENLAKE_AIRFLOW_PORT:-8080}
export AIRFLOW__API__HOST=127.0.0.1
export AIRFLOW__API__PORT=$airflow_port
export AIRFLOW__API__WORKERS=1
export AIRFLOW__API__BASE_URL=http://127.0.0.1:$airflow_port
export AIRFLOW__CORE__EXECUTION_API_SERVER_URL=http://127.0.0.1:$airflow_port/execution/
export AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS=admin:admin
export AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE=$AIRFLOW_HOME/passwords.json

mkdir -p "$AIRFLOW_HOME/logs" "$SPARK_LOCAL_DIRS"

# Bring the database to Airflow's version; asking Airflow itself each time would cost 5 s.
migrate_when_needed() {
  local stamp=$AIRFLOW_HOME/.migrated state
  state=$(sha256sum "$home/requirements/airflow.txt" | cut -c1-16)
  if [[ -f $stamp && $(<"$stamp") == "$state" && -f $AIRFLOW_HOME/airflow.db ]]; then
    return
  fi
  if ! airflow db migrate >"$AIRFLOW_HOME/logs/migrate.log" 2>&1; then
    tail -n 5 "$AIRFLOW_HOME/logs/migrate.log" >&2
    echo "The database of Airflow could not be made; all of it: $AIRFLOW_HOME/logs/migrate.log" >&2
    exit 1
  fi
  printf '%s\n' "$state" >"$stamp"
}
