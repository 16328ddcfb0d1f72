"""What every reader turns a document into: a title and blocks of text, in order.

Also how lines of one paragraph are joined: with a space, or with nothing where one of the two
characters at the seam belongs to a script written without spaces.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from generator.text import CJK, SOUTH_EAST

Kind = Literal["heading", "paragraph", "code", "list", "table"]

# The same scripts' punctuation and full-width forms too: 、。「」！（ and the ideographic space.
UNSPACED = f"{CJK}{SOUTH_EAST}\u3000-\u303f\uff01-\uff60"
_SEAM = re.compile(f"(?<=[{UNSPACED}]) *\n *|(?<!\n) *\n *(?=[{UNSPACED}])")
_SPACES = re.compile(r"[ \t\u00a0]+")


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a document. `level` is a heading's, from 1; items of a list stand one a line."""

    kind: Kind
    text: str
    level: int = 0


@dataclass(frozen=True, eq=False, slots=True)
class Document:
    """A document to be cut: where it comes from, its title ("" for none), its blocks.

    `blocks` may be lazy, and may raise BadDocument half-way: what came before stays.
    """

    source: str
    title: str
    blocks: Iterable[Block]


@dataclass(frozen=True, slots=True)
class Skipped:
    """What gave no passage, and why; `reason` is a stable snake_case key."""

    source: str
    reason: str
    detail: str = ""


def joined(text: str) -> str:
    """A paragraph's lines as one, and runs of spaces as one space."""
    return _SPACES.sub(" ", _SEAM.sub("", text.strip()).replace("\n", " ")).strip()
