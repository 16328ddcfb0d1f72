"""Stand-ins for a text: query_placeholder, positive_placeholder, negative_placeholder.

Models echo the schema ("string", "<text>"), leave blanks ("[insert name]", "...") and copy the
template's own variables. What a text may well talk about ("lorem ipsum", `{{ name }}` in a page on
templates) is rejected only where it cannot be its subject.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from generator.filters.base import Reject, Side, quote, sides
from generator.records import Record

# The names of the reply fields of the method's families, as models leak them.
_FIELD = (
    "user_query|positive_document|hard_negative_document|input_text|misleading_label"
    "|positive_passage|negative_passage|negative_document|hard_negative"
)
_NOTHING = re.compile(r"[\W_]*")
_WHOLE = re.compile(
    rf"(?:n/?a|n\.a\.|string|str|tbd|todo|null|undefined|placeholder|your answer here|{_FIELD}"
    r"|(?:sample|example|your|insert|some) (?:text|query|document|passage)(?: here)?"
    r"|ここに\S{0,15}(?:入力|記入|挿入)\S{0,8}|プレースホルダー?|<[^<>\n]{1,60}>|\[[^\[\]\n]{1,60}\]|\{[^{}\n]{1,60}\})",
    re.IGNORECASE,
)
# "none" and "text" can be the name of a class; as a query or a document they are an echo.
_WHOLE_PROSE = re.compile(
    r"(?:none|nan|text|query|document|passage|example|クエリ|文書)", re.IGNORECASE
)
_LONGEST_WHOLE = 62
_ANYWHERE = re.compile(
    r"\[\s*(?:(?:insert|enter|fill in|your)\b|ここに)[^\]\n]{2,60}\]"
    r"|\[(?:company|product|city|first|last|full)[ _]name\]"
    r"|[［【]\s*(?:ここに|あなたの)[^］】\n]{1,60}[］】]"
    r"|<\s*(?:insert|your)\s[^<>\n]{2,60}>"
    r"|lorem ipsum dolor sit"
    rf"|\{{+\s*(?:{_FIELD})\s*\}}+"
    rf"|[\"'](?:{_FIELD})[\"']\s*:",
    re.IGNORECASE,
)
# A query is too short to be a page about templates.
_IN_QUERY = re.compile(
    r"\{\{|\}\}|\{%|%\}|\b(?:user_query|positive_document|hard_negative_document)\b"
)


def check(record: Record, _values: Mapping[str, str]) -> Reject | None:
    """Reject a record with a text that stands for one, or leaves a blank to fill in."""
    for side, text in sides(record):
        found = _placeholder(text, side, is_prose=side == "query" or record.label is None)
        if found is not None:
            return Reject(f"{side}_placeholder", f"the {side} holds {quote(found)}")
    return None


def _placeholder(text: str, side: Side, *, is_prose: bool) -> str | None:
    bare = text.strip().strip("\"'`“”「」*").strip().rstrip(".")
    if _NOTHING.fullmatch(bare):
        return text
    if len(bare) <= _LONGEST_WHOLE and (
        _WHOLE.fullmatch(bare) or (is_prose and _WHOLE_PROSE.fullmatch(bare))
    ):
        return text
    found = (_has_sign(text) and _ANYWHERE.search(text)) or (
        _IN_QUERY.search(text) if side == "query" else None
    )
    return found.group() if found else None


def _has_sign(text: str) -> bool:
    """Whether it holds one of what is in every form of `_ANYWHERE`: finding none is fast."""
    if "_" in text or "[" in text or "<" in text or "{" in text or "orem" in text:
        return True
    return not text.isascii() and ("［" in text or "【" in text)
