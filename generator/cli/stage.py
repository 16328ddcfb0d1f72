"""What the verbs of one stage share: they take a run, or a file of records."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from generator.cli.options import config_from, config_of_run, options, other_folder
from generator.cli.progress import ProgressLine
from generator.cli.words import print_counts, tell_next
from generator.config import RunConfig
from generator.counts import Counts
from generator.progress import Watch
from generator.recordfile import records_in
from generator.runs import is_run

OnRun = Callable[[RunConfig, Watch], Counts]
OnFile = Callable[[Path, Path, RunConfig, Watch], Counts]


def stage_command(name: str, text: str, on_run: OnRun, on_file: OnFile) -> click.Command:
    """The verb of a stage."""

    @click.command(
        name,
        help=f"""{text}

    SOURCE is a run's folder, or a JSONL file of records or a folder with records.jsonl (then -o
    says where the result goes).

    \b
      trine {name} outputs/quickstart
      trine {name} mine.jsonl -o cleaned
    """,
    )
    @click.argument("source", type=click.Path(path_type=Path, exists=True))
    @options("recipe", "output", "overrides", "tasks", "prompts", "quiet", "json")
    def command(
        source: Path,
        *,
        output: Path | None,
        overrides: tuple[str, ...],
        quiet: bool,
        as_json: bool,
        **flags: object,
    ) -> None:
        with ProgressLine(quiet=quiet) as watch:
            if is_run(source):
                counts = on_run(config_of_run(source, overrides), watch)
            else:
                records = records_in(source)
                folder = other_folder(records, output, name)
                config = config_from(overrides=overrides, **flags)  # type: ignore[arg-type]
                watch.begin(name, None)
                counts = on_file(records, folder, config, watch)
        if as_json:
            print_counts(counts, output or source)
            return
        _print(counts, output or source)
        if not quiet:
            _tell_next(name, source, output)

    return command


def _print(counts: Counts, place: Path) -> None:
    for name, number in sorted(counts.rejected.items(), key=lambda item: -item[1]):
        click.echo(f"{number:8,}  {name.replace('|', '  ')}", err=True)
    kept, rejected = counts.passed.total(), counts.rejected.total()
    click.echo(f"{kept:,} kept, {rejected:,} rejected in {place}", err=True)


def _tell_next(name: str, source: Path, output: Path | None) -> None:
    """Behind a run's filter its deduplication; behind that its data set, which is of before."""
    if name == "filter":
        more = ["-o", f"{output}-deduped"] if output else []
        tell_next("dedupe", output or source, *more)
    elif output is None:
        tell_next("export", source)
    else:
        tell_next("train", output, "--base", "MODEL", "-c", "train-small", "-o", f"{output}-model")
