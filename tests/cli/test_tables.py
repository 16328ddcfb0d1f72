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


def test_names_and_numbers_are_not_broken_where_text_can_be(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reason that is cut in two can be neither read nor searched for."""
    monkeypatch.setenv("COLUMNS", "60")
    rows = [("filter", "negative_holds_positive", "98.5 %", "The negative holds it. " * 4)] * 2
    print_table(("stage", "reason", "share of all", "meaning"), rows)
    lines = capsys.readouterr().out.splitlines()
    assert sum("negative_holds_positive" in line and "98.5 %" in line for line in lines) == 2
    assert max(map(len, lines)) <= 60
    assert "share of all" not in "".join(lines)


def test_a_table_on_a_very_narrow_terminal_loses_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where not even the names fit, they are broken."""
    monkeypatch.setenv("COLUMNS", "20")
    print_table(("reason", "meaning"), [("negative_holds_positive", "日本語の説明")])
    shown = "".join("".join(capsys.readouterr().out.split()).split("─"))
    assert set("negative_holds_positive日本語の説明") <= set(shown)
