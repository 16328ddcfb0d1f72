"""`trine stats`: the numbers of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from generator.cli.tables import print_table
from generator.errors import RunError
from generator.runs import existing_run


@click.command("stats")
@click.argument("run", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(run: Path, *, as_json: bool) -> None:
    """Print the yield, the families, the languages and the reasons of rejection of RUN."""
    path = existing_run(run).stats
    if not path.is_file():
        raise RunError(f"{run}: no statistics yet", hint=f"trine export {run}")
    text = path.read_text(encoding="utf-8")
    if as_json:
        click.echo(text)
        return
    stats: dict[str, Any] = json.loads(text)
    print_table(
        ("step", "count", "of the draws"),
        [(row["step"], row["count"], row["share"]) for row in stats["yield"]],
        title="Yield",
    )
    print_table(("family", "records"), list(stats["families"].items()))
    print_table(("language", "records"), list(stats["languages"].items()))
    reasons = [
        (stage, reason, sum(families.values()))
        for stage, by_reason in stats["rejections"].items()
        for reason, families in by_reason.items()
    ]
    if reasons:
        print_table(("stage", "reason", "rejected"), sorted(reasons, key=lambda row: -row[2]))
    unique, diversity = stats["unique"], stats["diversity"]
    rows = [("unique queries", unique["queries"]), ("unique instructions", unique["instructions"])]
    rows += [("distinct-2 of queries", diversity["all"]["distinct_2"])]
    rows += list(stats["usage"].items())
    print_table(("measure", "value"), rows)
