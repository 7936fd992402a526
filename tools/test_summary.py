#!/usr/bin/env python3
"""Counts the tests of one or more ctest runs from their JUnit files, and closes with the plain line `N passed, N failed, N skipped`.

    test_summary.py build/release/ctest.xml [build/asan/ctest.xml …]

Each test of a GoogleTest program is a ctest of its own. A file of Python tests is one ctest, whose single tests are read from the
JUnit file that pytest left beside ctest's, in pytest/. Skipped tests are listed with their reasons, failed ones by name.
Exits with 1 when a test failed, when no test ran, or when a file cannot be read. Needs only Python's standard library.
"""

import dataclasses
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree


@dataclasses.dataclass
class Outcome:
    """What one test came to. `state` is passed, failed or skipped; `reason` is why it was skipped or did not run."""

    name: str
    state: str
    reason: str = ""


def of_pytest(file: pathlib.Path, prefix: str) -> list[Outcome]:
    """The single tests of one pytest run."""
    outcomes = []
    for case in ElementTree.parse(file).iter("testcase"):
        name = f"{prefix}/{case.get('name')}"
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            outcomes.append(Outcome(name, "failed"))
        elif skipped is not None:
            outcomes.append(Outcome(name, "skipped", skipped.get("message", "")))
        else:
            outcomes.append(Outcome(name, "passed"))
    return outcomes


def skip_reason(output: str, message: str) -> str:
    """GoogleTest prints the reason on the lines between `file:line: Skipped` and the closing mark."""
    found = re.search(r": Skipped\n(.*?)\n?\[  SKIPPED \]", output, re.DOTALL)
    return " ".join(found.group(1).split()) if found and found.group(1).strip() else message


def of_ctest_case(case: ElementTree.Element, pytest_folder: pathlib.Path) -> list[Outcome]:
    """One ctest, or the Python tests that it stands for."""
    name = case.get("name", "?")
    status = case.get("status")
    output = case.findtext("system-out") or ""
    skipped = case.find("skipped")
    message = skipped.get("message", "") if skipped is not None else ""
    junit = pytest_folder / (name.replace("/", ".") + ".xml")
    if junit.exists():
        outcomes = of_pytest(junit, name)
        # Killed, or broken outside any test: the file counts as a failure of its own.
        if status == "fail" and not any(outcome.state == "failed" for outcome in outcomes):
            outcomes.append(Outcome(name, "failed"))
        if outcomes:
            return outcomes
    if status == "disabled":
        return [Outcome(name, "skipped", "disabled")]
    if status == "notrun":
        # ctest says "not run" of a test that skipped itself, and of one whose program is missing: that is a failure.
        if message.startswith("SKIP_") and "[  FAILED  ]" not in output:
            return [Outcome(name, "skipped", skip_reason(output, message))]
        return [Outcome(name, "failed", message)]
    return [Outcome(name, "passed" if status == "run" else "failed")]


def of_ctest(file: pathlib.Path) -> list[Outcome]:
    """All tests of one ctest run."""
    cases = ElementTree.parse(file).iter("testcase")
    return [outcome for case in cases for outcome in of_ctest_case(case, file.parent / "pytest")]


def closing_line(outcomes: list[Outcome]) -> str:
    """The line that CI reads."""
    count = {state: sum(outcome.state == state for outcome in outcomes) for state in ("passed", "failed", "skipped")}
    return f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped"


def main(files: list[str]) -> int:
    if not files:
        print(__doc__, file=sys.stderr)
        return 2
    outcomes = []
    for file in files:
        try:
            outcomes += of_ctest(pathlib.Path(file))
        except (OSError, ElementTree.ParseError) as error:
            print(f"{file} cannot be read ({error}): did ctest break off?")
            outcomes.append(Outcome(file, "failed", "no result"))
    for state, title in (("skipped", "Skipped:"), ("failed", "Failed:")):
        some = [outcome for outcome in outcomes if outcome.state == state]
        if some:
            print(title)
        for outcome in some:
            print(f"  {outcome.name}" + (f": {outcome.reason}" if outcome.reason else ""))
    print(closing_line(outcomes))
    states = {outcome.state for outcome in outcomes}
    return 1 if "failed" in states or "passed" not in states else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
