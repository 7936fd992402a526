"""tools/test_summary.py: the counts that CI reads."""

import importlib.util
import pathlib

import pytest
from tree import SOURCE

spec = importlib.util.spec_from_file_location("test_summary", SOURCE / "tools/test_summary.py")
test_summary = importlib.util.module_from_spec(spec)
spec.loader.exec_module(test_summary)

# As ctest 3.25 writes it.
CTEST = """<?xml version="1.0"?><testsuite name="(empty)" tests="8">
<testcase name="plan/A.Ok" status="run"><system-out>[       OK ] A.Ok</system-out></testcase>
<testcase name="plan/A.Bad" status="fail"><failure message=""/><system-out>x</system-out></testcase>
<testcase name="plan/A.Skip" status="notrun"><skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/><system-out>[ RUN      ] A.Skip
/t.cpp:4: Skipped
no data at /x
[  SKIPPED ] A.Skip (0 ms)
</system-out></testcase>
<testcase name="plan/A.Both" status="notrun"><skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/><system-out>[  FAILED  ] A.Both
[  SKIPPED ] A.Both</system-out></testcase>
<testcase name="gone" status="notrun"><skipped message="Unable to find executable"/><system-out/></testcase>
<testcase name="off" status="disabled"><system-out>Disabled</system-out></testcase>
<testcase name="python/reader" status="fail"><failure message=""/><system-out/></testcase>
<testcase name="python/killed" status="fail"><failure message=""/><system-out/></testcase>
</testsuite>"""

PYTEST = """<?xml version="1.0"?><testsuites><testsuite name="pytest" tests="4">
<testcase classname="t" name="test_ok"/>
<testcase classname="t" name="test_bad"><failure message="assert"/></testcase>
<testcase classname="t" name="test_setup"><error message="failed on setup"/></testcase>
<testcase classname="t" name="test_skip"><skipped message="no data"/></testcase>
</testsuite></testsuites>"""

PYTEST_CUT_SHORT = '<testsuites><testsuite><testcase classname="t" name="test_ok"/></testsuite></testsuites>'


@pytest.fixture
def ctest(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "pytest").mkdir()
    (tmp_path / "pytest/python.reader.xml").write_text(PYTEST)
    (tmp_path / "pytest/python.killed.xml").write_text(PYTEST_CUT_SHORT)
    (tmp_path / "ctest.xml").write_text(CTEST)
    return tmp_path / "ctest.xml"


def test_each_single_test_counts_once(ctest: pathlib.Path) -> None:
    states = {outcome.name: outcome.state for outcome in test_summary.of_ctest(ctest)}
    assert states == {
        "plan/A.Ok": "passed",
        "plan/A.Bad": "failed",
        "plan/A.Skip": "skipped",
        "plan/A.Both": "failed",
        "gone": "failed",
        "off": "skipped",
        "python/reader/test_ok": "passed",
        "python/reader/test_bad": "failed",
        "python/reader/test_setup": "failed",
        "python/reader/test_skip": "skipped",
        "python/killed/test_ok": "passed",
        "python/killed": "failed",
    }


def test_the_last_line_has_the_counts_and_the_reasons_stand_above(ctest: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert test_summary.main([str(ctest)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "3 passed, 6 failed, 3 skipped"
    assert "  plan/A.Skip: no data at /x" in lines
    assert "  python/reader/test_skip: no data" in lines


def test_a_run_without_results_fails(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert test_summary.main([str(tmp_path / "ctest.xml")]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "0 passed, 1 failed, 0 skipped"
    (tmp_path / "empty.xml").write_text("<testsuite/>")
    assert test_summary.main([str(tmp_path / "empty.xml")]) == 1


def test_a_good_run_succeeds(tmp_path: pathlib.Path) -> None:
    (tmp_path / "ctest.xml").write_text('<testsuite><testcase name="a" status="run"/></testsuite>')
    assert test_summary.main([str(tmp_path / "ctest.xml")]) == 0
