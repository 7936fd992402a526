#!/usr/bin/env bash
# Installs what is missing on a Debian 12 machine (apt and PyPI only), builds Pantile, and shows that it works.
# Run it again as often as you like: what is there is left alone, and then it takes seconds.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: tools/bootstrap.sh COMMAND [options]

  build           install what is missing and build build/release/pantile
  demo            build, upscale the sample pages with 3 ranks, verify the results
  test            build, and run every test; the last line is "N passed, N failed, N skipped"

  --long          test: the long tests too, and a minute of each fuzz target
  --asan, --tsan  test: the tests under sanitizers instead (both may be given)
  --no-packages   leave the system's packages alone (a machine without apt, or without the right to install)
  --print-packages  print the Debian packages that are needed, and stop

environment: ONNXRUNTIME_ROOT   an ONNX Runtime of your own: a folder with include/ and lib/
             PANTILE_TEST_DATA  third-party images and models for the tests (default: ../shared/data)
             PYTHON             the python3 that .venv is made with (default: /usr/bin/python3)
             JOBS               compilers and tests at a time (default: by cores and memory)
TEXT
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
logs=build/bootstrap
venv=.venv

# --- saying what goes on -----------------------------------------------------------------------------------------------------

steps=0   # how many this command has
number=0  # the one that runs

stop() {  # stop MESSAGE…: the end, in one or more lines
  printf '%s\n' "$@" >&2
  exit 1
}

note() {  # a word about the step that runs, on its own line of the terminal rather than in its log
  printf '%s, ' "$1" >&3
}

# step NAME COMMAND…: runs one step with its output in a log, and says how long it took.
step() {
  local name=$1 began=$SECONDS status=0
  shift
  number=$((number + 1))
  local log=$logs/$number-${name// /-}.log
  mkdir -p "$logs"
  printf '[%d/%d] %s … ' "$number" "$steps" "$name"
  # A subshell outside any condition: `set -e` holds in it, so a step stops at its first error.
  set +e
  (set -e; "$@") 3>&1 >"$log" 2>&1 </dev/null
  status=$?
  set -e
  if [ "$status" -ne 0 ]; then
    printf 'failed after %d s\n' $((SECONDS - began))
    tail -n 25 "$log" | sed 's/^/    /'
    stop "" "Step $number of $steps ($name) failed. All of its output: $root/$log" "$(hint "$log")"
  fi
  printf '%d s\n' $((SECONDS - began))
}

# A guess at what to do, from the words in a failed step's log.
hint() {
  if grep -q -i -E 'could not resolve|temporary failure|failed to fetch|could not connect|network is unreachable|connection (refused|timed out)|no matching distribution|NewConnectionError|ProxyError' "$1"; then
    echo "It looks as if a package server could not be reached: check the network, a proxy (http_proxy, https_proxy), apt's sources and pip's index, and run this again."
  elif grep -q -i -E 'no space left' "$1"; then
    echo "The disk is full: about 3 GB are needed for the packages and the build."
  elif grep -q -i -E 'unable to locate package|has no installation candidate' "$1"; then
    echo "A package is unknown to this machine's apt: Pantile is made for Debian 12. Elsewhere install the counterparts of tools/packages.txt by hand and add --no-packages."
  elif grep -q -i -E 'could not get lock' "$1"; then
    echo "Another apt is at work (unattended upgrades, perhaps). Wait for it and run this again."
  elif grep -q -i -E 'killed|cannot allocate memory' "$1"; then
    echo "It looks as if memory ran out: JOBS=1 $0 … needs the least."
  else
    echo "Run it again once this is mended: what was done stays done."
  fi
}

# --- packages ----------------------------------------------------------------------------------------------------------------

packages() {
  sed -E 's/#.*//; /^[[:space:]]*$/d' tools/packages.txt
}

# Only for `test --long`; the tests that need them are skipped without.
fuzzing_packages() {
  sed -E 's/#.*//; /^[[:space:]]*$/d' tools/packages-fuzz.txt
}

missing_packages() {
  local present
  # shellcheck disable=SC2046  # one word each
  present=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $(packages) 2>/dev/null | sed -n 's/^installed //p' || true)
  packages | grep -v -x -F -f <(printf '%s\n' "$present" none) || true
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

# The index of packages has a lock that apt does not wait for; the database of packages has one that it does.
update_index() {
  local tries=0 said
  until said=$(as_root apt-get update 2>&1); do
    printf '%s\n' "$said"
    tries=$((tries + 1))
    if [ "$tries" -ge 60 ] || ! grep -q -i 'could not get lock' <<<"$said"; then
      return 1
    fi
    sleep 5
  done
  printf '%s\n' "$said"
}

install_packages() {
  local names
  mapfile -t names < <(missing_packages)
  if [ "${#names[@]}" -eq 0 ]; then
    note "nothing missing"
    return
  fi
  note "${#names[@]} to install"
  update_index || echo "apt-get update failed: trying with the package lists that are here"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -y --no-install-recommends -o DPkg::Lock::Timeout=600 install "${names[@]}"
}

# A clang that has libFuzzer and its sanitizers.
can_fuzz() {
  mkdir -p "$logs"
  printf 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }\n' |
    clang++ -fsanitize=fuzzer,address,undefined -x c++ - -o "$logs/can_fuzz" 2>/dev/null
}

install_fuzzing_packages() {
  local names
  mapfile -t names < <(fuzzing_packages)
  if can_fuzz; then
    note "nothing missing"
  elif [ -z "$with_packages" ] || { [ "$(id -u)" -ne 0 ] && ! sudo -n true; }; then
    note "left out"
  else
    update_index || true
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -y --no-install-recommends -o DPkg::Lock::Timeout=600 install "${names[@]}" ||
      note "apt-get failed"
  fi
}

# Before the first step, so that a question for a password, or the answer "ask an administrator", comes at once and in plain sight.
check_rights() {
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    stop "This machine has no apt, and Pantile's packages are Debian's. Install their counterparts (tools/packages.txt lists them) by hand," \
      "and run: $0 $command --no-packages"
  fi
  # shellcheck disable=SC1091
  grep -q '^VERSION_CODENAME=bookworm' /etc/os-release ||
    echo "note: this is $(. /etc/os-release && echo "$PRETTY_NAME"), and Pantile is built and tested on Debian 12; trying all the same"
  local names
  names=$(missing_packages | tr '\n' ' ')
  [ -n "$names" ] && [ "$(id -u)" -ne 0 ] || return 0
  if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }; }; then
    return 0
  fi
  stop "Packages are missing, and this user may not install them (neither root nor sudo). An administrator can:" "" \
    "    apt-get update && apt-get install -y --no-install-recommends $names" "" "Then run this again."
}

# --- Python, engine, build ---------------------------------------------------------------------------------------------------

# The stamp holds what was installed: changed requirements are installed, a broken environment is made anew.
python_environment() {
  if cmp -s tools/requirements.txt "$venv/.installed" && "$venv/bin/python" -c 'import numpy, onnxruntime' 2>/dev/null; then
    note "nothing missing"
    return
  fi
  local python=${PYTHON:-/usr/bin/python3}
  [ -x "$python" ] || python=python3
  rm -f "$venv/.installed"
  "$venv/bin/python" -m pip --version 2>/dev/null || "$python" -m venv --clear "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r tools/requirements.txt
  cp tools/requirements.txt "$venv/.installed"
}

engine() {
  if [ -n "${ONNXRUNTIME_ROOT:-}" ]; then
    note "yours at $ONNXRUNTIME_ROOT"
    return
  fi
  PYTHON=$root/$venv/bin/python tools/fetch_onnxruntime.sh .ort
}

# One compiler or test takes up to 1.5 GiB.
job_count() {
  local cores memory_kib
  cores=$(nproc)
  memory_kib=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
  local limit=/sys/fs/cgroup/memory.max
  if [ -r "$limit" ] && [ "$(cat $limit)" != max ]; then
    local limit_kib=$(($(cat $limit) / 1024))
    [ "$limit_kib" -ge "$memory_kib" ] || memory_kib=$limit_kib
  fi
  local fit=$((memory_kib / (1536 * 1024)))
  [ "$fit" -ge 1 ] || fit=1
  echo $((fit < cores ? fit : cores))
}

configure() {  # configure PRESET
  cmake --preset "$1" -DPANTILE_PYTHON="$root/$venv/bin/python" ${ONNXRUNTIME_ROOT:+-DONNXRUNTIME_ROOT="$ONNXRUNTIME_ROOT"}
}

compile() {  # compile PRESET TARGET…
  local preset=$1
  shift
  # $log is step's. A first build takes minutes, and whoever wants to watch it can.
  if [ -e "build/$preset/.ninja_log" ]; then note "$jobs at a time"; else note "$jobs at a time, output in $log"; fi
  cmake --build --preset "$preset" -j "$jobs" --target "$@"
}

# --- demo --------------------------------------------------------------------------------------------------------------------

demo_job=configs/upscale.yaml
demo_results=out/demo  # as the job says

# Exit code 3 is no failure: everything is done but what cannot be read, which is listed with its reason.
demo_run() {
  local status=0
  build/release/pantile run "$demo_job" --ranks 3 || status=$?
  case $status in
    0) ;;
    3) note "with pages in $demo_results/quarantine.csv" ;;
    *) return "$status" ;;
  esac
}

demo_verify() {
  build/release/pantile verify "$demo_results" --format json >"$logs/verify.json"
}

demo_conclusion() {
  "$venv/bin/python" - "$logs/verify.json" <<'PY'
import json, sys
verified = json.load(open(sys.argv[1]))
print(f"\nverified: {verified['done']} of {verified['items']} images done, {verified['quarantined']} in quarantine, digest {verified['digest']}")
PY
  cat <<TEXT
results:  $root/$demo_results
look at them:  build/release/pantile inspect $demo_results
as pictures:   build/release/pantile export $demo_results out/demo-pages
your own:      copy $demo_job, change the folder and the model, and: build/release/pantile run COPY --ranks N
TEXT
}

# --- tests -------------------------------------------------------------------------------------------------------------------

# run_tests PRESET [TEST_PRESET]: ctest, on the terminal. Its verdict is read from the JUnit file that it leaves.
run_tests() {
  local build=build/$1 preset=${2:-$1} began=$SECONDS
  local junit=$build/ctest-$preset.xml wrapper=()
  number=$((number + 1))
  printf '[%d/%d] tests (%s, %d at a time) …\n' "$number" "$steps" "$preset" "$jobs"
  rm -f "$junit"
  # gcc 12's ThreadSanitizer cannot place its memory where newer kernels randomise addresses by more bits.
  [ "$preset" != tsan ] || wrapper=(setarch "$(uname -m)" -R)
  "${wrapper[@]}" ctest --preset "$preset" -j "$jobs" --output-junit "$root/$junit" </dev/null || true
  printf '[%d/%d] tests (%s): %d s\n' "$number" "$steps" "$preset" $((SECONDS - began))
  results+=("$junit")
}

# A minute of libFuzzer for each target, where a clang has it.
fuzz_tests() {
  step 'packages for fuzzing' install_fuzzing_packages
  if can_fuzz; then
    step 'configure fuzz' configure fuzz
    step 'build fuzz' compile fuzz fuzz_targets
    run_tests fuzz
    return
  fi
  number=$((number + 3))
  local reason
  reason="SKIP_NO_FUZZER: no clang++ with libFuzzer here (Debian: apt-get install $(fuzzing_packages | tr '\n' ' '))"
  printf '[%d/%d] tests (fuzz): skipped\n' "$number" "$steps"
  printf '<testsuite><testcase name="fuzz/long" status="notrun"><skipped message="%s"/></testcase></testsuite>\n' "$reason" >build/ctest-fuzz.xml
  results+=(build/ctest-fuzz.xml)
}

test_command() {
  export PANTILE_TEST_DATA=${PANTILE_TEST_DATA:-$root/../shared/data}
  export PANTILE_PYTHON=$root/$venv/bin/python
  results=()
  local preset
  for preset in "${suites[@]}"; do
    rm -rf "build/$preset/pytest"
    step "configure $preset" configure "$preset"
    step "build $preset" compile "$preset" all
    run_tests "$preset"
  done
  if [ -n "$long" ]; then
    run_tests release long
    fuzz_tests
  fi
  "$venv/bin/python" tools/test_summary.py "${results[@]}"
}

# --- the command -------------------------------------------------------------------------------------------------------------

command='' long='' with_packages=yes suites=()
while [ $# -gt 0 ]; do
  case $1 in
    build | demo | test) [ -z "$command" ] || { usage >&2; exit 2; }; command=$1 ;;
    --long) long=yes ;;
    --asan | --tsan) suites+=("${1#--}") ;;
    --no-packages) with_packages='' ;;
    --print-packages) packages; exit 0 ;;
    -h | --help) usage; exit 0 ;;
    *) printf 'unknown argument: %s\n\n' "$1" >&2; usage >&2; exit 2 ;;
  esac
  shift
done
[ -n "$command" ] || { usage >&2; exit 2; }
if [ "$command" != test ] && [ -n "$long${suites[*]-}" ]; then
  printf -- '--long, --asan and --tsan belong to the command test\n' >&2
  exit 2
fi
if [ "${#suites[@]}" -eq 0 ] || [ -n "$long" ]; then
  suites=(release "${suites[@]}")
fi

began=$SECONDS
jobs=${JOBS:-$(job_count)}
case $command in
  build) steps=4 ;;
  demo) steps=6 ;;
  test) steps=$((2 + 3 * ${#suites[@]})) ;;
esac
[ -z "$long" ] || steps=$((steps + 5))
if [ -n "$with_packages" ]; then
  steps=$((steps + 1))
  check_rights
  step packages install_packages
fi
step 'python environment' python_environment
step 'onnx runtime' engine
if [ "$command" = test ]; then
  test_command
  exit
fi
step configure configure release
step build compile release pantile
if [ "$command" = demo ]; then
  step 'run on 3 ranks' demo_run
  step verify demo_verify
  demo_conclusion
fi
printf 'all done in %d s: %s\n' $((SECONDS - began)) "$root/build/release/pantile"
