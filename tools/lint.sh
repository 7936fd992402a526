#!/usr/bin/env bash
# lint.sh [--all | FILE…]: clang-format and clang-tidy on the sources that differ from the last commit, on all, or on some.
# Needs .venv and a configured build (tools/bootstrap.sh build makes both); clang-tidy is installed into .venv if it is missing.
# A file takes some four seconds of a core: all of them, minutes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

all_sources() {
  find src tests \( -name '*.cpp' -o -name '*.hpp' \) -not -path '*/cuda/*'
}

changed_sources() {
  # What differs from the last commit, and what is new; of a tree without a commit, everything.
  { git diff --name-only --diff-filter=d HEAD 2>/dev/null || git ls-files; git ls-files --others --exclude-standard; } |
    sort -u | grep -E '^(src|tests)/.*\.[ch]pp$' | grep -v /cuda/ || true
}

case ${1:-} in
  --all) mapfile -t files < <(all_sources) ;;
  '') mapfile -t files < <(changed_sources) ;;
  -*) sed -n '2,4s/^# //p' "$0" >&2; exit 2 ;;
  *) files=("$@") ;;
esac
if [ "${#files[@]}" -eq 0 ]; then
  echo "lint.sh: no source differs from the last commit (--all checks the whole tree)"
  exit 0
fi

tools/format.sh --check "${files[@]}"

tidy=.venv/bin/clang-tidy
if ! [ -x "$tidy" ]; then
  .venv/bin/python -m pip install --quiet --disable-pip-version-check 'clang-tidy==18.1.8'
fi
build=
for candidate in build/dev build/release; do
  [ ! -e "$candidate/compile_commands.json" ] || { build=$candidate; break; }
done
[ -n "$build" ] || {
  echo "lint.sh: nothing is configured yet: cmake --preset dev" >&2
  exit 1
}
# A header has no entry in the compilation database: it is checked through the sources that include it.
mapfile -t sources < <(printf '%s\n' "${files[@]}" | grep '\.cpp$' || true)
[ "${#sources[@]}" -gt 0 ] || exit 0
printf '%s\n' "${sources[@]}" | xargs -P "$(nproc)" -n 4 "$tidy" -p "$build" --quiet
echo "lint.sh: ${#files[@]} files, no finding"
