"""`trine run`: the main job."""

from __future__ import annotations

from pathlib import Path

import click

from generator import pipeline
from generator.cli.errors import DONE, GATE_FAILED, tell_stopped
from generator.cli.options import options, run_config
from generator.cli.progress import ProgressLine
from generator.cli.report import print_summary
from generator.cli.trained import print_trained
from generator.cli.words import counted, tell_next
from generator.summary import Summary


@click.command("run")
@options(
    "recipe", "model", "count", "keep", "output", "seed", "overrides", "tasks", "prompts",
    "max_cost", "max_tokens", "quiet", "json",
)  # fmt: skip
def command(*, quiet: bool, as_json: bool, **flags: object) -> int:
    """Make a data set: draw, generate, filter, deduplicate, export; train where the recipe says so.

    Run it again to go on where it was, or to add what a changed configuration asks for; what has
    been answered is never asked again.

    \b
      trine run -c quickstart
      trine run -c recipes/japanese.yaml -m gpt-4o-mini -n 1000 --max-cost 2
    """  # noqa: D301 - \b keeps click from folding the lines
    config = run_config(**flags)
    with ProgressLine(quiet=quiet) as progress:
        summary = pipeline.run(config, watch=progress)
    if not quiet:
        print_summary(summary)
        if summary.trained is not None:
            print_trained(summary.trained)
    if as_json:
        click.echo(Path(summary.folder / "stats.json").read_text(encoding="utf-8"))
    if summary.stopped:
        tell_stopped(summary.stopped, config, summary.folder)
    elif summary.short:
        click.echo(
            f"kept {summary.kept:,} of {config.keep:,} asked for: raise count (-n)", err=True
        )
    elif not summary.kept:
        click.echo(f"no record was kept of {counted(summary.drawn, 'draw')}", err=True)
    if not (quiet or as_json):
        _tell_next(summary)
    return GATE_FAILED if summary.short or summary.stopped or not summary.kept else DONE


def _tell_next(summary: Summary) -> None:
    """The records, or why there is none; and a model's own searches."""
    if not summary.kept:
        tell_next("show", summary.folder, "--rejected", "-n", 3)
    elif not summary.stopped:
        tell_next("show", summary.folder, "-n", 3)
    if summary.trained is not None:
        tell_next("search", summary.trained.model, summary.folder, "YOUR QUERY")
