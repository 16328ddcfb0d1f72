"""HTML → blocks, through selectolax: the main part of a page without menus, footers and scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from generator.corpus.blocks import Block, joined
from generator.errors import MissingExtra

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

# Never text, or the readings of ruby, or a page's furniture (HTML Living Standard, ARIA landmarks).
_DROPPED = (
    "script, style, template, noscript, iframe, svg, canvas, button, select, dialog, rt, rp, "
    "nav, footer, aside, [role=navigation], [role=banner], [role=contentinfo], "
    "[role=complementary], [role=search], [aria-hidden=true], [hidden], body > header, a.headerlink"
)
# Furniture by the names that themes give it.
_FURNITURE = re.compile(
    r"(?:^|[\s_-])(?:nav|navbar|navigation|menu|sidebar|breadcrumbs?|footer|cookies?|share|social|"
    r"related|advert|ads?|pagination|toc|skip-?link)(?:$|[\s_-])",
    re.IGNORECASE,
)
_MAIN = ("main", "[role=main]", "article", "#content")
_PAGES = {"html", "body", "main", "article"}
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_LISTS = {"ul", "ol", "dl"}
_INSIDE = {"div", "section", "article", "main", "body", "blockquote", "figure", "details", "center",
           "header", "html", "td", "fieldset", "address", "hgroup"}  # fmt: skip
_SPACED = {"br": "\n", "td": " | ", "th": " | "}
# A block that is mostly links, and short, leads elsewhere.
_LINK_SHARE, _LONGEST_LINKS = 0.7, 400


def title_and_blocks(text: str) -> tuple[str, Iterator[Block]]:
    """The page's title ("" without one) and its blocks. Raises MissingExtra without selectolax."""
    tree = _parsed(text)
    title = tree.css_first("title")
    name = joined(title.text()) if title else ""
    for node in tree.css(_DROPPED):
        node.decompose()
    total = _prose(tree.body)
    for node in tree.css("form, [class], [id]"):
        if node.tag not in _PAGES and _is_furniture(node) and not _is_page(node, total):
            node.decompose()
    main = _main_of(tree)
    return name, _blocks(main) if main is not None else iter(())


def _main_of(tree: LexborHTMLParser) -> LexborNode | None:
    """The one element that says it is the main part; the whole body where none or several do."""
    body = tree.body
    for selector in _MAIN:
        found = tree.css(selector)
        if len(found) == 1 and len(found[0].text(strip=True)) * 4 >= len(body.text() if body else ""
        ):  # fmt: skip
            return found[0]
    return body


def _is_furniture(node: LexborNode) -> bool:
    attributes = node.attributes
    return node.tag == "form" or any(
        _FURNITURE.search(attributes.get(name) or "") for name in ("class", "id")
    )


def _is_page(node: LexborNode, total: int) -> bool:
    """Whether a form or a box called furniture is around the page: `has-sidebar`, ASP.NET's form.

    `total` is the prose of the page, of which menus have none.
    """
    return node.css_first(", ".join(_MAIN[:2])) is not None or 2 * _prose(node) > total


def _prose(node: LexborNode | None) -> int:
    """Characters that lead nowhere else."""
    if node is None:
        return 0
    links = sum(len(link.text(strip=True)) for link in node.css("a"))
    return len(node.text(strip=True)) - links


def _blocks(root: LexborNode) -> Iterator[Block]:
    """Blocks of an element; text that stands between its elements is a paragraph."""
    loose: list[str] = []
    for node in root.iter(include_text=True):
        tag = node.tag or ""
        if tag in _INSIDE or tag in _HEADINGS or tag in _LISTS or tag in {"p", "pre", "table"}:
            yield from _paragraph("".join(loose))
            loose = []
            yield from _blocks(node) if tag in _INSIDE else _block(node, tag)
        else:
            loose.append(_text(node))
    yield from _paragraph("".join(loose))


def _block(node: LexborNode, tag: str) -> Iterator[Block]:
    if _leads_elsewhere(node):
        return
    if tag in _HEADINGS:
        found = Block("heading", joined(_text(node)), _HEADINGS[tag])
    elif tag == "pre":
        found = Block("code", node.text().strip("\n"))
    elif tag in _LISTS:
        found = Block("list", "\n".join(_items(node, tag)))
    elif tag == "table":
        found = Block("table", "\n".join(_rows(node)))
    else:
        found = Block("paragraph", joined(_text(node)))
    if found.text.strip():
        yield found


def _items(node: LexborNode, tag: str, indent: str = "") -> Iterator[str]:
    number = 0
    for item in node.iter():
        if item.tag in {"li", "dt", "dd"}:
            number += 1
            lead = {"ol": f"{number}.", "dl": "" if item.tag == "dt" else " "}.get(tag, "-")
            own = "".join(_text(part) for part in item.iter(include_text=True)
                          if part.tag not in _LISTS)  # fmt: skip
            yield f"{indent}{lead} {joined(own)}".rstrip()
            for inner in item.iter():
                if inner.tag in _LISTS:
                    yield from _items(inner, inner.tag or "", indent + "  ")


def _rows(node: LexborNode) -> Iterator[str]:
    """A row a line; a table within a cell is a part of it."""
    for part in node.iter():
        if part.tag == "tr":
            cells = [joined(_text(cell)) for cell in part.iter() if cell.tag in {"th", "td"}]
            if any(cells):
                yield " | ".join(cells)
        elif part.tag in {"thead", "tbody", "tfoot"}:
            yield from _rows(part)


def _paragraph(text: str) -> Iterator[Block]:
    if joined(text):
        yield Block("paragraph", joined(text))


def _text(node: LexborNode) -> str:
    """The text of a node; white space is one space, a line break stays one."""
    if node.tag == "-text":
        # In the source a line ends anywhere: `joined` knows where that is no space.
        return re.sub(r"[ \t\r\f]+", " ", node.text(deep=False) or "")
    if node.tag == "br":
        return "\n"
    if node.tag == "_comment" or (node.tag or "").startswith("-"):
        return ""
    return "".join(_text(child) for child in node.iter(include_text=True))


def _leads_elsewhere(node: LexborNode) -> bool:
    total = len(node.text(strip=True))
    if node.tag in {"p", "pre", *_HEADINGS} or total == 0 or total > _LONGEST_LINKS:
        return False
    links = sum(len(link.text(strip=True)) for link in node.css("a"))
    return links >= _LINK_SHARE * total


def _parsed(text: str) -> LexborHTMLParser:
    try:
        from selectolax.lexbor import LexborHTMLParser  # noqa: PLC0415 - an extra
    except ImportError as exc:
        raise MissingExtra("selectolax", "corpus") from exc
    return LexborHTMLParser(text)
