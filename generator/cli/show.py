"""`trine show`: records, kept or rejected, to read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

import click

from generator.partners import find_records
from generator.recordfile import RECORDS, read_lines
from generator.records import Record, Rejected, to_json
from generator.runs import RunFolder, existing_run


@click.command("show")
@click.argument("source", type=click.Path(path_type=Path, exists=True))
@click.option("--rejected", is_flag=True, help="What was rejected instead of what was kept.")
@click.option("--reason", help="Only this reason of rejection.")
@click.option("--family", help="Only this family.")
@click.option("--language", help="Only this language (or src-tgt pair).")
@click.option(
    "-n", "--count", type=click.IntRange(min=0), default=5, show_default=True, help="How many."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
def command(
    source: Path,
    *,
    rejected: bool,
    reason: str | None,
    family: str | None,
    language: str | None,
    count: int,
    as_json: bool,
) -> None:
    """Print records of SOURCE: a run's folder, or a folder or JSONL file of records.

    \b
      trine show outputs/quickstart --family short-long -n 3
      trine show outputs/quickstart --rejected --reason query_too_short
    """  # noqa: D301 - \b keeps click from folding the lines
    items = list(islice(_items(source, rejected or bool(reason), reason, family, language), count))
    partners = {} if as_json else _partners(items, source)
    for item in items:
        click.echo(to_json(item) if as_json else _readable(item, partners) + "\n")


def _partners(items: Iterable[Record | Rejected], source: Path) -> Mapping[str, Record]:
    """The records that those shown were dropped for."""
    ids = {item.partner for item in items if isinstance(item, Rejected) and item.partner}
    folder = source if source.is_dir() else source.parent
    return find_records(ids, [folder / "records.jsonl", folder / "rejected.jsonl"])


def _items(
    source: Path, rejected: bool, reason: str | None, family: str | None, language: str | None
) -> Iterator[Record | Rejected]:
    run = _folder(source)
    items: Iterator[Record | Rejected]
    if rejected:
        items = read_lines(Rejected, run.rejected if run else source)
    else:
        items = read_lines(Record, run.records if run else source)
    for item in items:
        fits = family in {None, item.family} and language in {None, item.language}
        if fits and (not isinstance(item, Rejected) or reason in {None, item.reason}):
            yield item


def _folder(source: Path) -> RunFolder | None:
    """A run, or a folder of records, which has the same files."""
    if not source.is_dir():
        return None
    return RunFolder(source) if (source / RECORDS).is_file() else existing_run(source)


def _readable(item: Record | Rejected, partners: Mapping[str, Record]) -> str:
    if isinstance(item, Record):
        return "\n".join(_record_lines(item))
    score = f" ({item.score:.3f} to {item.partner})" if item.score is not None else ""
    partner = partners.get(item.partner or "")
    lines = [_title(f"{item.stage}: {item.reason}{score}")]
    lines += [f"  {item.detail}"] if item.detail else []
    if item.record is not None:
        lines += _record_lines(item.record)
    else:
        lines += [_field("draw", item.draw), *([_field("text", item.text)] if item.text else [])]
    if partner is not None:
        lines += [_title("  like"), *(f"  {line}" for line in _record_lines(partner))]
    return "\n".join(lines)


def _record_lines(record: Record) -> list[str]:
    return [
        _title(f"{record.family} · {record.language} · {record.id[:12]}"),
        _field("task", record.task),
        _field("query", record.query),
        *(_field("positive", positive.text) for positive in record.positives),
        *(_field(f"negative ({negative.source})", negative.text) for negative in record.negatives),
    ]


def _title(text: str) -> str:
    return click.style(text, bold=True)


def _field(name: str, text: str) -> str:
    return f"  {click.style(name, fg='cyan')}: " + text.replace("\n", "\n    ")
