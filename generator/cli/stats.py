"""`trine stats`: the numbers of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
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
    "tokens_per_record": "tokens/record", "cost_usd": "USD",
    "cost_usd_per_1000_records": "USD/1,000 records",
}  # fmt: skip
_ATTEMPTS = {"attempts": "attempts", "again": "asked again", "failed": "failed"}
_BY = {"family": "families", "language": "languages", "model": "models"}
_SHOWN = 10  # languages, before --by language is pointed at

Json = Mapping[str, Any]


@click.command("stats")
@click.argument("run", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--by",
    type=click.Choice([*_BY, "reason"]),
    help="What every step left of each family, language or model, or each reason.",
)
@click.option(
    "--encoder",
    metavar="NAME",
    help="Compare the queries with this encoder: a folder, a name, openai:MODEL.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(run: Path, *, by: str | None, encoder: str | None, as_json: bool) -> None:
    """Print where the draws of RUN went, why, what it cost, and how varied the records are.

    \b
      trine stats outputs/quickstart --by family
      trine stats outputs/quickstart --encoder sentence-transformers/all-MiniLM-L6-v2
    """  # noqa: D301 - \b keeps click from folding the lines
    from generator.describe import is_outdated  # noqa: PLC0415 - loads the plan's modules

    folder = existing_run(run)
    path = folder.stats
    if not path.is_file():
        raise RunError(f"{run}: no statistics yet", hint=f"trine export {run}")
    if is_outdated(folder):
        click.echo(f"note: records changed since; trine export {run} counts them anew", err=True)
    text = path.read_text(encoding="utf-8")
    stats: dict[str, Any] = json.loads(text)
    if encoder is not None:
        _compare(run, encoder, stats)
        text = json.dumps(stats, ensure_ascii=False)
    if as_json:
        click.echo(text)
    elif by == "reason":
        _print_reasons(stats, by_group=True)
    elif by is not None:
        _print_breakdown(by, stats["by"][_BY[by]])
    else:
        _print_all(stats)


def _compare(run: Path, encoder: str, stats: dict[str, Any]) -> None:
    from generator.cli.options import config_of_run  # noqa: PLC0415 - loads the configuration
    from generator.describe import compared_queries  # noqa: PLC0415 - may load torch

    config = config_of_run(run, ()).diversity.model_copy(update={"encoder": encoder})
    stats["diversity"]["queries"] = compared_queries(existing_run(run), config)


def _print_all(stats: Json) -> None:
    rows = [(row["step"], row["count"], f"{100 * row['share']:.1f} %") for row in stats["yield"]]
    print_table(("step", "count", "of the draws"), rows, title="Where the draws went")
    if stats["unaccounted"]:
        click.echo(f"{stats['unaccounted']:,} draws are not accounted for", err=True)
    _print_reasons(stats, by_group=False)
    for name, plural in _BY.items():
        if name != "model":
            _print_kept(name, stats["by"][plural])
    _print_models(stats.get("models", {}))
    _print_usage("judge", stats.get("judges", {}), ("requests",))
    _print_axes(stats["diversity"])
    _print_contamination(stats.get("contamination"))
    print_table(("measure", "value"), _measures(stats))


def _print_reasons(stats: Json, *, by_group: bool) -> None:
    if not stats["reasons"]:
        return
    if by_group:
        names = _BY.values()
        head = ("stage", "reason", "rejected", *names)
        rows = [
            (r["stage"], r["reason"], r["count"], *(_listed(r[name]) for name in names))
            for r in stats["reasons"]
        ]
    else:
        head = ("stage", "reason", "rejected", "meaning")
        rows = [(r["stage"], r["reason"], r["count"], r["meaning"]) for r in stats["reasons"]]
    print_table(head, rows, title="Why the others were rejected")


def _listed(counts: Mapping[str, int]) -> str:
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    more = f", and {len(most) - _SHOWN} more" if len(most) > _SHOWN else ""
    return ", ".join(f"{name or '-'} {n:,}" for name, n in most[:_SHOWN]) + more


def _print_kept(name: str, rows: Mapping[str, Json]) -> None:
    most = sorted(rows.items(), key=lambda item: (-item[1]["drawn"], item[0]))
    costs = ("tokens_per_record", "cost_usd_per_1000_records")
    shown = [cost for cost in costs if any(cost in row for row in rows.values())]
    head = (name, "drawn", "kept", "yield", *(_USAGE[cost] for cost in shown))
    table = [
        (key, row["drawn"], row["kept"], _percent(row["kept"], row["drawn"]),
         *(_cost(row.get(cost, ""), cost) for cost in shown))
        for key, row in most[:_SHOWN]
    ]  # fmt: skip
    print_table(head, table)
    if len(most) > _SHOWN:
        click.echo(f"and {len(most) - _SHOWN:,} more: --by {name}\n")


def _print_breakdown(name: str, rows: Mapping[str, Json]) -> None:
    """All that is known of each: the steps, then attempts, then tokens and money."""
    first: Json = next(iter(rows.values()), {})
    usage = {**_ATTEMPTS, **_USAGE}
    steps = [key for key in first if key not in usage and key not in {"answers", "cached_tokens"}]
    print_table((name, *steps), [(key, *(row[s] for s in steps)) for key, row in rows.items()])
    shown = {n: head for n, head in usage.items() if any(n in row for row in rows.values())}
    if shown:
        table = [(key, *(_cost(row.get(n, 0), n) for n in shown)) for key, row in rows.items()]
        print_table((name, *shown.values()), table)


def _print_models(models: Mapping[str, Json]) -> None:
    if not models:
        return
    rows = [(model, *(row.get(name, 0) for name in _YIELDS)) for model, row in models.items()]
    print_table(("model", *_YIELDS), rows)
    _print_usage("model", models)


def _print_usage(name: str, models: Mapping[str, Json], before: tuple[str, ...] = ()) -> None:
    """Tokens and money of each model, behind what else is to be told of it."""
    columns = dict.fromkeys(before) | _USAGE
    shown = {n: head or n for n, head in columns.items() if any(n in m for m in models.values())}
    if shown:
        costs = [
            (model, *(_cost(row.get(n, ""), n) for n in shown)) for model, row in models.items()
        ]
        print_table((name, *shown.values()), costs)


def _print_axes(diversity: Json) -> None:
    rows = [
        (
            name, axis["values"], axis["seen"], _percent(axis["seen"], axis["values"]),
            "-" if axis["evenness"] is None else f"{axis['evenness']:.3f}", _above(axis["most"]),
        )
        for name, axis in diversity["axes"].items()
    ]  # fmt: skip
    if rows:
        head = ("axis", "values", "seen", "coverage", "evenness", "most above their weight")
        print_table(head, rows, title="What the records were drawn from")


def _above(most: list[Json]) -> str:
    return ", ".join(f"{m['value']} ({m['records']:,}, ×{m['times']:g})" for m in most[:3])


def _print_contamination(found: Json | None) -> None:
    if found is None:
        return
    rows = [(name, row["texts"], row["records"]) for name, row in found["sets"].items()]
    title = f"Contamination: {found['matched']:,} records match, {found['dropped']:,} dropped"
    print_table(("evaluation set", "texts", "records that match"), rows, title=title)


def _measures(stats: Json) -> list[tuple[str, Any]]:
    diversity, unique = stats["diversity"], stats["unique"]
    rows: list[tuple[str, Any]] = [
        ("unique queries", unique["queries"]),
        ("unique instructions", unique["instructions"]),
        ("unique instructions per 1,000 records", diversity["instructions_per_1000"]),
        ("different combinations of axis values", diversity["combinations"]["different"]),
        *((f"distinct-{n} of queries", diversity["all"][f"distinct_{n}"]) for n in (1, 2, 3)),
    ]
    likeness = diversity["queries"]
    for kind in ("ngrams", "encoder"):
        if kind in likeness:
            of = f"of {likeness['sampled']:,} queries, {likeness[kind].get('name', 'n-grams')}"
            rows.append((f"Vendi score {of}", likeness[kind]["vendi"]))
            rows.append((f"mean cosine {of}", likeness[kind]["mean_cosine"]))
    names = {**_USAGE, "completion_tokens": "tokens out"}
    return rows + [(names.get(n, n), _cost(value, n)) for n, value in stats["usage"].items()]


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _cost(value: Any, name: str) -> Any:
    if not isinstance(value, int | float):
        return value
    return f"{value:,.4f}" if "usd" in name else round(value)
