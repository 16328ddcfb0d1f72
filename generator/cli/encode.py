"""`trine encode`: the embeddings of a file's texts."""

from __future__ import annotations

import json
from pathlib import Path

import click

from generator.cli.models import ModelFlags, model_options, progress_line
from generator.cli.options import NewPath, options


@click.command("encode")
@click.argument("model")
@click.argument("texts", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    type=NewPath(dir_okay=False),
    help="File of the embeddings (.npy).",
)
@click.option("--field", default="text", show_default=True, help="Field of a JSONL line.")
@click.option(
    "--kind",
    type=click.Choice(["query", "document"]),
    default="document",
    show_default=True,
    help="Which side of a search the texts are on.",
)
@model_options
@options("quiet", "json")
def command(
    model: str,
    texts: Path,
    *,
    output: Path,
    field: str,
    kind: str,
    flags: ModelFlags,
    quiet: bool,
    as_json: bool,
) -> None:
    """Embed TEXTS: a .txt file with a text a line, or .jsonl with a text in each line's field.

    Row i of the .npy file [texts, dim], float32 at length 1, belongs to line i.

    \b
      trine encode outputs/run/model passages.txt -o passages.npy
    """  # noqa: D301 - \b keeps click from folding the lines
    from generator.encoders.embedding import TextFile, embed_file  # noqa: PLC0415

    source = TextFile(texts, field)
    encoder = flags.load(model)
    rows, dim = embed_file(
        encoder,
        source,
        output,
        kind="query" if kind == "query" else "document",
        instruction=flags.instruction,
        progress=progress_line(quiet=quiet),
    )
    if as_json:
        click.echo(json.dumps({"output": str(output), "rows": rows, "dim": dim}))
    elif not quiet:
        click.echo(f"wrote {output}: {rows:,} rows of {dim:,} numbers", err=True)
