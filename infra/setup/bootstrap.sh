#!/usr/bin/env bash
# Bring this checkout to a state; each part is skipped when its inputs are as they were.
# Usage: bootstrap.sh PART...
# with PART one of jobs, airflow, splink, drt, fuzz, mailman, tryton, tryton-data, jars, jars-s3, prime.
set -euo pipefail
cd "$(dirname "$0")/../.."

say() { printf '[setup] %s\n' "$*" >&2; }

stop() {
  say "$*"
  exit 1
}

find_python() {
  local candidate
  for candidate in "${PYTHON311:-}" python3.11 python3; do
    if [[ -n $candidate ]] && command -v "$candidate" >/dev/null &&
      "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
      "$candidate" -c 'import sys; print(sys.executable)'
      return
    fi
  done
  stop "Python 3.11 is not to be found. Install it (Debian: apt-get install python3.11" \
    "python3.11-venv; uv: uv python install 3.11) or name it: make setup PYTHON311=/path/to/python3.11"
}

# The state that a part leads to is the content of the files it is made from, and where it lies:
# a virtual environment does not survive a move.
digest() { { pwd; cat "$@"; } | sha256sum | cut -c1-16; }

# part NAME STAMP DIGEST COMMAND...: run COMMAND unless STAMP already holds DIGEST.
part() {
  local name=$1 stamp=$2 state=$3 started=$SECONDS
  shift 3
  if [[ -f $stamp && $(<"$stamp") == "$state" ]]; then
    return
  fi
  say "$name ..."
  rm -f "$stamp"
  "$@"
  printf '%s\n' "$state" >"$stamp"
  say "$name: done in $((SECONDS - started)) s"
}

# environment FOLDER REQUIREMENTS...
environment() {
  local folder=$1 place=$1/.place here python file
  local -a files=()
  shift
  # Its programs name the folder in which it was made: after a move they start nothing.
  here=$(pwd -P)
  if [[ ! -f $place || $(<"$place") != "$here" ]]; then
    rm -rf "$folder"
  fi
  # As constraints too: without, pip asks the newest release of a package that another one wants
  # with extras, finds no hash for it, and stops.
  for file in "$@"; do files+=(-r "$file" -c "$file"); done
  python=$(find_python)
  if command -v uv >/dev/null; then
    [[ -x $folder/bin/python ]] || uv venv --quiet --no-config --python "$python" "$folder"
    uv pip sync --quiet --no-config --python "$folder/bin/python" --require-hashes "$@"
  else
    if [[ ! -x $folder/bin/python ]]; then
      "$python" -m venv "$folder" ||
        stop "Could not make $folder. Debian keeps venv apart: apt-get install python3.11-venv"
    fi
    # An environment that uv made has no pip; it may be in use, so it is completed, not made anew.
    "$folder/bin/python" -m pip --version >/dev/null 2>&1 ||
      "$folder/bin/python" -m ensurepip >/dev/null
    "$folder/bin/python" -m pip install --quiet --require-hashes "${files[@]}"
  fi
  printf '%s\n' "$here" >"$place"
}

jobs_environment() {
  environment .venv requirements/jobs.txt requirements/dev.txt
  if command -v uv >/dev/null; then
    uv pip install --quiet --no-config --python .venv/bin/python --no-deps --no-build-isolation -e .
  else
    .venv/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .
  fi
}

# Two runs at once would install into the same folders.
mkdir -p .cache
if command -v flock >/dev/null; then
  exec 9>.cache/setup.lock
  flock 9
fi

for wanted in "$@"; do
  case $wanted in
    jobs)
      part "Python packages of the jobs (some 700 MB)" .venv/.state \
        "$(digest requirements/jobs.txt requirements/dev.txt pyproject.toml)" jobs_environment
      ;;
    airflow)
      part "Python packages of Airflow (some 600 MB)" .venv-airflow/.state \
        "$(digest requirements/airflow.txt)" environment .venv-airflow requirements/airflow.txt
      ;;
    splink)
      part "Python packages of Splink (some 900 MB)" .venv-splink/.state \
        "$(digest requirements/splink.txt)" environment .venv-splink requirements/splink.txt
      ;;
    mailman)
      part "Python packages of GNU Mailman (some 85 MB)" .venv-mailman/.state \
        "$(digest requirements/mailman.txt)" environment .venv-mailman requirements/mailman.txt
      ;;
    tryton)
      part "Python packages of Tryton (some 50 MB)" .venv-tryton/.state \
        "$(digest requirements/tryton.txt)" environment .venv-tryton requirements/tryton.txt
      ;;
    tryton-data)
      part "A Tryton that tests start with (some 40 s)" .cache/tryton/.state \
        "$(digest requirements/tryton.txt infra/setup/tryton_data.py)" \
        .venv-tryton/bin/python infra/setup/tryton_data.py .cache/tryton
      ;;
    jars)
      # Looked at every time, in some tenths of a second: one may have been removed or damaged.
      .venv/bin/python infra/setup/jars.py delta .jars
      ;;
    jars-s3)
      .venv/bin/python infra/setup/jars.py s3 .jars/s3
      ;;
    prime)
      for made in submit.properties environment.sh 'classes-*'; do
        compgen -G ".cache/spark/$made" >/dev/null || rm -f .cache/spark/.state
      done
      part "Spark start-up cache (a rehearsal of a job)" .cache/spark/.state \
        "$(digest requirements/jobs.txt infra/setup/jars.lock infra/setup/prime_spark.py \
          jobs/goldenlake/io/spark.py jobs/goldenlake/io/java.py \
          $(find .jars/s3 -name '*.jar' 2>/dev/null | sort))" \
        .venv/bin/python infra/setup/prime_spark.py .jars .cache/spark
      ;;
    drt)
      part "Python packages of drt (some 70 MB)" .venv-drt/.state \
        "$(digest requirements/drt.txt)" environment .venv-drt requirements/drt.txt
      ;;
    fuzz)
      part "Python packages of fuzzing (some 30 MB)" .venv-fuzz/.state \
        "$(digest requirements/fuzz.txt)" environment .venv-fuzz requirements/fuzz.txt
      ;;
    *) stop "Unknown part: $wanted" ;;
  esac
done
