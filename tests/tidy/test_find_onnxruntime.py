"""FindOnnxRuntime.cmake finds ONNX Runtime where its packagers put it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tree import SOURCE

HEADERS = {"onnxruntime_cxx_api.h": "", "onnxruntime_c_api.h": "#define ORT_API_VERSION 21\n"}

# Folder of the headers and path of the library below the prefix, of packages as they are:
LAYOUTS = {
    "release archive, and tools/fetch_onnxruntime.sh": ("include", "lib/libonnxruntime.so"),
    "Debian 13, libonnxruntime-dev": ("include/onnxruntime", "lib/x86_64-linux-gnu/libonnxruntime.so"),
    "Debian 13, with the runtime's name only": ("include/onnxruntime", "lib/x86_64-linux-gnu/libonnxruntime.so.1"),
    "conda-forge, onnxruntime-cpp": ("include/onnxruntime", "lib/libonnxruntime.so"),
    "conda-forge, older": ("include/onnxruntime/core/session", "lib/libonnxruntime.so"),
    "Fedora": ("include/onnxruntime", "lib64/libonnxruntime.so"),
    "source tree": ("include/onnxruntime/core/session", "build/Linux/Release/libonnxruntime.so"),
}

PROJECT = """cmake_minimum_required(VERSION 3.25)
project(layout NONE)
set(CMAKE_LIBRARY_ARCHITECTURE x86_64-linux-gnu)
set(CMAKE_FIND_LIBRARY_PREFIXES lib)
set(CMAKE_FIND_LIBRARY_SUFFIXES .so)
list(APPEND CMAKE_MODULE_PATH "{modules}")
find_package(OnnxRuntime REQUIRED)
message("headers=${{OnnxRuntime_INCLUDE_DIR}} library=${{OnnxRuntime_LIBRARY}} api=${{OnnxRuntime_API_VERSION}}")
"""


def packaged(prefix: Path, layout: str) -> tuple[Path, Path]:
    headers, library = (prefix / part for part in LAYOUTS[layout])
    headers.mkdir(parents=True)
    for name, text in HEADERS.items():
        (headers / name).write_text(text)
    library.parent.mkdir(parents=True, exist_ok=True)
    library.write_text("")
    return headers, library


def configured(folder: Path, *arguments: str, **variables: str) -> str:
    project = folder / "project"
    project.mkdir()
    (project / "CMakeLists.txt").write_text(PROJECT.format(modules=SOURCE / "cmake"))
    clean = {name: value for name, value in os.environ.items() if name not in ("ONNXRUNTIME_ROOT", "CONDA_PREFIX")}
    command = ["cmake", "-S", project, "-B", folder / "build", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env={**clean, **variables})
    return done.stdout + done.stderr


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("hint", ["option", "environment", "conda"])
def test_layouts_are_found(tmp_path: Path, layout: str, hint: str) -> None:
    prefix = tmp_path / "prefix"
    headers, library = packaged(prefix, layout)
    arguments = [f"-DONNXRUNTIME_ROOT={prefix}"] if hint == "option" else []
    variables = {"environment": {"ONNXRUNTIME_ROOT": str(prefix)}, "conda": {"CONDA_PREFIX": str(prefix)}}.get(hint, {})
    said = configured(tmp_path, *arguments, **variables)
    assert f"headers={headers} " in said
    assert "api=21" in said
    if layout != "source tree":  # its library lies where its builder says: it is opened by PANTILE_ORT_LIB
        assert f"library={library} " in said


def test_a_system_package_needs_no_hint(tmp_path: Path) -> None:
    headers, library = packaged(tmp_path / "usr", "Debian 13, libonnxruntime-dev")
    said = configured(tmp_path, f"-DCMAKE_PREFIX_PATH={tmp_path / 'usr'}")
    assert f"headers={headers} library={library} " in said


def test_without_headers_it_says_what_to_set(tmp_path: Path) -> None:
    said = configured(tmp_path, f"-DCMAKE_FIND_ROOT_PATH={tmp_path}", "-DCMAKE_FIND_ROOT_PATH_MODE_INCLUDE=ONLY")
    assert "Set ONNXRUNTIME_ROOT" in said
