"""What no compiler sees: dead files, stray files, sizes that only go down, traces of one machine."""

import pathlib
import re
import shutil
import subprocess

import pytest
from tree import MODULES, SOURCE, code_files, expect_none, includes_of, lines_of, tracked_files

# A new entry at the top is a decision: it is made here.
TOP_LEVEL = {
    ".ci",
    ".clang-format",
    ".clang-tidy",
    ".editorconfig",
    ".gitattributes",
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CMakeLists.txt",
    "CMakePresets.json",
    "LICENSE",
    "README.md",
    "cmake",
    "configs",
    "docs",
    "slurm",
    "src",
    "tests",
    "tools",
}

# A file longer than this is more than one idea. The figure is a ratchet: it is lowered when the longest files shrink.
MOST_LINES = 400

# Folders in which this project was once made, and servers that one machine downloads from.
MACHINE_TRACES = re.compile(
    r"(?:^|[^\w./$}])/(?:work|root|home|tmp/w)/"
    r"|(?:deb|security|snapshot)\.debian\.org|\bpypi\.org|pythonhosted\.org|registry\.npmjs|proxy\.golang|crates\.io"
)


@pytest.fixture(scope="module")
def names() -> list[str]:
    return tracked_files(SOURCE)


def text_of(name: str) -> str:
    """The file as text; nothing for pictures, models and other binary files."""
    data = (SOURCE / name).read_bytes()
    return "" if b"\0" in data else data.decode("utf-8", errors="replace")


def traces(text: str) -> list[str]:
    return [f"{number}: {line.strip()}" for number, line in enumerate(text.splitlines(), 1) if MACHINE_TRACES.search(line)]


def unlisted(sources: list[str], lists: dict[str, str]) -> list[str]:
    """Files to compile that no CMakeLists.txt above them names. `lists`: folder → text of its CMakeLists.txt."""
    lost = []
    for name in sources:
        path = pathlib.PurePosixPath(name)
        listed = any(
            re.search(rf"(?<![\w./-]){re.escape(str(path.relative_to(folder)))}(?![\w.-])", text)
            for folder, text in lists.items()
            if path.is_relative_to(folder)
        )
        if not listed:
            lost.append(name)
    return lost


def test_the_top_level_holds_only_what_is_agreed(names: list[str]) -> None:
    expect_none(sorted({name.split("/")[0] for name in names} - TOP_LEVEL), "At the top level, and not agreed on")


def test_no_source_file_is_too_long(names: list[str]) -> None:
    lengths = {name: len(lines_of(SOURCE, name)) for name in code_files(names)}
    too_long = [f"{name}: {length} lines" for name, length in lengths.items() if length > MOST_LINES]
    expect_none(too_long, f"Longer than {MOST_LINES} lines")


def test_no_file_names_one_machine(names: list[str]) -> None:
    # This file names what it looks for.
    others = [name for name in names if name != "tests/tidy/test_tree.py"]
    expect_none([f"{name}:{line}" for name in others for line in traces(text_of(name))], "Traces of one machine")


@pytest.mark.parametrize("text", ['open("/home/me/x")', "see /root/.cache/pip", "deb http://deb.debian.org/debian", "-I /work/main"])
def test_traces_of_a_machine_are_found(text: str) -> None:
    assert traces(text) == [f"1: {text}"]


@pytest.mark.parametrize("text", ["tests/root/x", "${dir}/work/x", "framework/home/", "/workspace"])
def test_other_paths_are_not(text: str) -> None:
    assert traces(text) == []


def test_each_source_file_is_built(names: list[str]) -> None:
    lists = {str(pathlib.PurePosixPath(name).parent): text_of(name) for name in names if name.endswith("CMakeLists.txt")}
    sources = [name for name in names if name.startswith(("src/", "tests/")) and name.endswith((".cpp", ".cu"))]
    assert sources
    expect_none(unlisted(sources, lists), "In no CMakeLists.txt")


def test_a_dead_file_is_found() -> None:
    lists = {".": "add_executable(pantile src/main.cpp)", "src/plan": "pantile_module(plan SOURCES work.cpp detail/cost.cpp)"}
    sources = ["src/main.cpp", "src/plan/work.cpp", "src/plan/detail/cost.cpp", "src/plan/framework.cpp", "src/plan/cost.cpp"]
    assert unlisted(sources, lists) == ["src/plan/framework.cpp", "src/plan/cost.cpp"]


def test_each_header_is_included_somewhere(names: list[str]) -> None:
    included = {path for name in code_files(names) + code_files(names, "tests/") for _, path in includes_of(lines_of(SOURCE, name))}
    headers = [name.removeprefix("src/") for name in code_files(names) if name.endswith((".hpp", ".cuh"))]
    expect_none([header for header in headers if header not in included], "Headers that nothing includes")


def test_each_header_says_what_it_is_for(names: list[str]) -> None:
    """A docstring (`///`) or an opening comment, before or at the first thing that it declares."""
    mute = [name for name in code_files(names) if name.endswith(".hpp") and not re.search(r"^\s*//", text_of(name), re.MULTILINE)]
    expect_none(mute, "Headers without a word")


def test_each_header_is_guarded_by_pragma_once(names: list[str]) -> None:
    open_headers = [name for name in code_files(names) if name.endswith(".hpp") and "#pragma once" not in text_of(name)]
    expect_none(open_headers, "Headers without #pragma once")


def test_each_module_is_built(names: list[str]) -> None:
    present = {name.split("/")[1] for name in code_files(names) if name.count("/") > 1}
    missing = [module for module in MODULES if module in present and f"src/{module}/CMakeLists.txt" not in names]
    expect_none(missing, "Modules without a CMakeLists.txt")


def program(name: str) -> str:
    """A tool of .venv, where its version is the tree's own, else the machine's."""
    ours = SOURCE / ".venv/bin" / name
    found = str(ours) if ours.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (tools/requirements.txt has it)")
    return found


def test_shell_scripts_hold_no_mistake_that_shellcheck_knows(names: list[str]) -> None:
    scripts = [name for name in names if re.match(r"#!(/usr/bin/env |/bin/)(ba)?sh\n", text_of(name))]
    assert scripts
    checked = subprocess.run([program("shellcheck"), *scripts], cwd=SOURCE, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_the_layout_is_clang_formats(names: list[str]) -> None:
    files = code_files(names) + code_files(names, "tests/")
    command = [program("clang-format"), "--dry-run", "-Werror", *files]
    checked = subprocess.run(command, cwd=SOURCE, capture_output=True, text=True, check=False)
    expect_none(sorted(set(re.findall(r"^(.+?):\d+:\d+: error", checked.stderr, re.MULTILINE))), "Mend with tools/format.sh")
    assert checked.returncode == 0, checked.stderr
