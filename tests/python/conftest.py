"""Marks of the tests in Python, and a cache folder of their own: what the user's knows must not change a test, nor a test it."""

import os
import tempfile

_cache = tempfile.TemporaryDirectory(prefix="pantile-test-cache-")


def pytest_configure(config) -> None:  # noqa: ANN001
    config.addinivalue_line("markers", "long: takes minutes; runs with `tools/bootstrap.sh test --long` only")
    os.environ["XDG_CACHE_HOME"] = _cache.name


def pytest_unconfigure() -> None:
    _cache.cleanup()
