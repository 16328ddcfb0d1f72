"""`trine export`: records in another tool's format."""

from __future__ import annotations

import json
from pathlib import Path

import click

from generator import pipeline
from generator.cli.options import NewPath, config_of_run, options
from generator.cli.progress import ProgressLine
from generator.dataset.exports import FORMATS, ExportOptions, export
from generator.errors import InputError
from generator.recordfile import records_in
from generator.runs import is_run


@click.command("export")
@click.argument("source", type=click.Path(path_type=Path, exists=True))
@click.option("--format", "format_name", type=click.Choice(FORMATS), default="trine",
              show_default=True, help="Format to write.")  # fmt: skip
@click.option("-o", "--output", type=NewPath(), help="Folder to write.")
@click.option("--instruction", is_flag=True, help="Write `Instruct: …\\nQuery: …` as the query.")
@options("overrides", "quiet", "json")
def command(
    source: Path,
    *,
    format_name: str,
    output: Path | None,
    instruction: bool,
    overrides: tuple[str, ...],
    quiet: bool,
    as_json: bool,
) -> None:
    """Write the records of SOURCE (a run's folder, a folder or file of records) in a format.

    Without --format and -o, a run's own `dataset/` folder, statistics and card are made again.

    \b
      trine export outputs/quickstart --format sentence-transformers -o triplets
    """  # noqa: D301 - \b keeps click from folding the lines
    if output is None:
        if format_name != "trine" or not is_run(source):
            raise InputError("no output folder", hint=f"trine export {source} … -o FOLDER")
        with ProgressLine(quiet=quiet) as watch:
            stats = pipeline.describe_run(config_of_run(source, overrides), watch=watch)
        _print_own(source / "dataset", stats["records"], as_json=as_json)
        return
    counts = export(records_in(source), output, format_name, ExportOptions(instruction=instruction))
    if as_json:
        click.echo(json.dumps({"output": str(output), "files": dict(counts)}))
        return
    for name, rows in counts.items():
        click.echo(f"{rows:8,}  {output / name}", err=True)


def _print_own(dataset: Path, records: int, *, as_json: bool) -> None:
    """What came of a run's own data set: of no record comes none."""
    if as_json:
        click.echo(json.dumps({"output": str(dataset), "records": records}))
    elif records:
        click.echo(f"wrote {dataset}", err=True)
    else:
        click.echo("no record was kept, so there is no data set; counted anew", err=True)
