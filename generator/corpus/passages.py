"""A document → passages: by section, within a budget of tokens, with the path of titles above.

Paragraphs, lists and tables stay whole where they fit, else they are cut between sentences, items
and rows; code is cut only where it is twice the budget. A section too short for a passage joins
the next one below the same heading. Within a section a passage repeats the end of the one before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import takewhile

from generator.corpus.blocks import UNSPACED, Block, Document
from generator.corpus.tokens import chopped, sentences, token_count
from generator.corpusconfig import CorpusConfig
from generator.errors import BadDocument

SEPARATOR = " > "
_LONGEST_CODE = 2  # budgets
_MERGE_SLACK = 1.25  # a short rest may stretch the passage before it this far
_SEAM = re.compile(f"[{UNSPACED}]")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a passage that is never cut; `glue` goes before it."""

    text: str
    tokens: int
    glue: str
    prose: bool


@dataclass(slots=True)
class Draft:
    """A passage as it is cut: the titles above it, and its pieces.

    `opens_section` where it is the first of its section.
    """

    path: tuple[str, ...]
    pieces: list[Piece] = field(default_factory=list)
    opens_section: bool = True
    repeated: int = 0  # of the pieces, those that overlap with the passage before

    @property
    def tokens(self) -> int:
        """Of all pieces together."""
        return sum(piece.tokens for piece in self.pieces)

    @property
    def text(self) -> str:
        """The passage."""
        return _glued(self.pieces)

    @property
    def prose(self) -> str:
        """What of the passage is no code: its language is judged by it."""
        return _glued([piece for piece in self.pieces if piece.prose])


def drafts(document: Document, config: CorpusConfig) -> Iterator[Draft]:
    """The passages of a document, in order. Raises BadDocument where its blocks do, last."""
    held: Draft | None = None
    broken: list[BadDocument] = []
    for draft in _cut(document.title, _until_broken(document.blocks, broken), config):
        if held and _joins(held, draft, config):
            fresh = draft.pieces[draft.repeated :]
            held.pieces += fresh
            continue
        if held:
            yield held
        held = draft
    if held:
        yield held
    if broken:
        raise broken[0]


def _until_broken(blocks: Iterable[Block], broken: list[BadDocument]) -> Iterator[Block]:
    try:
        yield from blocks
    except BadDocument as exc:
        broken.append(exc)


def _joins(held: Draft, draft: Draft, config: CorpusConfig) -> bool:
    """Whether the rest of a section is too short for a passage of its own."""
    fresh = sum(piece.tokens for piece in draft.pieces[draft.repeated :])
    return (
        held.path == draft.path
        and fresh < config.min_tokens
        and held.tokens + fresh <= _MERGE_SLACK * config.tokens
    )


def _cut(title: str, blocks: Iterable[Block], config: CorpusConfig) -> Iterator[Draft]:
    root = (title,) if title else ()
    headings: list[tuple[int, str]] = []
    draft = Draft(root)
    for block in blocks:
        if block.kind == "heading":
            while headings and headings[-1][0] >= block.level:
                headings.pop()
            headings.append((block.level, block.text))
            following = _path(root, headings)
            if not _goes_on(draft, following, config):
                yield from _filled(draft)
                draft = Draft(following)
            elif draft.pieces:
                draft.path = _common(draft.path, following)
                draft.pieces.append(_piece(block.text, "\n\n", prose=True))
            else:
                draft.path = following
            continue
        for piece in _pieces(block, config.tokens):
            if draft.pieces and draft.tokens + piece.tokens > config.tokens:
                yield from _filled(draft)
                draft = _after(draft, config.overlap, _path(root, headings))
            draft.pieces.append(piece)
    yield from _filled(draft)


def _filled(draft: Draft) -> Iterator[Draft]:
    if len(draft.pieces) > draft.repeated:
        yield draft


def _after(draft: Draft, overlap: int, path: tuple[str, ...]) -> Draft:
    """The next passage of a section: it begins with the last sentences of this one."""
    room = overlap
    tail: list[Piece] = []
    for piece in reversed(draft.pieces[draft.repeated :]):
        for sentence in reversed(sentences(piece.text) if piece.prose else ()):
            tokens = token_count(sentence)
            if tokens > room:
                return _repeating(path, tail)
            room -= tokens
            tail.insert(0, Piece(sentence, tokens, _between(sentence), prose=True))
        if not piece.prose:
            break
    return _repeating(path, tail)


def _repeating(path: tuple[str, ...], tail: list[Piece]) -> Draft:
    return Draft(path, list(tail), opens_section=False, repeated=len(tail))


def _goes_on(draft: Draft, following: tuple[str, ...], config: CorpusConfig) -> bool:
    """Whether the section that a heading begins is put to what came before it."""
    if not draft.pieces:
        return True
    short = draft.tokens < config.min_tokens
    return short and len(_common(draft.path, following)) > 0


def _path(root: tuple[str, ...], headings: list[tuple[int, str]]) -> tuple[str, ...]:
    texts = [text for _, text in headings]
    # A page's title is often its first heading too, with the site's name behind it.
    return tuple(texts) if root and texts and texts[0] in root[0] else (*root, *texts)


def _common(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    pairs = zip(first, second, strict=False)
    return tuple(left for left, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _pieces(block: Block, budget: int) -> Iterator[Piece]:
    """A block in pieces that fit the budget."""
    tokens = token_count(block.text)
    prose = block.kind != "code"
    limit = budget if prose else _LONGEST_CODE * budget
    if tokens <= limit:
        yield Piece(block.text, tokens, "\n\n", prose)
        return
    is_lines = block.kind in {"list", "table", "code"}
    parts = block.text.split("\n") if is_lines else sentences(block.text)
    glue = "\n\n"
    for part in parts:
        for text in [part] if token_count(part) <= limit else chopped(part, budget):
            yield Piece(text, token_count(text), glue, prose)
            glue = "\n" if is_lines else _between(text)


def _piece(text: str, glue: str, *, prose: bool) -> Piece:
    return Piece(text, token_count(text), glue, prose)


def _between(sentence: str) -> str:
    """What stands between two sentences: nothing after 。 and its like."""
    return "" if sentence and _SEAM.match(sentence[-1]) else " "


def _glued(pieces: list[Piece]) -> str:
    return "".join(
        piece.text if place == 0 else piece.glue + piece.text for place, piece in enumerate(pieces)
    ).strip()
