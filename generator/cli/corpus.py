"""`trine corpus`: what passages documents give, before anything is written from them."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import click

from generator.cli.options import config_from, options
from generator.cli.progress import ProgressLine
from generator.cli.tables import one_line, print_table
from generator.cli.words import tell_next
from generator.corpus.build import Ingested, open_passages
from generator.corpus.store import Passage, PassageFile
from generator.corpus.tokens import token_count
from generator.errors import InputError
from generator.runs import RunFolder

_SHOWN_SKIPPED = 10
_MEASURED = 1000  # passages whose tokens are counted


@click.command("corpus")
@click.argument("paths", nargs=-1)
@click.option("--show", type=click.IntRange(min=0), default=2, help="Passages to print.")
@options("recipe", "overrides", "seed", "quiet", "json")
def command(
    paths: tuple[str, ...],
    *,
    show: int,
    quiet: bool,
    as_json: bool,
    overrides: tuple[str, ...],
    **flags: object,
) -> None:
    """Read documents (files, folders, hf:NAME) as a run would; tell what passages they give.

    \b
      trine corpus manuals/
      trine corpus manuals/ notes.pdf --set corpus.tokens=128 --show 5
    """  # noqa: D301 - \b keeps click from folding the lines
    given = (f"corpus.paths={json.dumps(paths)}",) if paths else ()
    config = config_from(overrides=(*overrides, *given), **flags)  # type: ignore[arg-type]
    if config.corpus is None:
        raise InputError("no documents are named", hint="trine corpus FOLDER, or -c my-documents")
    with TemporaryDirectory() as folder, ProgressLine(quiet=quiet or as_json) as progress:
        run = RunFolder(Path(folder))
        progress.begin("corpus", None)
        passages, found = open_passages(
            config.corpus, run, lambda n, m: progress.status(f"{n:,} documents · {m:,} passages")
        )
        with run.skipped.open(encoding="utf-8") as file:
            skipped = [json.loads(line) for line in islice(file, _SHOWN_SKIPPED)]
        chosen = _some(passages, config.seed)
        passages.close()
    facts = _facts(found, chosen)
    if as_json:
        click.echo(json.dumps({**facts, "examples_skipped": skipped}, ensure_ascii=False))
        return
    _print(facts, skipped)
    for passage in chosen[:show]:
        click.secho(f"\n{passage.source} · {passage.language} · {passage.id}", fg="cyan")
        click.echo(passage.full)
    if len(paths) == 1 and not quiet:
        tell_next("plan", "-c", "my-documents", "--set", f"corpus={paths[0]}")


def _some(passages: PassageFile, seed: int) -> list[Passage]:
    places = range(len(passages))
    return [passages[at] for at in Random(seed).sample(places, min(len(places), _MEASURED))]  # noqa: S311


def _facts(found: Ingested, chosen: list[Passage]) -> dict[str, Any]:
    sizes = sorted(token_count(passage.text) for passage in chosen)
    return {
        "documents": found.documents,
        "passages": found.passages,
        "tokens": {"least": sizes[0], "median": sizes[len(sizes) // 2], "most": sizes[-1]},
        "languages": dict(found.languages.most_common()),
        "skipped": dict(found.skipped.most_common()),
    }


def _print(facts: dict[str, Any], skipped: list[dict[str, Any]]) -> None:
    tokens = ", ".join(f"{name} {number:,}" for name, number in facts["tokens"].items())
    rows = [("documents", facts["documents"]), ("passages", facts["passages"])]
    print_table(("corpus", ""), [*rows, ("tokens of a passage, about", tokens)])
    print_table(("language", "passages"), list(facts["languages"].items()))
    if facts["skipped"]:
        print_table(("left out", "times"), list(facts["skipped"].items()))
        first = [(row["source"], row["reason"], one_line(row["detail"])) for row in skipped]
        print_table(("the first of them", "reason", "detail"), first)
