"""Words that several verbs end with: how many there are of something, and what to type next."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from generator.counts import Counts


def counted(number: int, noun: str) -> str:
    """`1 record`, `2,000 records`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def print_counts(counts: Counts, place: Path) -> None:
    """Print a stage's counts as one JSON object; `rejected` is by `family|stage|reason`."""
    rejected = dict((+counts.rejected).most_common())
    kept = counts.passed.total()
    told = {"output": str(place), "records": kept + sum(rejected.values()), "kept": kept}
    stopped = {"stopped": counts.stopped} if counts.stopped else {}
    click.echo(json.dumps({**told, "rejected": rejected, **stopped}, ensure_ascii=False))


def tell_next(*command: object) -> None:
    """Say, on stderr, the command that a user is likely to want now; its parts are quoted."""
    click.echo(f"next: {shlex.join(['trine', *map(str, command)])}", err=True)
