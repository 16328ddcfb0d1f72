"""A question that holds its own answer: query_answers_itself.

"When was the brewery closed in 1998?", "What was the name of Radcliffe College?": small models
write them about a sentence that they were given. English and Japanese; other languages pass.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from generator.filters.base import Reject, quote
from generator.records import Record

_DATE = r"(?:(?:[A-Z][a-z]+ )?(?:\d{1,2}(?:st|nd|rd|th)?,? )?)?(?:1\d{3}|20\d\d)"
# The date ends the question: "When did the war that began in 1939 end?" asks for another one.
_WHEN = re.compile(
    r"^\W*(?:[Ww]hen|(?:(?:[Ii]n|[Oo]n) )?(?:[Ww]hat|[Ww]hich) (?:year|date|day))\b"
    rf"(?!.*\b(?:after|before|since|until|till|following|from)\b).* (?:in|on) {_DATE}\W*$"
)
_NAME = re.compile(
    r"^\W*[Ww]hat (?:is|was|are|were) the names? of (?:the )?"
    r"[A-Z][\w'’.&-]*(?: (?:(?:of|the|and|de|von) )*[A-Z][\w'’.&-]*)*\W*$"
)
_WHEN_JA = re.compile(
    r"(?<!\d)(?:1\d{3}|20\d\d)年(?:\d{1,2}月)?(?:\d{1,2}日)?に[^、。]{2,40}(?:のは|たのは|のが)"
    r"(?:いつ|何年|西暦何年)"
)


def check(record: Record, _values: Mapping[str, str]) -> Reject | None:
    """Reject a query that asks for a date or a name and says it."""
    query = record.query.strip()
    if record.query_language == "en":
        found = _WHEN.match(query) or _NAME.match(query)
    elif record.query_language == "ja":
        found = _WHEN_JA.search(query)
    else:
        found = None
    return Reject("query_answers_itself", quote(query)) if found else None
