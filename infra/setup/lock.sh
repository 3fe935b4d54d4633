#!/usr/bin/env bash
# Pin requirements/*.in into *.txt, with hashes and without the name of any index.
# Versions already pinned stay; `UPGRADE=--upgrade make lock` takes the newest.
set -euo pipefail
cd "$(dirname "$0")/../../requirements"

command -v uv >/dev/null || {
  echo "make lock needs uv: pip install uv" >&2
  exit 1
}
for name in jobs dev airflow splink drt fuzz tryton mailman; do
  # shellcheck disable=SC2086
  uv pip compile --quiet --no-config ${UPGRADE:-} --python-version 3.11 --python-platform linux \
    --generate-hashes --no-header --no-emit-index-url --no-emit-find-links \
    --annotation-style line "$name.in" --output-file "$name.txt"
done
