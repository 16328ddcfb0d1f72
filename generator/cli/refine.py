"""`trine refine`: the checks by meaning, for the records of a run, or of a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from generator.cli.errors import DONE, GATE_FAILED, tell_stopped
from generator.cli.models import progress_line
from generator.cli.options import config_from, config_of_run, options
from generator.errors import InputError

if TYPE_CHECKING:
    from generator.config import RunConfig
    from generator.refined import Refined

_ACTIONS = click.Choice(("drop", "relabel", "keep"))


@click.command("refine")
@click.argument("source", type=click.Path(path_type=Path, exists=True))
@click.option("--corpus", type=click.Path(path_type=Path, exists=True),
              help="Texts to compare with (refine.corpus); else the records' own.")  # fmt: skip
@click.option("--encoder", metavar="MODEL", help="Model that embeds (refine.encoder).")
@click.option("--judge", metavar="MODEL",
              help="LLM that grades (refine.judge.model); other keys as in llm.")  # fmt: skip
@click.option("--positives", type=_ACTIONS, help="What becomes of those that fail.")
@click.option("--negatives", type=_ACTIONS, help="What becomes of false ones.")
@options(
    "recipe", "output", "overrides", "prompts", "max_cost", "max_tokens", "quiet", "json"
)  # fmt: skip
def command(
    source: Path,
    *,
    recipe: str | None,
    output: Path | None,
    overrides: tuple[str, ...],
    prompts: Path | None,
    quiet: bool,
    as_json: bool,
    judge: str | None,
    max_cost: float | None,
    max_tokens: int | None,
    **flags: object,
) -> int:
    """Check the records of SOURCE by meaning: drop what fails, or relabel it.

    SOURCE is a run's folder, or a JSONL file of records or a folder with records.jsonl (then -o
    says where the result goes). Give the same command again to go on, or with other thresholds:
    nothing is encoded and no grade asked for twice.

    \b
      trine refine outputs/quickstart
      trine refine outputs/mine --judge gpt-4o-mini --set refine.judge.backend=openai
      trine refine pairs --encoder all-MiniLM-L6-v2 --negatives relabel -o refined
    """  # noqa: D301 - \b keeps click from folding the lines
    keys = {f"refine.{name}": value for name, value in flags.items()}
    keys |= {"refine.judge.model": judge, "prompts": prompts}
    keys |= {"budget.max_cost_usd": max_cost, "budget.max_tokens": max_tokens}
    given = [f"{key}={value}" for key, value in keys.items() if value is not None]
    is_run = (source / "run.yaml").is_file() and output is None
    if is_run:
        config = config_of_run(source, (*given, *overrides))
    else:
        config = config_from(recipe=recipe, overrides=(*given, *overrides))
    refined = _on_run(config, quiet=quiet) if is_run else _on_file(source, output, config, quiet)
    if as_json:
        click.echo(json.dumps(refined.to_dict()))
    else:
        _print(refined, output or source)
    if refined.stopped:
        tell_stopped(refined.stopped, config, output or source)
    return GATE_FAILED if refined.stopped else DONE


def _on_run(config: RunConfig, *, quiet: bool) -> Refined:
    from generator import pipeline  # noqa: PLC0415 - `--help` needs none of it
    from generator.cli.progress import ProgressLine  # noqa: PLC0415

    with ProgressLine(quiet=quiet) as watch:
        return pipeline.refine_run(config, watch=watch)


def _on_file(source: Path, output: Path | None, config: RunConfig, quiet: bool) -> Refined:
    from generator.refining import refine_file  # noqa: PLC0415 - `--help` needs no numpy

    if output is None:
        raise InputError("no output folder", hint=f"trine refine {source} -o FOLDER")
    records = source / "records.jsonl" if source.is_dir() else source
    if records.resolve() == (output / "records.jsonl").resolve():
        raise InputError(f"{records}: would be replaced", hint="another folder with -o")
    progress = progress_line(quiet=quiet, doing="refine: ")
    return refine_file(records, output, config, progress=progress)


def _print(refined: Refined, place: Path) -> None:
    for name, number in refined.rejected.most_common():
        click.echo(f"{number:10,}  rejected  {name.replace('|', '  ')}", err=True)
    for name, number in sorted(refined.decisions.items(), key=lambda item: -item[1]):
        click.echo(f"{number:10,}  {name.replace('|', '  ')}", err=True)
    for name, row in refined.agreement.items():
        click.echo(
            f"agreement of the {name}: kappa {_said(row['kappa'])}, equal {_said(row['equal'])}, "
            f"{row['texts']:,} texts",
            err=True,
        )
    for model, row in refined.spent.items():
        cost = f", ${row['cost_usd']:.4f}" if "cost_usd" in row else ""
        tokens = row["prompt_tokens"] + row["completion_tokens"]
        click.echo(f"{model}: {row['answers']:,} answers, {tokens:,} tokens{cost}", err=True)
    pool = (
        f", compared with {refined.texts:,} texts by {refined.encoder}" if refined.encoder else ""
    )
    rejected = refined.records - refined.kept
    click.echo(f"{refined.kept:,} kept, {rejected:,} rejected in {place}{pool}", err=True)


def _said(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
