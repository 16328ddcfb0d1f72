"""`trine train`: an embedder from data."""

from __future__ import annotations

from pathlib import Path

import click

from generator.cli.errors import DONE, GATE_FAILED
from generator.cli.options import options
from generator.cli.words import counted, tell_next


@click.command("train")
@click.argument("data", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--base", help="Model to start from: folder, .gguf file, Hub id (base).")
@click.option("--plan", "only_plan", is_flag=True, help="Predict time and memory; do not train.")
@click.option("--check-gradients", "only_check", is_flag=True, help="Compare with a plain batch.")
@options("recipe", "output", "overrides", "seed", "quiet")
def command(
    data: tuple[Path, ...], *, base: str | None, only_plan: bool, only_check: bool,
    recipe: str | None, output: Path | None, overrides: tuple[str, ...], seed: int | None,
    quiet: bool,
) -> int:  # fmt: skip
    """Train an embedder with a contrastive loss, and export it.

    DATA is a run's folder, or JSONL or Parquet files of records, pairs or triplets. A run that
    stopped goes on: give the same command again.

    \b
      trine train outputs/quickstart --base smollm2-135m-instruct -c train-quickstart -o outputs/m
      trine train pairs.jsonl --base mistralai/Mistral-7B-v0.1 -c train-e5-mistral -o outputs/e5
    """  # noqa: D301 - \b keeps click from folding the lines
    from generator.trainer.config import load_train_config  # noqa: PLC0415

    config = load_train_config(recipe, overrides, base=base, output=output, seed=seed)
    report = _nothing if quiet else _tell
    from generator.trainer import commands  # noqa: PLC0415 - loads torch

    if only_plan:
        for line in commands.plan(data, config):
            click.echo(line)
        return DONE
    if only_check:
        lines, passed = commands.check(data, config)
        click.echo("\n".join(lines))
        return DONE if passed else GATE_FAILED
    result = commands.train(data, config, report)
    scores = "".join(f", nDCG@10 {score:.4f}" for _, score in result.scores[-1:])
    steps = counted(result.steps, "step")
    click.echo(
        f"{steps} in {result.seconds / 60:.1f} min, loss {result.loss:.4f}{scores}",
        err=True,
    )
    if result.model is not None:
        click.echo(result.model)
        if not quiet:
            tell_next("eval", result.model, "DIR_OF_A_TASK")
    return DONE


def _tell(line: str) -> None:
    click.echo(line, err=True)


def _nothing(_: str) -> None:
    pass
