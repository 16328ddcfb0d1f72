"""A query that speaks of the passage it was written for: query_points_at_text.

Somebody who searches has never seen the passage: "according to the text", "what does the
author say".
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from generator.filters.base import Reject, quote
from generator.records import Record
from generator.text import normalise

_NOUN = r"(?:passage|text|excerpt|paragraph|article|document|section|chapter|sentence)s?"
_POINTS = re.compile(
    rf"\b(?:according to|in|from|of|by|does|did|as) (?:the|this|that|these) "
    rf"(?:above |following |given |provided |first |last )?{_NOUN}\b"
    rf"|\b(?:this|the (?:above|following|given|provided)) {_NOUN}\b"
    rf"|\bthe {_NOUN} (?:say|says|mention|mentions|state|states|describe|describes"
    r"|discuss|is about)"
    r"|\bthe (?:author|narrator|speaker)\b(?! of\b)"
    r"|\b(?:listing|figure|fig\.|table|example|exercise) [A-Z]?\d+(?:[-.]\d+)*\b"
    r"|\b(?:previous|preceding|next|last|this) (?:chapter|section|listing|example|figure|table)\b"
    r"|\b(?:mentioned|described|shown|listed) (?:above|below|here)\b"
    r"|この(?:文章|記事|文書|段落|節|章|一節|パッセージ|テキスト|文)(?:で|に|の|は|が|を|から|によ)"
    "|(?:リスト|図|表|例|コード)[0-9０-９]|(?:前|次|この)の?(?:章|節|例|リスト|図|表)(?:で|に"
    "|の|は|が|を)"
    "|(?<![のA-Za-z0-9 ])本文(?:中|で|に|の|は|から)|上記の|以下の文|筆者"
    "|(?<![の』」])著者(?:は|が|の)"
    r"|(?:这|該|该|(?<![のA-Za-z0-9 ])本)(?:段|篇|文|文章)",
    re.IGNORECASE,
)


_ARROW = " > "  # between the titles of a path


def check(record: Record, _values: Mapping[str, str]) -> Reject | None:
    """Reject a query that points at a text which only its writer saw."""
    found = _POINTS.search(record.query)
    if found is not None:
        return Reject("query_points_at_text", f"{quote(found.group())} in {quote(record.query)}")
    if any(_copies_path(record.query, positive.text) for positive in record.positives):
        return Reject("query_points_at_text", f"the title path in {quote(record.query)}")
    return None


def _copies_path(query: str, text: str) -> bool:
    """Whether the query writes titles as the path above a passage does: "Chapter > Section"."""
    first, arrow, _ = query.partition(_ARROW)
    return bool(arrow) and normalise(first) in normalise(text.partition("\n")[0])
