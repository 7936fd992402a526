"""One cluster for all tests of a run, and several tests at once on it: what they wait for is mostly Slurm."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))

from cluster import Cluster, why_not  # noqa: E402  # it needs that path

# As many nodes as the tests that run at once may have.
NODES = 9


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: takes minutes; runs with `tools/bootstrap.sh test --long` only")
    config.addinivalue_line("markers", "nodes(n): runs beside the others, on n nodes of its own, which it is given")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    if reason := why_not():
        pytest.skip(f"no mini-cluster here: {reason}")
    up = Cluster(nodes=NODES)
    try:
        yield up
    finally:
        up.down()


class Crew:
    """Starts the tests that are marked with `nodes` together, as far as there are nodes for them."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._free = list(cluster.nodes)
        self._changed = threading.Condition()
        self._threads = ThreadPoolExecutor(max_workers=NODES)
        self._results: dict[str, Future] = {}

    def start(self, name: str, test: Callable, count: int, values: dict) -> None:
        self._results[name] = self._threads.submit(self._run, test, count, values)

    def result(self, name: str) -> None:
        """Waits for the test, and fails as it did."""
        self._results[name].result()

    def end(self) -> None:
        """Those that still run fail as soon as the cluster goes."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _run(self, test: Callable, count: int, values: dict) -> None:
        with self._changed:
            self._changed.wait_for(lambda: len(self._free) >= count)
            nodes, self._free = self._free[:count], self._free[count:]
        try:
            test(cluster=self._cluster, nodes=nodes, **values)
        finally:
            with self._changed:
                self._free += nodes
                self._changed.notify_all()


@pytest.fixture(scope="session")
def crew(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Crew]:
    crew = Crew(cluster)
    for item in request.session.items:
        if mark := item.get_closest_marker("nodes"):
            values = item.callspec.params if hasattr(item, "callspec") else {}
            crew.start(item.nodeid, item.function, mark.args[0], values)
    yield crew
    crew.end()


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """A marked test runs on a thread of its own, and is waited for here."""
    if pyfuncitem.get_closest_marker("nodes") is None:
        return None
    pyfuncitem.funcargs["crew"].result(pyfuncitem.nodeid)
    return True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("nodes") is not None:
            item.fixturenames.append("crew")


@pytest.fixture
def nodes() -> list[str]:
    """The nodes of a marked test, which its thread is given."""
    return []
