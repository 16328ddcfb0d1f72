"""The spool: lines in any order of arrival come out in the order of their numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generator.errors import RunError
from generator.spool import Spool
from tests.command import largest_file

LINES = st.lists(
    st.binary(max_size=20).map(lambda data: data.replace(b"\n", b"") or b"x"), max_size=3
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entries=st.lists(LINES), data=st.data())
def test_lines_come_in_order_of_their_numbers(
    tmp_path: Path, entries: list[list[bytes]], data: st.DataObject
) -> None:
    """Of each number all its lines, also where there are none; of the first numbers alone."""
    order = data.draw(st.permutations(range(len(entries))))
    count = data.draw(st.integers(0, len(entries)))
    with Spool(tmp_path) as spool:
        for number in order:
            assert number not in spool
            spool.add(number, entries[number])
            assert number in spool
        assert list(spool.lines(count)) == [line for lines in entries[:count] for line in lines]


def test_it_leaves_nothing_behind_and_fills_no_memory(tmp_path: Path) -> None:
    """No name in the folder, 8 bytes in memory for a number."""
    with Spool(tmp_path) as spool:
        for number in range(10_000):
            spool.add(number, [b"x" * 100])
        assert not list(tmp_path.iterdir())
        assert spool._places.itemsize * len(spool._places) == 80_000
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """Wherever it is found out: RunError with what to do."""

    def fill() -> None:
        with Spool(tmp_path) as spool:
            for number in range(1000):
                spool.add(number, [b"x" * 1000])

    with largest_file(1000), pytest.raises(RunError) as caught:
        fill()
    assert "-o" in caught.value.hint
