"""`trine generate`: the first stage of a run alone."""

from __future__ import annotations

import click

from generator import pipeline
from generator.cli.errors import DONE, GATE_FAILED, tell_stopped
from generator.cli.options import options, run_config
from generator.cli.progress import ProgressLine
from generator.cli.words import print_counts


@click.command("generate")
@options(
    "recipe", "model", "count", "output", "seed", "overrides", "tasks", "prompts",
    "max_cost", "max_tokens", "quiet", "json",
)  # fmt: skip
def command(*, quiet: bool, as_json: bool, **flags: object) -> int:
    """Draw examples, ask the model and parse its replies; resumable.

    \b
      trine generate -c recipes/japanese.yaml -n 500 -o outputs/ja
    """  # noqa: D301 - \b keeps click from folding the lines
    config = run_config(**flags)
    with ProgressLine(quiet=quiet) as progress:
        counts = pipeline.generate(config, watch=progress)
    if as_json:
        print_counts(counts, config.output)
    else:
        kept, rejected = counts.passed.total(), counts.rejected.total()
        click.echo(f"{kept:,} records, {rejected:,} rejected in {config.output}", err=True)
    if counts.stopped:
        tell_stopped(counts.stopped, config, config.output)
    return GATE_FAILED if counts.stopped else DONE
