"""PDF → blocks, through pdfium: page by page, running heads dropped, the outline as headings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generator.corpus.blocks import Block, joined
from generator.corpus.tokens import sentences
from generator.errors import BadDocument, MissingExtra

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

# A line at the edge of a page is a running head where half of the pages seen have it too.
_EDGE_LINES, _SEEN_PAGES, _RUNNING_SHARE = 2, 40, 0.5
_NUMBER = re.compile(r"\d+|\b[ivxlc]+\b")
_HYPHEN = re.compile(r"(?<=[a-z])[-\u00ad\ufffe]\n(?=[a-z])")
_JOINED_WORD = "\x02"  # what pdfium puts for the hyphen of a word that it joined itself
_PARAGRAPH_END = re.compile(r"[.!?:。！？：]$")
_FEWEST_CHARS = 8  # of a document: below, it is scanned pictures


def title_and_blocks(path: Path) -> tuple[str, Iterator[Block]]:
    """The title in the file's properties ("" without one) and its blocks, lazily by page.

    Raises BadDocument for an encrypted or broken file, MissingExtra without pypdfium2.
    """
    document = _opened(path)
    return _said(lambda: document.get_metadata_value("Title")), _blocks(document)


def _blocks(document: PdfDocument) -> Iterator[Block]:
    chars = 0
    with closing(document):
        running = _running(document)
        outline = _outline(document)
        for number in range(len(document)):
            lines = [line for line in _lines(document, number) if _shape(line) not in running]
            chars += sum(map(len, lines))
            yield from _page(lines, outline.get(number, []))
    if chars < _FEWEST_CHARS:
        raise BadDocument("no_text", "pictures of pages: run an OCR over it first")


def _page(lines: list[str], titles: list[tuple[str, int]]) -> Iterator[Block]:
    """The blocks of a page; a line that the outline names is a heading.

    Where the page does not show it, it stands at the page's beginning.
    """
    levels = {_bare(title): (title, level) for title, level in titles}
    shown = {_bare(line) for line in lines}
    for bare, (title, level) in levels.items():
        if bare not in shown:
            yield Block("heading", title, level)
    held: list[str] = []
    for line in lines:
        if (found := levels.get(_bare(line))) is not None:
            yield from _paragraphs(held)
            held = []
            yield Block("heading", *found)
        else:
            held.append(line)
    yield from _paragraphs(held)


def _paragraphs(lines: list[str]) -> Iterator[Block]:
    """Lines as paragraphs: one ends where a sentence ends on a line that is clearly not full."""
    width = max(map(len, lines), default=0)
    held: list[str] = []
    for line in lines:
        held.append(line)
        if not line or (_PARAGRAPH_END.search(line) and len(line) < 0.85 * width):
            yield from _paragraph(held)
            held = []
    yield from _paragraph(held)


def _paragraph(lines: list[str]) -> Iterator[Block]:
    text = joined(_HYPHEN.sub("", "\n".join(lines)))
    if sentences(text):
        yield Block("paragraph", text)


def _lines(document: PdfDocument, number: int) -> list[str]:
    from pypdfium2 import PdfiumError  # noqa: PLC0415 - an extra

    try:
        with closing(document[number]) as page, closing(page.get_textpage()) as text:
            content: str = text.get_text_bounded()
    except PdfiumError as exc:
        raise BadDocument("broken", f"page {number + 1}: {exc}") from exc
    content = content.replace(_JOINED_WORD, "").replace("\r\n", "\n").replace("\r", "\n")
    return [line.strip() for line in content.split("\n")]


def _running(document: PdfDocument) -> set[str]:
    """The shapes of lines that stand at the edges of many pages; page numbers count as one."""
    pages = min(len(document), _SEEN_PAGES)
    seen: Counter[str] = Counter()
    for number in range(pages):
        try:
            lines = [line for line in _lines(document, number) if line]
        except BadDocument:  # told when its turn comes
            break
        seen.update({_shape(line) for line in lines[:_EDGE_LINES] + lines[-_EDGE_LINES:]})
    return {shape for shape, times in seen.items() if times >= max(2, _RUNNING_SHARE * pages)}


def _outline(document: PdfDocument) -> dict[int, list[tuple[str, int]]]:
    """The bookmarks of each page: title and level, from 1."""
    found: dict[int, list[tuple[str, int]]] = {}
    for mark in document.get_toc():
        dest = mark.get_dest()
        page = dest.get_index() if dest else None
        if page is not None and (title := _said(mark.get_title)):
            found.setdefault(page, []).append((title, mark.level + 1))
    return found


def _said(get: Callable[[], str | None]) -> str:
    """A title; "" where there is none, or half a character in it."""
    try:
        return joined(get() or "")
    except UnicodeDecodeError:
        return ""


def _shape(line: str) -> str:
    return _NUMBER.sub("#", line.lower())


def _bare(line: str) -> str:
    return "".join(line.lower().split())


def _opened(path: Path) -> Any:
    try:
        import pypdfium2  # noqa: PLC0415 - an extra
    except ImportError as exc:
        raise MissingExtra("pypdfium2", "corpus") from exc
    try:
        return pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as exc:
        is_locked = "password" in str(exc).lower()
        raise BadDocument("encrypted" if is_locked else "broken", str(exc)) from exc
