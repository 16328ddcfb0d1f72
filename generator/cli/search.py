"""`trine search`: what a model finds in a corpus."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from generator.cli.models import ModelFlags, model_options, progress_line
from generator.cli.options import options
from generator.cli.tables import one_line, print_table
from generator.errors import InputError, RunError

if TYPE_CHECKING:
    from generator.search.passages import Passage


@click.command("search")
@click.argument("model")
@click.argument("corpus", type=click.Path(path_type=Path))
@click.argument("query")
@click.option(
    "-n", "--count", type=click.IntRange(min=1), default=5, show_default=True, help="How many."
)
@model_options
@options("quiet", "json")
def command(
    model: str,
    corpus: Path,
    query: str,
    *,
    count: int,
    flags: ModelFlags,
    quiet: bool,
    as_json: bool,
) -> None:
    """Print the passages of CORPUS that MODEL finds for QUERY.

    CORPUS is a BEIR folder or corpus.jsonl, JSONL with "text", a text file with a passage a line,
    or a run's folder (its positives and negatives). MODEL is as in `trine eval`; bm25 is one. What
    a model encoded it remembers (in ~/.cache/trine/vectors): the next search takes a second.

    \b
      trine search outputs/run/model outputs/run "why is the sky blue" -n 3
    """  # noqa: D301 - \b keeps click from folding the lines
    from generator.search.passages import read_passages  # noqa: PLC0415

    if not query.strip():
        raise InputError("the query is empty", hint='trine search MODEL CORPUS "a question"')
    passages = read_passages(corpus)
    if model == "bm25":
        found = _bm25(passages, query, count)
    else:
        found = _dense(model, flags, passages, query, count, quiet=quiet)
    _print([(passages[index], score) for index, score in found], as_json=as_json)


def _bm25(passages: list[Passage], query: str, count: int) -> list[tuple[int, float]]:
    from generator.search.bm25 import BM25  # noqa: PLC0415

    indices, scores = BM25([p.full for p in passages]).search([query], count).row(0)
    return list(zip(indices.tolist(), scores.tolist(), strict=True))


def _dense(
    model: str, flags: ModelFlags, passages: list[Passage], query: str, count: int, *, quiet: bool
) -> list[tuple[int, float]]:
    from generator.config import cache_folder  # noqa: PLC0415 - `--help` needs no numpy
    from generator.encoders import embed  # noqa: PLC0415
    from generator.models import remembered  # noqa: PLC0415
    from generator.recordfile import alone_in  # noqa: PLC0415
    from generator.search.exact import exact_search  # noqa: PLC0415

    encoder = flags.load(model)
    queries = embed(encoder, [query], "query", flags.instruction)
    texts, vectors = [passage.full for passage in passages], cache_folder() / "vectors"
    try:
        with alone_in(vectors / "lock"):
            kept = remembered(encoder, vectors, model, flags.document_prompt, flags.base_url)
            documents = embed(kept, texts, "document", None, progress_line(quiet=quiet))
    except RunError as exc:  # a home that may not be written to, a full disk
        click.echo(f"note: {exc.message}; nothing is remembered", err=True)
        documents = embed(encoder, texts, "document", None, progress_line(quiet=quiet))
    indices, scores = exact_search(queries, documents, count).row(0)
    return list(zip(indices.tolist(), scores.tolist(), strict=True))


def _print(found: list[tuple[Passage, float]], *, as_json: bool) -> None:
    if as_json:
        for rank, (passage, score) in enumerate(found, start=1):
            row = {"rank": rank, "score": round(score, 6), "id": passage.id, "text": passage.full}
            click.echo(json.dumps(row, ensure_ascii=False))
    elif found:
        rows = [
            (rank, f"{score:.4f}", passage.id, one_line(passage.full))
            for rank, (passage, score) in enumerate(found, start=1)
        ]
        print_table(("rank", "score", "id", "text"), rows)
    else:
        click.echo("nothing found: no passage shares a word with the query", err=True)
