"""`trine contamination`: what of a data set stands in evaluation sets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from generator.cli.errors import DONE, GATE_FAILED
from generator.cli.options import NewPath, config_of_run, options
from generator.cli.progress import ProgressLine
from generator.cli.tables import one_line, print_table
from generator.contaminationconfig import ContaminationConfig
from generator.decontaminate import contamination_of
from generator.errors import InputError
from generator.recordfile import records_in
from generator.runs import RunFolder

_CHECKS = ("exact", "one_word", "ngram", "near")


@click.command("contamination")
@click.argument("source", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--against",
    "sets",
    multiple=True,
    metavar="SET",
    help="Evaluation set: a folder, a file, mteb:NAME. May be given several times.",
)
@click.option("--no-passages", is_flag=True, help="Compare with queries and sentences alone.")
@click.option(
    "-o",
    "--output",
    type=NewPath(file_okay=False),
    help="Write the records without those that match, and those, here.",
)
@click.option("--strict", is_flag=True, help="Exit 1 where anything matches.")
@click.option("-n", "--count", default=5, show_default=True, help="How many examples to print.")
@options("quiet", "json")
def command(
    source: Path,
    *,
    sets: tuple[str, ...],
    no_passages: bool,
    output: Path | None,
    strict: bool,
    count: int,
    quiet: bool,
    as_json: bool,
) -> int:
    """Find records of SOURCE that stand in evaluation sets: equal, overlapping or nearly equal.

    SOURCE is a run's folder, or a folder or JSONL file of records; it is not changed. To drop such
    records within a run, give it `--set contamination.sets=[...] --set contamination.remove=true`.

    \b
      trine contamination outputs/quickstart --against data/scifact --against mteb:STSBenchmark
      trine contamination mine.jsonl --against tests.txt -o clean
    """  # noqa: D301 - \b keeps click from folding the lines
    config = _config(source, sets)
    if no_passages:
        config = config.model_copy(update={"passages": False})
    records = records_in(source)
    with ProgressLine(quiet=quiet) as progress:
        found = contamination_of(records, config, output, progress)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
    else:
        _print(found, count)
    return GATE_FAILED if strict and found["matched"] else DONE


def _config(source: Path, sets: tuple[str, ...]) -> ContaminationConfig:
    is_run = RunFolder(source).manifest.is_file()
    configured = config_of_run(source, ()).contamination if is_run else None
    if not sets and configured is None:
        raise InputError("no evaluation set", hint=f"trine contamination {source} --against FOLDER")
    if not sets and configured is not None:
        return configured
    return (configured or ContaminationConfig(sets=sets)).model_copy(update={"sets": sets})


def _print(found: dict[str, Any], count: int) -> None:
    rows = [(name, row["texts"], row["records"], *_of(row)) for name, row in found["sets"].items()]
    head = ("evaluation set", "texts", "records", *(name.replace("_", " ") for name in _CHECKS))
    title = f"{found['matched']:,} of {found['records']:,} records match"
    print_table(head, rows, title=title)
    for name, row in found["sets"].items():
        for example in row["examples"][:count]:
            click.echo(
                f"{name} · {example['check'].replace('_', ' ')} ({example['score']:.2f}) · "
                f"{example['side']} of record {example['record'][:12]}"
            )
            click.echo(f"  ours: {one_line(example['text'])}")
            click.echo(f"  test: {one_line(example['eval_text'])}  [{example['eval_id']}]")


def _of(row: dict[str, Any]) -> list[int]:
    return [row["checks"].get(name, 0) for name in _CHECKS]
