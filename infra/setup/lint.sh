#!/usr/bin/env bash
# Run every check, then fail if one failed: one run shows all there is to mend.
set -uo pipefail
cd "$(dirname "$0")/../.."

failed=()
check() {
  local name=$1
  shift
  "$@" || failed+=("$name")
}

check "ruff check" .venv/bin/ruff check --quiet .
check "ruff format (run: make format)" .venv/bin/ruff format --quiet --check .
check "mypy" .venv/bin/mypy --no-error-summary
check "import-linter" .venv/bin/lint-imports --no-logo
if ((${#failed[@]})); then
  printf 'lint: %s\n' "${failed[@]}" >&2
  exit 1
fi
echo "lint: clean"
