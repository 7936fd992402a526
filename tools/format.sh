#!/usr/bin/env bash
# format.sh [--check] [FILE…]: lays the C++ and CUDA sources out as .clang-format says (default: all of them).
# --check changes nothing and fails where something is laid out otherwise.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mode=(-i)
if [ "${1:-}" = --check ]; then
  mode=(--dry-run -Werror)
  shift
fi
# The one of .venv is of the version that the tree is laid out with; layouts differ between versions.
formatter=.venv/bin/clang-format
[ -x "$formatter" ] || formatter=$(command -v clang-format-14 || command -v clang-format) || {
  echo "format.sh: there is no clang-format here. tools/bootstrap.sh build installs it into .venv." >&2
  exit 1
}
if [ $# -gt 0 ]; then
  files=("$@")
else
  mapfile -t files < <(find src tests -name '*.[ch]pp' -o -name '*.cu' -o -name '*.cuh')
fi
"$formatter" "${mode[@]}" "${files[@]}"
