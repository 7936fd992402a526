"""Marks of the tests in Python."""


def pytest_configure(config) -> None:  # noqa: ANN001
    config.addinivalue_line("markers", "long: takes minutes; runs with `tools/bootstrap.sh test --long` only")
