"""`trine mine`: hard negatives for the records of a run, or of a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from generator.cli.errors import DONE, GATE_FAILED, tell_stopped
from generator.cli.models import progress_line
from generator.cli.options import config_from, config_of_run, options, other_folder
from generator.cli.words import tell_next
from generator.runs import is_run

if TYPE_CHECKING:
    from generator.config import RunConfig
    from generator.mining import Mined

_SOURCES = ("auto", "random", "bm25", "dense", "hybrid")


@click.command("mine")
@click.argument("source", type=click.Path(path_type=Path, exists=True))
@click.option("--corpus", type=click.Path(path_type=Path, exists=True),
              help="Texts to mine in (mine.corpus); else the records' own.")  # fmt: skip
@click.option("--source", "source_name", type=click.Choice(_SOURCES),
              help="Where candidates come from (mine.source).")  # fmt: skip
@click.option("--encoder", metavar="MODEL", help="Model that embeds (mine.encoder).")
@click.option("--teacher", metavar="MODEL",
              help="Who scores: MODEL, cross-encoder:MODEL or llm (mine.teacher).")  # fmt: skip
@click.option("--negatives", type=click.IntRange(min=1),
              help="How many for each record (mine.negatives).")  # fmt: skip
@options("recipe", "output", "overrides", "max_cost", "max_tokens", "quiet", "json")
def command(
    source: Path,
    *,
    recipe: str | None,
    output: Path | None,
    overrides: tuple[str, ...],
    quiet: bool,
    as_json: bool,
    source_name: str | None,
    max_cost: float | None,
    max_tokens: int | None,
    **flags: object,
) -> int:
    """Mine hard negatives for the records of SOURCE.

    SOURCE is a run's folder, or a JSONL file of records or a folder with records.jsonl (then -o
    says where the result goes). A CORPUS is as in `trine search`. Give the same command again to
    go on, or with other cuts: nothing is encoded twice.

    \b
      trine mine outputs/quickstart
      trine mine outputs/mine --corpus corpus.jsonl --encoder models/mine/model -o outputs/mined
      trine mine pairs --encoder all-MiniLM-L6-v2 --set mine.percent=0.9 -o mined
    """  # noqa: D301 - \b keeps click from folding the lines
    keys = {f"mine.{name}": value for name, value in {"source": source_name, **flags}.items()}
    keys |= {"budget.max_cost_usd": max_cost, "budget.max_tokens": max_tokens}
    given = [f"{key}={value}" for key, value in keys.items() if value is not None]
    in_run = is_run(source) and output is None
    if in_run:
        config = config_of_run(source, (*given, *overrides))
    else:
        config = config_from(recipe=recipe, overrides=(*given, *overrides))
    mined = _on_run(config, quiet=quiet) if in_run else _on_file(source, output, config, quiet)
    _print(mined, output or source, as_json=as_json, quiet=quiet)
    if mined.stopped:
        tell_stopped(mined.stopped, config, output or source)
        return GATE_FAILED
    if not (as_json or quiet or in_run):
        tell_next("filter", output, "-o", f"{output}-filtered")
    return DONE


def _on_run(config: RunConfig, *, quiet: bool) -> Mined:
    from generator import pipeline  # noqa: PLC0415 - `--help` needs none of it
    from generator.cli.progress import ProgressLine  # noqa: PLC0415

    with ProgressLine(quiet=quiet) as watch:
        return pipeline.mine_run(config, watch=watch)


def _on_file(source: Path, output: Path | None, config: RunConfig, quiet: bool) -> Mined:
    from generator.mineconfig import MineConfig  # noqa: PLC0415 - `--help` needs no pydantic
    from generator.mining import mine_file  # noqa: PLC0415 - nor numpy
    from generator.prices import judges_of, read_prices, refuse_unpriced  # noqa: PLC0415
    from generator.recordfile import records_in  # noqa: PLC0415 - nor records
    from generator.runs import JUDGED  # noqa: PLC0415
    from generator.spending import open_budget  # noqa: PLC0415

    records = records_in(source)
    folder = other_folder(records, output, "mine")
    progress = progress_line(quiet=quiet, doing="mine: ")
    own = config.mine or MineConfig()
    prices = read_prices(config)
    refuse_unpriced(config, prices, judges_of(config))
    return mine_file(
        records, folder, own, llm=config.llm, progress=progress,
        budget=open_budget(config, prices, (folder / "mine" / JUDGED,)),
    )  # fmt: skip


def _print(mined: Mined, place: Path, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        click.echo(json.dumps(mined.to_dict()))
        return
    for name, number in mined.decisions.most_common():
        click.echo(f"{number:10,}  {name}", err=True)
    note = None if quiet else _note(mined)
    if note:
        click.echo(f"note: {note}", err=True)
    click.echo(
        f"{mined.decisions['negative']:,} negatives for {mined.records:,} records of "
        f"{mined.texts:,} texts in {place}; {mined.short:,} records got fewer than {mined.wanted}",
        err=True,
    )


def _note(mined: Mined) -> str | None:
    """What would have given more, or better ones."""
    if not mined.teacher:
        return "no teacher, so no positive-aware cut: --encoder or --teacher gives one"
    if mined.short > mined.records / 2:
        return "most records got fewer: a higher mine.rank_max, or mine.percent, leaves more"
    return None
