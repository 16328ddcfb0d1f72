"""What closes a run that trained: scores before and after, and what the model finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from generator.cli.tables import one_line, print_table
from generator.cli.words import counted
from generator.scores import score_name

if TYPE_CHECKING:
    from generator.heldout import Example
    from generator.training import Trained


def print_trained(trained: Trained) -> None:
    """Print the scores and the example searches to stderr."""
    for example in trained.searches:
        _print_search(example)
    if len(trained.families) > 1:
        _print_families(trained)
    if trained.before is not None and trained.after is not None:
        click.echo(
            f"nDCG@10 of {trained.questions:,} {score_name(trained.families)} against "
            f"{trained.passages:,} passages: {trained.before:.3f} before training, "
            f"{trained.after:.3f} after",
            err=True,
        )
    minutes = trained.seconds / 60
    click.echo(f"{trained.model}: {counted(trained.steps, 'step')} in {minutes:.1f} min", err=True)


def _print_families(trained: Trained) -> None:
    rows = [
        (one.family, "written" if one.written else "of the documents", one.questions,
         f"{one.before:.3f}", f"{one.after:.3f}")
        for one in trained.families
    ]  # fmt: skip
    columns = ("family", "queries", "held out", "before", "after")
    print_table(columns, rows, title="nDCG@10", err=True)


def _print_search(example: Example) -> None:
    rows = [("✓" if hit.right else "", f"{hit.score:.3f}", one_line(hit.text))
            for hit in example.hits]  # fmt: skip
    title = f"Search: {one_line(example.query)}"
    print_table(("right", "score", "found"), rows, title=title, err=True)
    if example.rank is not None and example.rank > len(example.hits):
        click.echo(f"the right one has rank {example.rank}", err=True)
