"""`trine eval`: a model's scores on retrieval, STS and bitext tasks."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from generator.cli.errors import GATE_FAILED
from generator.cli.models import ModelFlags, model_options, progress_line
from generator.cli.options import options
from generator.cli.tables import print_table
from generator.errors import InputError

if TYPE_CHECKING:
    from generator.encoders import Encoder
    from generator.evaluation.evaluate import Bm25, Result
    from generator.evaluation.tasks import EvalTask


@click.command("eval")
@click.argument("model")
@click.argument("tasks", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--k", type=click.IntRange(min=1), default=10, show_default=True, help="Cut-off.")
@click.option("--limit-queries", type=click.IntRange(min=1), help="Only the first N queries.")
@click.option("--queries", type=click.Path(path_type=Path, exists=True), help="Ids, one a line.")
@model_options
@click.option("--language", help='Language of BM25\'s stop words and stemmer, or "none".')
@click.option("--run", type=click.Path(path_type=Path), help="Write the ranking as a TREC run.")
@click.option("--fail-under", type=float, help="Exit 1 where a task's main metric is lower.")
@options("quiet", "json")
@click.pass_context
def command(
    ctx: click.Context,
    model: str,
    tasks: tuple[Path, ...],
    *,
    k: int,
    limit_queries: int | None,
    queries: Path | None,
    flags: ModelFlags,
    language: str | None,
    run: Path | None,
    fail_under: float | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Score MODEL on each TASK: a folder with a retrieval, STS or bitext task.

    MODEL is a folder, a name on the Hub, openai:NAME, or bm25. docs/evaluation.md has the layouts.

    \b
      trine eval bm25 data/retrieval-en
      trine eval outputs/run/model data/retrieval-en data/sts-en --json
    """  # noqa: D301 - \b keeps click from folding the lines
    from generator.evaluation.evaluate import evaluate  # noqa: PLC0415 - `--help` needs no numpy

    loaded = _tasks(tasks, limit_queries, queries, run)
    encoder: Encoder | Bm25 = "bm25" if model == "bm25" else flags.load(model)
    progress = progress_line(quiet=quiet)
    results = [
        evaluate(
            task, encoder, k=k, instruction=flags.instruction, language=language, progress=progress
        )
        for task in loaded
    ]
    _write(results[0], run, quiet=quiet)
    _print(results, as_json=as_json)
    low = [r for r in results if fail_under is not None and not r.main >= fail_under]
    for result in low:
        click.echo(f"{result.task}: {result.main:.4f} is under {fail_under:g}", err=True)
    if low:
        ctx.exit(GATE_FAILED)


def _tasks(
    folders: tuple[Path, ...], first: int | None, queries: Path | None, run: Path | None
) -> list[EvalTask]:
    """Every task, read and checked before a model is loaded."""
    from generator.evaluation.tasks import RetrievalTask, limited, load_task  # noqa: PLC0415
    from generator.textfile import text_lines  # noqa: PLC0415

    only = [line.strip() for _, line in text_lines(queries)] if queries else None
    tasks = [limited(load_task(folder), first=first, only=only) for folder in folders]
    if run is not None and not (len(tasks) == 1 and isinstance(tasks[0], RetrievalTask)):
        raise InputError("--run takes one retrieval task", hint="call trine eval once a task")
    return tasks


def _write(result: Result, run: Path | None, *, quiet: bool) -> None:
    if run is not None:
        from generator.evaluation.runfile import write_run  # noqa: PLC0415 - as above

        write_run(result.rankings, run, Path(result.model).name)
        if not quiet:
            click.echo(f"wrote {run}", err=True)


def _print(results: list[Result], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([_as_json(result) for result in results], indent=1))
        return
    rows = [
        (result.task, name, f"{value:.4f}", _count(result))
        for result in results
        for name, value in result.measures.items()
    ]
    print_table(("task", "metric", "value", "n"), rows, title=results[0].model)


def _as_json(result: Result) -> dict[str, Any]:
    # NaN (the Spearman of a model that gives every text one vector) is no JSON.
    measures = {
        name: None if math.isnan(value) else round(value, 6)
        for name, value in result.measures.items()
    }
    return {
        "task": result.task,
        "kind": result.kind,
        "model": result.model,
        "n": result.n,
        "total": result.total,
        "measures": measures,
    }


def _count(result: Result) -> str:
    if result.n == result.total:
        return f"{result.n:,}"
    return f"{result.n:,} of {result.total:,}"
