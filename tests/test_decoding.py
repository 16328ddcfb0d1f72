"""What a decoder looks at while it writes."""

from __future__ import annotations

import pytest

from generator.llm.loops import PERIOD, SPAN, loops


@pytest.mark.parametrize("period", [1, 2, 7, PERIOD])
def test_a_reply_that_loops_is_seen(period: int) -> None:
    piece = list(range(period))
    looping = [*range(1000, 1100), *piece * (SPAN // period + 1)]
    assert loops(looping)
    assert not loops([*looping, 5000])  # it has left its loop
    assert not loops(looping[: 100 + SPAN - period])  # not yet


def test_what_is_no_loop_of_a_reply_passes() -> None:
    assert not loops([])
    assert not loops([1] * (SPAN - 1))
    assert not loops(list(range(PERIOD + 1)) * 8)  # a longer piece: a list with much in common
    counted = [number for n in range(SPAN) for number in (n, 1, 2, 3)]
    assert not loops(counted)  # "1. …, 2. …": each a little different
