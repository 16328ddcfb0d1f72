"""`trine export`: records in another tool's format."""

from __future__ import annotations

from pathlib import Path

import click

from generator import pipeline
from generator.cli.options import config_of_run
from generator.dataset.exports import FORMATS, ExportOptions, export
from generator.errors import InputError
from generator.recordfile import records_in
from generator.runs import is_run


@click.command("export")
@click.argument("source", type=click.Path(path_type=Path, exists=True))
@click.option("--format", "format_name", type=click.Choice(FORMATS), default="trine",
              show_default=True, help="Format to write.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder to write.")
@click.option("--instruction", is_flag=True, help="Write `Instruct: …\\nQuery: …` as the query.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE",
              help="Set a configuration key.")  # fmt: skip
def command(
    source: Path,
    *,
    format_name: str,
    output: Path | None,
    instruction: bool,
    overrides: tuple[str, ...],
) -> None:
    """Write the records of SOURCE (a run's folder, a folder or file of records) in a format.

    Without --format and -o, a run's own `dataset/` folder, statistics and card are made again.

    \b
      trine export outputs/quickstart --format sentence-transformers -o triplets
    """  # noqa: D301 - \b keeps click from folding the lines
    if output is None:
        if format_name != "trine" or not is_run(source):
            raise InputError("no output folder", hint=f"trine export {source} … -o FOLDER")
        pipeline.describe_run(config_of_run(source, overrides))
        click.echo(f"wrote {source / 'dataset'}", err=True)
        return
    counts = export(records_in(source), output, format_name, ExportOptions(instruction=instruction))
    for name, rows in counts.items():
        click.echo(f"{rows:8,}  {output / name}", err=True)
