"""Words that several verbs end with: how many there are of something, and what to type next."""

from __future__ import annotations

import shlex

import click


def counted(number: int, noun: str) -> str:
    """`1 record`, `2,000 records`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def tell_next(*command: object) -> None:
    """Say, on stderr, the command that a user is likely to want now; its parts are quoted."""
    click.echo(f"next: {shlex.join(['trine', *map(str, command)])}", err=True)
