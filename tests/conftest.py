"""What every test written in Python may use: where the tree is, where the program is, where third-party data are."""

import os
import pathlib

import pytest

SOURCE = pathlib.Path(os.environ.get("PANTILE_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[1]))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: minutes rather than seconds; run by `tools/bootstrap.sh test --long`")


@pytest.fixture(scope="session")
def source_dir() -> pathlib.Path:
    """The top of the source tree."""
    return SOURCE


@pytest.fixture(scope="session")
def pantile() -> pathlib.Path:
    """The program under test. ctest names it; by hand it is the one that tools/bootstrap.sh builds."""
    program = pathlib.Path(os.environ.get("PANTILE_BINARY", SOURCE / "build/release/pantile"))
    assert program.exists(), f"{program} is missing: build it first (tools/bootstrap.sh build)"
    return program


@pytest.fixture(scope="session")
def test_data() -> pathlib.Path:
    """Third-party images and models, which are not in the repository."""
    folder = pathlib.Path(os.environ.get("PANTILE_TEST_DATA", SOURCE / "../shared/data"))
    if not folder.is_dir():
        pytest.skip(f"no third-party data at {folder} (name a folder with PANTILE_TEST_DATA)")
    return folder
