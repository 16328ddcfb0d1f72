"""What closes a run that trained: scores before and after, and what the model finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from generator.cli.tables import one_line, print_table
from generator.cli.words import counted

if TYPE_CHECKING:
    from generator.heldout import Example
    from generator.training import Trained


def print_trained(trained: Trained) -> None:
    """Print the scores and the example searches to stderr."""
    for example in trained.searches:
        _print_search(example)
    if trained.before is not None and trained.after is not None:
        click.echo(
            f"nDCG@10 of {trained.questions:,} held-out questions against {trained.passages:,} "
            f"passages: {trained.before:.3f} before training, {trained.after:.3f} after",
            err=True,
        )
    minutes = trained.seconds / 60
    click.echo(f"{trained.model}: {counted(trained.steps, 'step')} in {minutes:.1f} min", err=True)


def _print_search(example: Example) -> None:
    rows = [("✓" if hit.right else "", f"{hit.score:.3f}", one_line(hit.text))
            for hit in example.hits]  # fmt: skip
    title = f"Search: {one_line(example.query)}"
    print_table(("right", "score", "found"), rows, title=title, err=True)
    if example.rank is not None and example.rank > len(example.hits):
        click.echo(f"the right one has rank {example.rank}", err=True)
