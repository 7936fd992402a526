"""Includes point to an earlier module of the list, never to a later one, and never into another module's detail/."""

import pathlib

import pytest
from tree import MODULES, SOURCE, code_files, expect_none, includes_of, lines_of, tracked_files


def wrong_includes(top: pathlib.Path, names: list[str]) -> list[str]:
    """One line for each include of src/ that points the wrong way."""
    wrong = []
    for name in code_files(names):
        parts = name.split("/")
        module = parts[1] if len(parts) > 2 else None  # src/main.cpp is above all modules
        for number, path in includes_of(lines_of(top, name)):
            target = path.split("/")[0]
            where = f"{name}:{number}: includes {path}"
            if "/" not in path or target not in MODULES:
                wrong.append(f"{where}: write it as module/file.hpp")
            elif not (top / "src" / path).is_file():
                wrong.append(f"{where}: there is no such file")
            elif module is not None and MODULES.index(target) > MODULES.index(module):
                wrong.append(f"{where}: {target} comes after {module}")
            elif target != module and "/detail/" in path:
                wrong.append(f"{where}: detail/ is for {target} alone")
    return wrong


def test_includes_point_to_earlier_modules() -> None:
    expect_none(wrong_includes(SOURCE, tracked_files(SOURCE)), "Includes that point the wrong way")


def test_each_folder_of_src_is_in_the_list() -> None:
    folders = {name.split("/")[1] for name in code_files(tracked_files(SOURCE)) if name.count("/") > 1}
    expect_none(sorted(folders - set(MODULES)), "Folders of src/ that tests/tidy/tree.py and src/CMakeLists.txt do not know")


@pytest.mark.parametrize(
    ("file", "include", "complaint"),
    [
        ("src/plan/a.cpp", "store/x.hpp", "store comes after plan"),
        ("src/base/a.hpp", "app/x.hpp", "app comes after base"),
        ("src/run/a.cpp", "plan/detail/x.hpp", "detail/ is for plan alone"),
        ("src/run/a.cpp", "x.hpp", "write it as module/file.hpp"),
        ("src/run/a.cpp", "plan/gone.hpp", "there is no such file"),
    ],
)
def test_a_wrong_include_is_found(tmp_path: pathlib.Path, file: str, include: str, complaint: str) -> None:
    for header in ("src/store/x.hpp", "src/app/x.hpp", "src/plan/detail/x.hpp", "src/plan/y.hpp"):
        (tmp_path / header).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / header).write_text("")
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(f'#include <vector>\n#include "{include}"\n')
    assert [complaint in line for line in wrong_includes(tmp_path, [file])] == [True]


def test_a_right_include_is_not(tmp_path: pathlib.Path) -> None:
    (tmp_path / "src/plan/detail").mkdir(parents=True)
    (tmp_path / "src/plan/detail/x.hpp").write_text("")
    (tmp_path / "src/plan/a.cpp").write_text('#include "plan/detail/x.hpp"\n')
    (tmp_path / "src/main.cpp").write_text("// the table of contents\n")
    assert wrong_includes(tmp_path, ["src/plan/a.cpp", "src/main.cpp"]) == []
