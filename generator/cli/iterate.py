"""`trine iterate`: rounds of mining and training."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from generator.cli.models import progress_line
from generator.cli.options import options
from generator.cli.tables import print_table
from generator.errors import InputError


@click.command("iterate")
@click.argument("data", type=click.Path(path_type=Path, exists=True))
@click.option("--corpus", type=click.Path(path_type=Path, exists=True),
              help="Texts to mine in; else the records' own.")  # fmt: skip
@click.option("--base", help="Model to start from (train.base).")
@options("recipe", "output", "overrides", "quiet", "json")
def command(
    data: Path,
    *,
    corpus: Path | None,
    base: str | None,
    recipe: str | None,
    output: Path | None,
    overrides: tuple[str, ...],
    quiet: bool,
    as_json: bool,
) -> None:
    """Mine and train in turns, each mining with the model of the round before.

    DATA is a folder with records.jsonl, or a JSONL file of records. Give the same command again to
    go on where it stopped. The recipe is `iterative` unless -c says otherwise.

    \b
      trine iterate outputs/pairs --corpus corpus.jsonl --base smollm2-135m-instruct -o outputs/it
    """  # noqa: D301 - \b keeps click from folding the lines
    from generator.iterative import iterate, load_iterative  # noqa: PLC0415

    if output is None:
        raise InputError("no output folder", hint=f"trine iterate {data} … -o FOLDER")
    given = (f"mine.corpus={corpus}",) if corpus else ()
    config = load_iterative(recipe or "iterative", (*given, *overrides), base=base)

    def report(line: str) -> None:
        if not quiet:
            click.echo(line, err=True)

    progress = progress_line(quiet=quiet, doing="mine: ")
    rounds = iterate(data, output, config, report=report, progress=progress)
    if as_json:
        click.echo(json.dumps([asdict(item) for item in rounds]))
        return
    print_table(
        ("round", "negatives", "teacher", "steps", "loss", "nDCG@10", "model"),
        [
            (r.number, f"{r.negatives:,}", r.teacher or "-", r.steps, f"{r.loss:.4f}",
             "-" if r.ndcg is None else f"{r.ndcg:.4f}", r.model)
            for r in rounds
        ],
    )  # fmt: skip
