"""The model that a verb was given, its options, and the progress of encoding."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from generator.encoders import Encoder

PLAIN_EVERY_S = 20.0

_OPTIONS = (
    click.option("--task", "instruction", metavar="TEXT", help="Instruction for the queries."),
    click.option("--prompt", metavar="TEXT", help='Prefix of the queries, such as "query: ".'),
    click.option("--document-prompt", metavar="TEXT", help='Of the others: "passage: ".'),
    click.option("--base-url", metavar="URL", help="MODEL is behind this embeddings API."),
)


@dataclass(frozen=True, slots=True)
class ModelFlags:
    """What the flags say of a model: how it is reached and what stands before its texts."""

    instruction: str | None = None
    prompt: str | None = None
    document_prompt: str | None = None
    base_url: str | None = None

    def load(self, name: str) -> Encoder:
        """The model by its name, as `generator.encoders.load` has it.

        A folder that trine trained goes through trine's own packed forward.
        """
        from generator.encoders import Prompts  # noqa: PLC0415 - `--help` needs no numpy
        from generator.models import open_encoder  # noqa: PLC0415 - as above

        prompts = Prompts(self.prompt, self.document_prompt)
        return open_encoder(name, prompts=prompts, base_url=self.base_url)


def model_options(function: Any) -> Any:
    """`--task`, `--prompt`, `--document-prompt` and `--base-url`, as one argument `flags`."""

    @wraps(function)
    def gathered(*args: Any, **kwargs: Any) -> Any:
        own = {item.name: kwargs.pop(item.name) for item in fields(ModelFlags)}
        return function(*args, flags=ModelFlags(**own), **kwargs)

    decorated: Any = gathered
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


def progress_line(
    *, quiet: bool = False, doing: str = "encoding "
) -> Callable[[str, int, int], None] | None:
    """What encoding tells its progress to: a live line on a terminal, else one now and then."""
    if quiet:
        return None
    live, shown = sys.stderr.isatty(), time.monotonic()

    def show(what: str, done: int, total: int) -> None:
        nonlocal shown
        line = f"{doing}{what} {done:,}/{total:,}"
        if live:
            click.echo(f"\r{line} ", nl=done == total, err=True)
        elif time.monotonic() - shown >= PLAIN_EVERY_S:
            shown = time.monotonic()
            click.echo(line, err=True)

    return show
