"""What the tidy tests know of the tree: its files, its modules and their order."""

import os
import pathlib
import re
import subprocess

# The direction of the data. A module includes itself and the ones before it.
MODULES = (
    "base config image codec source device model pipeline plan store cluster report run app".split()
)

SOURCE = pathlib.Path(os.environ.get("PANTILE_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))

CODE = (".hpp", ".cpp", ".cu", ".cuh")


# What a build leaves in the tree; git ignores it.
LEFT_BY_A_BUILD = {".git", ".ort", ".venv", "build", "out"}


def tracked_files(top: pathlib.Path) -> list[str]:
    """What belongs to the tree at `top`, relative to it: what git tracks, and what is new and not ignored."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", str(top), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=False,
        capture_output=True,
        text=True,
    )
    if listed.returncode == 0:
        return sorted(name for name in listed.stdout.split("\0") if name and (top / name).is_file())
    # An unpacked archive has no git.
    files = (path.relative_to(top) for path in top.rglob("*") if path.is_file())
    return sorted(str(path) for path in files if path.parts[0] not in LEFT_BY_A_BUILD and path.suffix != ".pyc")


def expect_none(found: list[str], what: str) -> None:
    """Fails with every one of `found`, each on a line of its own."""
    assert not found, f"{what}:\n  " + "\n  ".join(found)


def code_files(names: list[str], folder: str = "src/") -> list[str]:
    return [name for name in names if name.startswith(folder) and name.endswith(CODE)]


def lines_of(top: pathlib.Path, name: str) -> list[str]:
    return (top / name).read_text(encoding="utf-8").splitlines()


def includes_of(lines: list[str]) -> list[tuple[int, str]]:
    """(line number, path) of each #include in quotation marks."""
    found = []
    for number, line in enumerate(lines, start=1):
        match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if match:
            found.append((number, match.group(1)))
    return found
