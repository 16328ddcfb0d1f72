"""Tables: what is a number is set right, and what is missing is a dash."""

from __future__ import annotations

import pytest

from generator.cli.tables import print_table


def test_numbers_shares_and_money_are_set_right(capsys: pytest.CaptureFixture[str]) -> None:
    """Also where one of them is missing; Japanese takes two places a character."""
    rows = [("日本語", 1234, "5.0 %", "$0.10", None), ("en", 5, "100.0 %", "-", 0.25)]
    print_table(("name", "count", "share", "price", "value"), rows)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert " 日本語   1,234     5.0 %   $0.10       -" in lines
    assert " en           5   100.0 %       -    0.25" in lines
