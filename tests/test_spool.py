"""The spool: lines in any order of arrival come out in the order of their numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generator.errors import RunError
from generator.spool import NEVER, Spool
from tests.command import largest_file

LINES = st.lists(
    st.binary(max_size=20).map(lambda data: data.replace(b"\n", b"") or b"x"), max_size=3
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a spool may lie."""
    return tmp_path / "stages" / "generate.spool"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entries=st.lists(LINES), data=st.data())
def test_lines_come_in_order_of_their_numbers(
    path: Path, entries: list[list[bytes]], data: st.DataObject
) -> None:
    """Of each number all its lines, also where there are none; of the first numbers alone."""
    order = data.draw(st.permutations(range(len(entries))))
    count = data.draw(st.integers(0, len(entries)))
    with Spool(path, "key") as spool:
        for number in order:
            assert number not in spool
            spool.add(number, entries[number])
            assert number in spool
        assert list(spool.lines(count)) == [line for lines in entries[:count] for line in lines]


def test_it_fills_no_memory_and_goes_away(path: Path) -> None:
    """8 bytes in memory for a number; removed, it leaves nothing behind."""
    with Spool(path, "key") as spool:
        for number in range(10_000):
            spool.add(number, [b"x" * 100])
        assert spool._places.itemsize * len(spool._places) == 80_000
        spool.remove()
    assert not list(path.parent.iterdir())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_a_killed_process_left_is_taken_over_up_to_the_break(
    path: Path, data: st.DataObject
) -> None:
    """Cut off or spoilt anywhere: the entries before it are there, those behind are made again."""
    path.unlink(missing_ok=True)
    ends = []
    with Spool(path, "key") as spool:
        for number in range(6):
            spool.add(number, [b"line %d" % number] * number, mark=number)
            spool._file.flush()
            ends.append(path.stat().st_size)
    left = bytearray(path.read_bytes())
    place = data.draw(st.integers(len(b"key\n"), len(left) - 1))
    if data.draw(st.booleans()):
        del left[place:]
    else:
        left[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(left)
    whole = sum(end <= place for end in ends)
    with Spool(path, "key", mark=5) as spool:
        assert [number in spool for number in range(6)] == [n < whole for n in range(6)]
        assert len(spool) == whole
        for number in range(whole, 6):
            spool.add(number, [b"line %d" % number] * number, mark=number)
        expected = [b"line %d" % number for number in range(6) for _ in range(number)]
        assert list(spool.lines(6)) == expected
    with Spool(path, "key", mark=5) as spool:
        assert list(spool.lines(6)) == expected


def test_what_is_of_no_use_any_more_is_not_taken_over(path: Path) -> None:
    """Another key's entries, those beyond the mark, and those for one process alone."""
    with Spool(path, "key") as spool:
        for number, mark in enumerate((3, NEVER, 5, 8)):
            spool.add(number, [b"old"], mark)
    with Spool(path, "key", mark=5) as spool:
        assert [number in spool for number in range(4)] == [True, False, True, False]
        spool.add(1, [b"new"], 6)
    with Spool(path, "key", mark=9) as spool:
        assert [number in spool for number in range(4)] == [True, True, True, False]
    with Spool(path, "other", mark=9) as spool:
        assert len(spool) == 0
        spool.add(0, [b"other"], 1)
    with Spool(path, "other") as spool:
        assert len(spool) == 0


def test_a_full_disk_is_told(path: Path) -> None:
    """Wherever it is found out: RunError with what to do."""

    def fill() -> None:
        with Spool(path, "key") as spool:
            for number in range(1000):
                spool.add(number, [b"x" * 1000])

    with largest_file(1000), pytest.raises(RunError) as caught:
        fill()
    assert "-o" in caught.value.hint
