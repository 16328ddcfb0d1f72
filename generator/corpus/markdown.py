"""Markdown (CommonMark and tables) → blocks, through markdown-it-py.

Comments go, ruby loses its readings, links keep their words. HTML inside keeps its text alone.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

import yaml

from generator.corpus.blocks import Block, joined
from generator.errors import MissingExtra

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

# YAML, or Hugo's TOML.
_FRONT_MATTER = re.compile(
    r"\A(?:---\r?\n(.*?)\r?\n(?:---|\.\.\.)|\+\+\+\r?\n(.*?)\r?\n\+\+\+)[ \t]*(?:\r?\n|\Z)",
    re.DOTALL,
)
# What mdBook, Jekyll and Hugo put in place of text: {{#include …}}, {% raw %}, {{< figure >}}.
_DIRECTIVE = re.compile(r"^[ \t]*(?:\{\{[#<%].*?\}\}|\{%.*?%\})[ \t]*\r?$", re.MULTILINE)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
# Quotation marks hide an angle bracket: <Listing caption="`Vec<T>`">. Unpaired ones do not.
_TAG = re.compile(r"""</?[A-Za-z](?:"[^"]*"|'[^']*'|[^>"'])*>|</?[A-Za-z][^>]*>""")
_READING = re.compile(r"<(rt|rp)\b[^>]*>.*?</\1>", re.DOTALL | re.IGNORECASE)
_BREAK = re.compile(r"<br\b", re.IGNORECASE)
_RUBY = re.compile(r"<(/?)(?:rt|rp)\b", re.IGNORECASE)
_LISTS = ("bullet_list", "ordered_list")
_LINK_SHARE = 0.9


def title_and_blocks(text: str) -> tuple[str, Iterator[Block]]:
    """The `title` of the front matter ("" without one), and the blocks."""
    front = _FRONT_MATTER.match(text)
    body = text[front.end() :] if front else text
    return _title(front) if front else "", blocks(body)


def blocks(text: str) -> Iterator[Block]:
    """The blocks of a Markdown text. Raises MissingExtra without markdown-it-py."""
    tokens = _parser().parse(_DIRECTIVE.sub("", text))
    yield from _blocks(tokens)


def _blocks(tokens: Sequence[Token]) -> Iterator[Block]:
    at, quotes = 0, 0
    while at < len(tokens):
        token = tokens[at]
        quotes += {"blockquote_open": 1, "blockquote_close": -1}.get(token.type, 0)
        end = _end(tokens, at)
        yield from _block(token, tokens[at:end], in_quote=quotes > 0)
        at = end


def _end(tokens: Sequence[Token], at: int) -> int:
    """Behind a list, a table, a heading or a paragraph as a whole; else behind the token."""
    name = tokens[at].type.removesuffix("_open")
    if name not in {*_LISTS, "table", "heading", "paragraph"}:
        return at + 1
    depth = 0
    for place in range(at, len(tokens)):
        depth += tokens[place].nesting if tokens[place].type.startswith(name) else 0
        if depth == 0:
            return place + 1
    return len(tokens)


def _block(token: Token, inside: Sequence[Token], *, in_quote: bool) -> Iterator[Block]:
    name = token.type.removesuffix("_open")
    if name == "heading" and not in_quote:
        yield from _some(Block("heading", _inline(inside), int(token.tag[1])))
    elif name in {"paragraph", "heading"}:  # a heading of a note is no heading of the document
        yield from _some(Block("paragraph", _inline(inside)))
    elif name in {"fence", "code_block"}:
        yield from _some(Block("code", token.content.strip("\n")))
    elif name in _LISTS and not _leads_elsewhere(inside):
        yield from _some(Block("list", "\n".join(_items(inside))))
    elif name == "table":
        yield from _some(Block("table", "\n".join(_rows(inside))))
    elif name == "html_block":
        yield from _some(Block("paragraph", joined(_text_of_html(token.content))))


def _some(block: Block) -> Iterator[Block]:
    if block.text.strip():
        yield block


def _items(tokens: Sequence[Token]) -> Iterator[str]:
    """One item a line; what stands deeper is indented, code inside stays as it is."""
    depth, marks = 0, ""
    for token in tokens:
        if token.type.startswith(_LISTS):
            depth += token.nesting
        elif token.type == "list_item_open":
            marks = f"{token.info}." if token.info else "-"
        elif token.type == "inline":
            lead = f"{marks} " if marks else "  "
            yield "  " * (depth - 1) + lead + _inline([token])
            marks = ""
        elif token.type in {"fence", "code_block"}:
            yield token.content.strip("\n")


def _leads_elsewhere(tokens: Sequence[Token]) -> bool:
    """Whether a list is nothing but links: a table of contents."""
    linked, total, depth = 0, 0, 0
    for token in tokens:
        for child in token.children or ():
            depth += child.nesting if child.type.startswith("link") else 0
            total += len(child.content.strip())
            linked += len(child.content.strip()) if depth else 0
    return total > 0 and linked >= _LINK_SHARE * total


def _rows(tokens: Sequence[Token]) -> Iterator[str]:
    row: list[str] = []
    for token in tokens:
        if token.type == "inline":
            row.append(_inline([token]))
        elif token.type == "tr_close":
            yield " | ".join(row)
            row = []


def _inline(tokens: Iterable[Token]) -> str:
    """The words of the inline tokens among these."""
    parts: list[str] = []
    reading = False
    for token in tokens:
        for child in token.children or () if token.type == "inline" else ():
            if child.type in {"softbreak", "hardbreak"} or _BREAK.match(child.content):
                parts.append("\n")
            elif child.type == "html_inline":
                reading = _reading(child.content, reading=reading)
            elif child.type in {"text", "code_inline"} and not reading:
                parts.append(child.content)
    return joined("".join(parts))


def _reading(tag: str, *, reading: bool) -> bool:
    """Whether what follows an inline tag is the reading of a ruby."""
    found = _RUBY.match(tag)
    return not found[1] if found else reading


def _text_of_html(source: str) -> str:
    return _TAG.sub("", _READING.sub("", _COMMENT.sub("", source)))


def _title(front_matter: re.Match[str]) -> str:
    try:
        of_yaml, of_toml = front_matter.groups()
        found = yaml.safe_load(of_yaml) if of_toml is None else tomllib.loads(of_toml)
    except (yaml.YAMLError, tomllib.TOMLDecodeError):
        return ""
    title = found.get("title") if isinstance(found, dict) else None
    return str(title) if title else ""


@cache
def _parser() -> MarkdownIt:
    try:
        from markdown_it import MarkdownIt  # noqa: PLC0415 - an extra
    except ImportError as exc:
        raise MissingExtra("markdown-it-py", "corpus") from exc
    return MarkdownIt("commonmark").enable(["table", "strikethrough"])
