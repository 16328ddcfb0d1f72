"""Plain text → blocks, line by line: paragraphs, lists, code, numbered or underlined headings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from generator.corpus.blocks import Block, joined

_UNDERLINE = re.compile(r"^(=+|-+|~+|\*+)$")
_LEVELS = {"=": 1, "-": 2, "~": 3, "*": 3}
_ITEM = re.compile(r"^\s*(?:[-*•・●○◦]|\d{1,3}[.)])\s+\S")
# A number alone before some words is as often the item of a list.
_NUMBERED = re.compile(r"^(?P<number>\d+(?:\.\d+)+)\.?\s+\S")
_CHAPTER = re.compile(r"^(?:chapter|part|appendix)\s+[\dIVXLCA-H]+\b", re.IGNORECASE)
_TABLE_LINE = re.compile(r"^\s*[|+].*[|+]\s*$")
_RULE = re.compile(r"^[\s|+=-]*$")
_JAPANESE_PART = re.compile(r"^第[0-9０-９一二三四五六七八九十百]+(?P<part>[編部章節項])")
_PARTS = {"編": 1, "部": 1, "章": 1, "節": 2, "項": 3}
_LONGEST_HEADING = 80
_CODE_INDENT = 4
_SENTENCE_MARKS = ".!?。！？:：、,;"


def blocks(lines: Iterable[str]) -> Iterator[Block]:
    """The blocks of a plain text; only one paragraph is held at a time."""
    held: list[str] = []
    margin = 0  # of the last paragraph: code is what stands deeper than prose
    for line in chain(_one(lines), [""]):
        if line.strip():
            if held and line.startswith("\u3000"):  # an indented first line begins a paragraph
                yield from _block(held, margin)
                held = []
            held.append(line.expandtabs(4).rstrip())
            continue
        if held:
            for block in _block(held, margin):
                yield block
                margin = _indent(held) if block.kind == "paragraph" else margin
            held = []


def _one(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield from line.splitlines() or [""]


def _block(lines: list[str], margin: int) -> Iterator[Block]:
    text = "\n".join(lines)
    if len(lines) > 1 and _UNDERLINE.match(lines[1].strip()) and len(lines[1].strip()) > 2:
        yield Block("heading", joined(lines[0]), _LEVELS[lines[1].strip()[0]])
        yield from _block(lines[2:], margin) if lines[2:] else ()
    elif all(_UNDERLINE.match(line.strip()) for line in lines):
        return
    elif len(lines) == 1 and (level := _heading_level(lines[0])):
        yield Block("heading", joined(lines[0]), level)
    elif all(_TABLE_LINE.match(line) for line in lines):
        rows = [line.strip(" |") for line in lines if not _RULE.match(line)]
        yield from [Block("table", "\n".join(map(joined, rows)))] if rows else ()
    elif _ITEM.match(lines[0]) and len(lines) > 1:
        yield Block("list", _items(lines))
    elif _indent(lines) >= margin + _CODE_INDENT and _looks_like_code(lines):
        yield Block("code", text)
    else:
        yield Block("paragraph", joined("\n".join(line.strip() for line in lines)))


def _heading_level(line: str) -> int:
    text = line.strip()
    if len(text) > _LONGEST_HEADING or text[-1] in _SENTENCE_MARKS or line.startswith("  "):
        return 0
    if part := _JAPANESE_PART.match(text):
        return _PARTS[part["part"]]
    if _CHAPTER.match(text):
        return 1
    numbered = _NUMBERED.match(text)
    return numbered["number"].count(".") + 1 if numbered else 0


def _items(lines: list[str]) -> str:
    """One item a line: what is not the beginning of one goes on with the item before."""
    items: list[list[str]] = []
    for line in lines:
        if _ITEM.match(line) or not items:
            items.append([])
        items[-1].append(line.strip())
    return "\n".join(joined("\n".join(item)) for item in items)


def _indent(lines: list[str]) -> int:
    return min(len(line) - len(line.lstrip(" ")) for line in lines)


def _looks_like_code(lines: list[str]) -> bool:
    """Whether an indented block is set line by line (prose fills its lines and ends in a mark)."""
    signs = sum(not char.isalnum() and not char.isspace() for line in lines for char in line)
    return signs > sum(len(line) for line in lines) / 12
