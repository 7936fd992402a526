#!/usr/bin/env bash
# fetch_onnxruntime.sh [PREFIX]: ONNX Runtime for C++ in PREFIX/{include,lib} (default: .ort beside the sources).
#
# Debian 12 has no ONNX Runtime, and the wheel on PyPI has the library but no headers. So the library is taken from the wheel, and
# the headers from Debian 13's libonnxruntime-dev, unpacked and not installed. The program opens the library with dlopen and asks it
# for the headers' version of the API (21), which each later library still answers: the two need not be of one version.
# Touches nothing outside PREFIX, needs no root, and does nothing when PREFIX is complete.
#
# Environment: PYTHON, an interpreter with pip (default: .venv/bin/python, else python3); its own onnxruntime is used if it has one.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
prefix=$(realpath -m "${1:-$here/.ort}")
python=${PYTHON:-$here/.venv/bin/python}
[ -x "$python" ] || python=python3
wanted='onnxruntime>=1.21,<2'

fail() {
  printf 'fetch_onnxruntime.sh: %s\n' "$@" >&2
  exit 1
}

# The folder of an onnxruntime that this Python already has, if it is new enough; else nothing.
installed_capi() {
  "$python" - 2>/dev/null <<'PY' || true
import importlib.metadata, importlib.util, pathlib
version = tuple(int(part) for part in importlib.metadata.version("onnxruntime").split(".")[:2])
if (1, 21) <= version < (2, 0):
    print(pathlib.Path(importlib.util.find_spec("onnxruntime").origin).parent / "capi")
PY
}

# The library's file of the newest version in folder $1.
newest_library() {
  find "$1" -name 'libonnxruntime.so.*.*' -printf '%f\n' | sort -V | tail -1
}

capi=$(installed_capi)
# .complete names the library: when the Python's onnxruntime was updated, ours follows.
if [ -e "$prefix/.complete" ] && [ -e "$prefix/lib/libonnxruntime.so.1" ] && [ -e "$prefix/include/onnxruntime_cxx_api.h" ]; then
  [ -n "$capi" ] && [ "$(newest_library "$capi")" != "$(cat "$prefix/.complete")" ] || exit 0
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
chmod 755 "$scratch"  # apt reads its lists as a user of its own

fetch_library() {
  if [ -z "$capi" ]; then
    "$python" -m pip download --quiet --no-deps --only-binary :all: --dest "$scratch" "$wanted" ||
      fail "PyPI gave no wheel for \"$wanted\" (pip's words are above). Is there a network, and does $python have pip?"
    "$python" -m zipfile -e "$scratch"/onnxruntime-*.whl "$scratch/wheel"
    capi=$scratch/wheel/onnxruntime/capi
  fi
  local library
  library=$(newest_library "$capi")
  [ -n "$library" ] || fail "$capi holds no libonnxruntime.so.*: this wheel is not built as expected."
  mkdir -p "$prefix/lib"
  rm -f "$prefix"/lib/libonnxruntime*
  # The providers must lie beside the library, as real files: it looks for them next to itself.
  cp "$capi"/libonnxruntime*.so* "$prefix/lib/"
  ln -sfn "$library" "$prefix/lib/libonnxruntime.so.1"
  ln -sfn libonnxruntime.so.1 "$prefix/lib/libonnxruntime.so"
  echo "$library" >"$scratch/complete"
}

# The Debian mirrors that this machine is set up with, best first: its own way out is the one that works here.
mirrors() {
  # shellcheck disable=SC2016  # $(LABEL) is apt's, not the shell's
  apt-get indextargets --format '$(LABEL)|$(COMPONENT)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    awk -F'|' '$2 == "main" && $3 !~ /security|backports/ && !seen[$3]++ {
      if ($1 == "Debian") print $3; else if ($3 ~ /debian\/?$/) later[++n] = $3
    } END { for (i = 1; i <= n; i++) print later[i] }'
}

# Unpacks Debian 13's libonnxruntime-dev from one mirror, with apt's state in the scratch folder.
fetch_headers_from() {
  local mirror=$1 state=$scratch/apt
  rm -rf "$state"
  mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$state/sources.list"
  local apt=(apt-get -qq -o Dir::Etc::sourcelist="$state/sources.list" -o Dir::Etc::sourceparts=-
    -o Dir::State::lists="$state/lists" -o Dir::Cache="$state/cache" -o Acquire::Languages=none
    -o APT::Sandbox::User="$(id -un)" -o Acquire::Retries=3)
  "${apt[@]}" update && (cd "$state" && "${apt[@]}" download libonnxruntime-dev) &&
    dpkg -x "$state"/libonnxruntime-dev_*.deb "$state/unpacked" &&
    rm -rf "$prefix/include" && cp -r "$state/unpacked/usr/include/onnxruntime" "$prefix/include"
}

fetch_headers() {
  command -v apt-get >/dev/null || fail "there is no apt-get here, so the headers cannot be had from Debian." \
    "Unpack an ONNX Runtime SDK (include/ and lib/) anywhere and name it: ONNXRUNTIME_ROOT=FOLDER."
  local mirror found=
  while read -r mirror; do
    if fetch_headers_from "$mirror" 2>"$scratch/apt.log"; then
      found=yes
      break
    fi
  done < <(mirrors)
  if [ -z "$found" ]; then
    [ ! -s "$scratch/apt.log" ] || cat "$scratch/apt.log" >&2
    fail "no Debian mirror of this machine's apt sources gave libonnxruntime-dev of Debian 13 (trixie)." \
      "Is there a network? Else unpack an ONNX Runtime SDK anywhere and name it: ONNXRUNTIME_ROOT=FOLDER."
  fi
}

have_headers=
[ ! -e "$prefix/.complete" ] || [ ! -e "$prefix/include/onnxruntime_cxx_api.h" ] || have_headers=yes
rm -f "$prefix/.complete"  # what is broken off from here on is made anew
fetch_library
[ -n "$have_headers" ] || fetch_headers
mv "$scratch/complete" "$prefix/.complete"
