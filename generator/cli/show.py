"""`trine show`: records, kept or rejected, to read, and why they are what they are."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from generator.errors import InputError
from generator.partners import find_records
from generator.reasons import explained
from generator.recordfile import RECORDS, read_lines
from generator.records import Record, Rejected, Score, draw_values, to_json
from generator.runs import RunFolder, existing_run

if TYPE_CHECKING:
    from generator.explain import Exchange, Explainer, Explanation

_SHOWN_CHARS = 1_000
_LISTED = 12
Item = Record | Rejected


@click.command("show")
@click.argument("source", type=click.Path(path_type=Path, exists=True))
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--rejected", is_flag=True, help="What was rejected instead of what was kept.")
@click.option("--stage", help="Only what this stage rejected.")
@click.option("--reason", help="Only this reason of rejection.")
@click.option("--family", help="Only this family.")
@click.option("--language", help="Only this language (or src-tgt pair).")
@click.option(
    "-n", "--count", type=click.IntRange(min=0), default=5, show_default=True, help="How many."
)
@click.option("--explain", is_flag=True, help="Draw, checks, and every request with its answer.")
@click.option("--full", is_flag=True, help="Long texts whole.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
def command(
    source: Path,
    *,
    ids: tuple[str, ...],
    rejected: bool,
    stage: str | None,
    reason: str | None,
    family: str | None,
    language: str | None,
    count: int,
    explain: bool,
    full: bool,
    as_json: bool,
) -> None:
    """Print records of SOURCE: a run's folder, or a folder or JSONL file of records.

    ID is the beginning of a record's id, or a draw (short-long@1/single/en#7): kept or not, it is
    explained.

    \b
      trine show outputs/quickstart --family short-long -n 3
      trine show outputs/quickstart --rejected --reason query_too_short
      trine show outputs/quickstart 3f2a9c
    """  # noqa: D301 - \b keeps click from folding the lines
    run = _folder(source)
    dropped = rejected or bool(reason) or bool(stage)
    wanted = {"stage": stage, "reason": reason, "family": family, "language": language}
    items = _with_ids(source, run, ids) if ids else _fitting(source, run, wanted, dropped=dropped)
    found = list(islice(items, None if ids else count))
    if ids and not found:
        raise InputError(
            f"{source}: no record or draw {' '.join(ids)}", hint=f"trine show {source}"
        )
    if count and not found:
        click.echo(_nothing(source, run, wanted, dropped=dropped), err=True)
    partners = _partners(found, source)
    explainer = _explainer(source, run) if explain or ids else None
    for item in found:
        partner = partners.get(getattr(item, "partner", None) or "")
        told = explainer.of(item, partner) if explainer else None
        if as_json:
            click.echo(_json(item, told))
        else:
            click.echo(
                "\n".join(_lines(item, partner, told, None if full else _SHOWN_CHARS)) + "\n"
            )


def _fitting(
    source: Path, run: RunFolder | None, wanted: dict[str, str | None], *, dropped: bool
) -> Iterator[Item]:
    items: Iterator[Item]
    if dropped:
        items = read_lines(Rejected, run.rejected if run else source)
    else:
        items = read_lines(Record, run.records if run else source)
        wanted = {name: wanted[name] for name in ("family", "language")}
    for item in items:
        if all(value in {None, getattr(item, name)} for name, value in wanted.items()):
            yield item


def _nothing(
    source: Path, run: RunFolder | None, wanted: dict[str, str | None], *, dropped: bool
) -> str:
    """That nothing fits, and what there is instead."""
    unasked = dict.fromkeys(wanted)
    there = list(_fitting(source, run, unasked, dropped=dropped))
    what = "rejected" if dropped else "kept"
    for name in [name for name, value in wanted.items() if value is not None] if there else ():
        counts = Counter(str(getattr(item, name, "")) for item in there).most_common(_LISTED)
        listed = ", ".join(f"{value or '-'} ({n:,})" for value, n in counts)
        if wanted[name] not in dict(counts):
            return f"nothing {what} fits; {name}: {listed}"
    return f"nothing {what} fits" if there else f"nothing was {what} in {source}"


def _folder(source: Path) -> RunFolder | None:
    """A run, or a folder of records, which has the same files."""
    if not source.is_dir():
        return None
    return RunFolder(source) if (source / RECORDS).is_file() else existing_run(source)


def _with_ids(source: Path, run: RunFolder | None, ids: Sequence[str]) -> Iterator[Item]:
    """The items whose id, or whose draw's, begins so; a file of records has kept ones alone."""
    yield from (r for r in read_lines(Record, run.records if run else source) if _is_one(r, ids))
    for item in read_lines(Rejected, run.rejected) if run else ():
        if item.draw in ids or (item.record is not None and _is_one(item.record, ids)):
            yield item


def _is_one(record: Record, ids: Sequence[str]) -> bool:
    return record.id.startswith(tuple(ids)) or _draw_id(record) in ids


def _draw_id(record: Record) -> str:
    from generator.drawn import draw_of  # noqa: PLC0415 - loads the plan's modules

    draw = draw_of(record)
    return draw.id if draw else ""


def _partners(items: Iterable[Item], source: Path) -> Mapping[str, Record]:
    """The records that those shown were dropped for."""
    ids = {item.partner for item in items if isinstance(item, Rejected) and item.partner}
    folder = source if source.is_dir() else source.parent
    return find_records(ids, [folder / "records.jsonl", folder / "rejected.jsonl"])


def _explainer(source: Path, run: RunFolder | None) -> Explainer | None:
    """Of a run; a folder of records has no draws."""
    if run is None or not run.manifest.is_file():
        return None

    from generator.cli.options import config_of_run  # noqa: PLC0415
    from generator.explain import Explainer  # noqa: PLC0415
    from generator.plan import make_plan  # noqa: PLC0415

    return Explainer(make_plan(config_of_run(source, ())), run)


def _json(item: Item, told: Explanation | None) -> str:
    if told is None:
        return to_json(item)
    name = "record" if isinstance(item, Record) else "rejected"
    whole: dict[str, Any] = {name: json.loads(to_json(item)), "explanation": told.to_dict()}
    return json.dumps(whole, ensure_ascii=False)


def _lines(
    item: Item, partner: Record | None, told: Explanation | None, most: int | None
) -> Iterator[str]:
    record = item if isinstance(item, Record) else item.record
    if isinstance(item, Rejected):
        yield from _why(item)
    if record is not None:
        yield from _record_lines(record, most)
    elif isinstance(item, Rejected):
        known = filter(None, (item.family, item.language, item.draw))
        yield from [_field("draw", " · ".join(known))] if item.draw else []
        yield from [_field("answer", item.text, most)] if item.text else []
    if partner is not None and isinstance(item, Rejected):
        yield _title(f"  like this one, similarity {item.score:.3f}")
        yield from (f"  {line}" for line in _record_lines(partner, most))
    if told is not None:
        yield from _told(told, most)


def _why(item: Rejected) -> Iterator[str]:
    yield _title(f"{item.stage}: {item.reason}", colour="red")
    yield f"  {explained(item.stage, item.reason)}"
    if item.detail:
        score = f" ({item.score:.2f})" if item.score is not None else ""
        yield _field("because", item.detail + score)


def _record_lines(record: Record, most: int | None) -> Iterator[str]:
    model = record.provenance.model
    yield _title(" · ".join(filter(None, (record.family, record.language, record.id[:12], model))))
    yield _field("task", record.task, most)
    yield _field("query", record.query, most)
    if record.label is not None:
        yield _field("label", record.label)
    for positive in record.positives:
        yield _field(f"positive{_scores(positive.scores)}", positive.text, most)
    for negative in record.negatives:
        name = f"negative ({negative.source}){_scores(negative.scores)}"
        yield _field(name, negative.text, most)
    values = draw_values(record)
    if values:
        yield _field("drawn", _values(values.items()))


def _told(told: Explanation, most: int | None) -> Iterator[str]:
    yield _title("  how it came about")
    if told.draw:
        yield f"  {_field('draw', told.draw)}"
    if told.values:
        yield f"  {_field('values', _values(told.values.items()))}"
    if told.passed:
        yield f"  {_field('passed', ', '.join(told.passed))}"
    if told.failed:
        yield f"  {_field('then', told.failed)}"
    for match in told.matches:
        yield f"  {_field('stands in an evaluation set', match, most)}"
    for exchange in told.exchanges:
        yield from _exchange_lines(exchange, most)


def _exchange_lines(exchange: Exchange, most: int | None) -> Iterator[str]:
    again = f", attempt {exchange.attempt + 1}" if exchange.attempt else ""
    yield _title(f"  step {exchange.step}{again} · {exchange.model} · {exchange.tokens:,} tokens")
    for message in exchange.messages:
        yield f"  {_field(message.role, message.content, most)}"
    missing = "(none: the journal holds no answer)"
    yield f"  {_field('answer', missing if exchange.answer is None else exchange.answer, most)}"


def _scores(scores: Sequence[Score]) -> str:
    told = ", ".join(f"{score.teacher} {score.value:.3f}" for score in scores)
    return f" [{told}]" if told else ""


def _values(values: Iterable[tuple[str, str]]) -> str:
    return " · ".join(f"{name}: {value}" for name, value in values if value)


def _title(text: str, colour: str | None = None) -> str:
    return click.style(text, bold=True, fg=colour)


def _field(name: str, text: str, most: int | None = None) -> str:
    if most is not None and len(text) > most:
        text = f"{text[:most]}… ({len(text):,} characters: --full)"
    return f"  {click.style(name, fg='cyan')}: " + _harmless(text).replace("\n", "\n      ")


def _harmless(text: str) -> str:
    """The text without what would steer a terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in text)
