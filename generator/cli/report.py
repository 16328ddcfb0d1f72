"""The table that closes a run: what each stage passed on, and where every other draw went."""

from __future__ import annotations

from collections import Counter

import click

from generator.cli.tables import print_table
from generator.cli.words import counted
from generator.summary import Summary


def print_summary(summary: Summary) -> None:
    """Print the yield table and the reasons of rejection to stderr."""
    print_table(
        ("family", "drawn", "answered", "parsed", "valid", "kept", "yield"),
        [*_rows(summary), _total(summary)],
        title="Yield",
        err=True,
    )
    reasons: Counter[tuple[str, str]] = Counter()
    for name, number in summary.rejected.items():
        _, stage, reason = name.split("|")
        reasons[stage, reason] += number
    if reasons:
        rows = [(stage, reason, number) for (stage, reason), number in reasons.most_common()]
        print_table(("stage", "reason", "rejected"), rows, title="Where the others went", err=True)
    click.echo(f"{counted(summary.kept, 'record')} in {summary.folder}", err=True)


def _rows(summary: Summary) -> list[tuple[str, int, int, int, int, int, str]]:
    generated, filtered, last = summary.generated, summary.filtered, summary.last
    lost: Counter[str] = Counter()
    for name, number in generated.rejected.items():
        family, stage, _ = name.split("|")
        lost[family] += number if stage == "generate" else 0
    kept = last.passed.copy()
    if summary.refined is not None:
        for name, number in summary.refined.rejected.items():
            kept[name.partition("|")[0]] -= number
    return [
        (
            family,
            drawn,
            drawn - lost[family],
            generated.passed[family],
            filtered.passed[family],
            kept[family],
            _percent(kept[family], drawn),
        )
        for family, drawn in sorted(generated.seen.items())
    ]


def _total(summary: Summary) -> tuple[str, int, int, int, int, int, str]:
    columns = list(zip(*_rows(summary), strict=True))[1:6]
    drawn, answered, parsed, filtered, kept = (sum(map(int, column)) for column in columns)
    return ("total", drawn, answered, parsed, filtered, kept, _percent(kept, drawn))


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "-"
