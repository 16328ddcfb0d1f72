"""`trine stats`: the numbers of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from generator.cli.tables import print_table
from generator.errors import RunError
from generator.runs import existing_run

# Of the tables of models: what came of the draws; tokens in, out, of thinking and for every
# record kept, and what they cost.
_YIELDS = ("draws", "parsed", "kept", "requests")
_USAGE = {
    "prompt_tokens": "tokens in", "completion_tokens": "out", "reasoning_tokens": "thinking",
    "tokens_per_record": "per record", "cost_usd": "USD",
    "cost_usd_per_1000_records": "USD/1,000 records",
}  # fmt: skip


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
    _print_models(stats.get("models", {}))
    unique, diversity = stats["unique"], stats["diversity"]
    rows = [("unique queries", unique["queries"]), ("unique instructions", unique["instructions"])]
    rows += [("distinct-2 of queries", diversity["all"]["distinct_2"])]
    rows += list(stats["usage"].items())
    print_table(("measure", "value"), rows)


def _print_models(models: dict[str, dict[str, Any]]) -> None:
    if not models:
        return
    rows = [(model, *(row.get(name, 0) for name in _YIELDS)) for model, row in models.items()]
    print_table(("model", *_YIELDS), rows)
    shown = {n: head for n, head in _USAGE.items() if any(n in row for row in models.values())}
    if shown:
        costs = [
            (model, *(_cost(row.get(n, ""), n) for n in shown)) for model, row in models.items()
        ]
        print_table(("model", *shown.values()), costs)


def _cost(value: Any, name: str) -> Any:
    return f"{value:,.4f}" if "usd" in name and value != "" else value
