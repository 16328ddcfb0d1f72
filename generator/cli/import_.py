"""`trine import`: one's own pairs as records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from generator.cli.options import options
from generator.cli.progress import ProgressLine
from generator.cli.words import counted, print_counts, tell_next
from generator.counts import Counts
from generator.errors import InputError
from generator.records import Record, Rejected

_SHOWN = 3
_FORMATS = ("auto", "pairs", "squad", "nli", "labels", "clicks", "triples", "beir", "msmarco")


@click.command("import")
@click.argument("source")
@click.option("--format", "format_name", type=click.Choice(_FORMATS), default="auto",
              show_default=True, help="How SOURCE is laid out.")  # fmt: skip
@click.option("--query-column", help="Column with the query.")
@click.option("--positive-column", help="Column with what answers it.")
@click.option("--negative-column", help="Column with what does not.")
@click.option("--label-column", help="Column with entailment … contradiction, or 0 and 1.")
@click.option("--clicks-column", help="Column with the number of clicks.")
@click.option("--min-clicks", type=click.IntRange(min=1), default=1, show_default=True,
              help="Clicks that make a positive.")  # fmt: skip
@click.option("--split", default="train", show_default=True, help="Split of a data set.")
@click.option("--task", help="Instruction of the records.")
@click.option("--family", default="imported", show_default=True, help="Family of the records.")
@click.option("--language", default="auto", show_default=True, help="Code, or auto.")
@click.option("--symmetric/--asymmetric", default=None, help="Instruction on both sides, or one.")
@click.option("-n", "--limit", type=click.IntRange(min=1), help="Records to import.")
@options("output", "quiet", "json")
def command(
    source: str,
    *,
    output: Path | None,
    format_name: str,
    quiet: bool,
    as_json: bool,
    **flags: Any,
) -> None:
    """Write the pairs of SOURCE as records, which all other verbs take.

    SOURCE is a file (.jsonl, .json, .csv, .tsv, .parquet) with columns such as query and positive,
    question and context, premise, hypothesis and label, sentence1, sentence2 and a label of 0 or
    1, or query, text and clicks; a folder of BEIR or of MS MARCO; or a data set on the Hugging Face
    Hub (NAME or NAME:CONFIG).

    \b
      trine import train-v2.0.json -o squad
      trine import triples.train.small.tsv --format triples -n 100000 -o msmarco
      trine import sentence-transformers/all-nli:pair-class --format nli -o nli
    """  # noqa: D301 - \b keeps click from folding the lines
    from generator.imports.convert import ImportOptions, import_records  # noqa: PLC0415
    from generator.imports.example import Columns  # noqa: PLC0415
    from generator.pipeline import write_both  # noqa: PLC0415 - `--help` needs none of these

    if output is None:
        raise InputError("no output folder", hint=f"trine import {source} -o FOLDER")
    names = ("query", "positive", "negative", "label", "clicks")
    columns = Columns(**{name: flags.pop(f"{name}_column") for name in names})
    wanted = ImportOptions(format=format_name, columns=columns, **flags)
    with ProgressLine(quiet=quiet) as watch:
        watch.begin("import", None)
        found = import_records(source, wanted, _nothing if quiet else _tell)
        counts = write_both(_some(found, source), output, watch=watch)
    if as_json:
        print_counts(counts, output)
        return
    _print(counts, output)
    if not quiet:
        tell_next("mine", output, "-o", f"{output}-mined")


def _print(counts: Counts, output: Path) -> None:
    for name, number in Counter(counts.rejected).most_common():
        click.echo(f"{number:8,}  {name.rpartition('|')[2]}", err=True)
    kept, rejected = counts.passed.total(), counts.rejected.total()
    click.echo(
        f"{counted(kept, 'record')}, {counted(rejected, 'row')} rejected, in {output}", err=True
    )


def _tell(note: str) -> None:
    click.echo(note, err=True)


def _nothing(_: str) -> None:
    pass


def _some(items: Iterable[Record | Rejected], source: str) -> Iterator[Record | Rejected]:
    """The items. Raises InputError behind the last where none is a record: nothing is replaced."""
    told, kept = Counter[str](), 0
    first: dict[str, Rejected] = {}
    for item in items:
        if isinstance(item, Rejected):
            told[item.reason] += 1
            first.setdefault(item.reason, item)
        else:
            kept += 1
        yield item
    if kept:
        return
    problems = [f"{reason}: {counted(n, 'row')}, first {first[reason].detail}"
                for reason, n in told.most_common(_SHOWN)]  # fmt: skip
    unnamed = told["no_query"] + told["no_positive"]
    raise InputError(
        f"{source}: no record in it", problems=tuple(problems),
        hint="name the columns: --query-column NAME --positive-column NAME" if unnamed
        else "docs/mining.md has the formats; --format names one",
    )  # fmt: skip
