"""A control group's memory is what Pantile takes for the machine's, and what its neighbours use is not free."""

from __future__ import annotations

import json
import re

from memory_group import MemoryGroup
from runs import pantile

LIMIT = 700 << 20


def free_mib(group: MemoryGroup) -> int:
    """As `pantile doctor` tells it from inside the group."""
    findings = json.loads(pantile("doctor", "--format", "json", launcher=group.launcher).stdout)
    (found,) = [finding["found"] for finding in findings if finding["check"] == "memory"]
    assert found.startswith("700 MiB by cgroup"), found
    return int(re.search(r"(\d+) MiB free now", found)[1])


def test_what_neighbours_in_a_group_have_is_not_free() -> None:
    with MemoryGroup(LIMIT) as group:
        assert 600 <= free_mib(group) <= 700
        neighbour = group.take(400 << 20)
        assert 220 <= free_mib(group) <= 300
        group.give_back(neighbour)
        assert 600 <= free_mib(group) <= 700


def test_a_neighbour_takes_memory_of_the_group_and_gives_it_back() -> None:
    with MemoryGroup(LIMIT) as group:
        neighbour = group.take(400 << 20)
        assert 400 << 20 <= group.used_bytes() <= 450 << 20
        group.give_back(neighbour)
        assert group.used_bytes() <= 50 << 20
