"""The model talks about its answer: query_meta_talk, positive_meta_talk, negative_meta_talk.

Three signs: a preamble or caption before the text ("Sure! Here is a query:"), a remark after it
("(212 words)"), and talk of the record's own roles anywhere ("the hard negative document"). In
documents that answer a query about search, roles are the subject and no sign.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from generator.filters.base import Reject, Side, quote, sides
from generator.records import Record

_THING = (
    r"\b(?:quer(?:y|ies)|passages?|documents?|texts?|answer|json|outputs?|sentences?|paragraphs?"
    r"|translation|rewrit\w+|negatives?|positives?|questions?|response|version)\b"
)
_THING_JA = r"(?:クエリ|文書|ドキュメント|パッセージ|回答|翻訳|JSON|質問文|文章|例文)"
_THING_ZH = r"(?:查询|文档|段落|文本|回答|翻译)"

# How an answer is introduced or captioned at its start.
_OPENINGS: tuple[str, ...] = (
    (
        r"(?:sure(?: thing)?|certainly|of course|absolutely|okay|great)\b[!,.:]*\s+"
        r"(?:here(?:['’]s| is| are| you go)|i['’]ll (?:write|create|generate)|below is)"
    ),
    (
        r"here(?:['’]s| is| are) (?:a|an|the|some|your|my|one|two|three|\d+)\b"
        rf"[^.:\n]{{0,60}}{_THING}[^.:\n]{{0,60}}:"
    ),
    (
        r"(?:user query|hard negative(?: document| passage)?|(?:positive|negative) "
        r"(?:document|passage)|query|input text|misleading label)\W{0,3}:"
    ),
    (
        r"this (?:passage|document|text) (?:is|would be|serves as) (?:an? |the |not )?"
        r"(?:(?:hard )?negative|positive|relevant|irrelevant)"
    ),
    r"this passage (?:provides|discusses|describes|explains|answers|covers|focuses|talks|contains)",
    (
        r"(?:はい|もちろん|承知(?:いたし|し)ました|かしこまりました|了解(?:しました|です))"
        r"[、。,!！\s]{0,3}(?:もちろん|では)?[、。]?(?:以下|こちら|次)[はがにの]"
    ),
    (
        rf"(?:以下|こちら|次)[はがに][^。：:\n]{{0,40}}{_THING_JA}[^。：:\n]{{0,12}}"
        r"(?:です|ます)(?:[。：:]|$)"
    ),
    r"(?:(?:ユーザー)?クエリ|正例|負例|ハードネガティブ|ポジティブ文書|ネガティブ文書)\s*[:：]",
    r"(?:当然|好的)[，！!,]?\s*(?:以下|下面|这是)",
    rf"以下是[^。：:\n]{{0,40}}{_THING_ZH}[^。：:\n]{{0,12}}[：:]",
)
# Quotes and Markdown may come first; a brace may not: that is code.
_OPENS = re.compile(r"[\s\"'“‘「*#>_-]*(?:" + "|".join(_OPENINGS) + ")", re.IGNORECASE)
_CLOSES = re.compile(
    r"(?:\(\s*\d+ words\s*\)|\bword count:? *\d+|（\s*\d+文字\s*）"
    r"|\bnote: (?:this|the) (?:query|document|passage|text|response)\b[^\n]{0,200})\W*$",
    re.IGNORECASE,
)
_CLOSING_CHARS = 240
_CLOSING_WORDS = ("word", "note:", "文字")  # one of these is in every closing
_ROLE = re.compile(
    r"\b(?:the|this|a|our) (?:hard[ -]negative|positive|negative) (?:document|passage)\b"
    r"|\bthe user(?:['’]s)? query\b"
    r"|ハードネガティブ|ユーザーの?クエリ|(?:ポジティブ|ネガティブ)な?文書"
    r"|硬负例|困难负样本|用户查询",
    re.IGNORECASE,
)
# "ative", "itive", "query" or one of these is in every role; looking for them first is far faster.
_ROLE_WORDS_CJK = ("ネガティブ", "ポジティブ", "クエリ", "负", "用户查询")
_SEARCH = re.compile(
    r"\bquer|\bsearch|retriev|embedding|\bnegative|クエリ|検索|ネガティブ|查询|检索", re.IGNORECASE
)


def check(record: Record, _values: Mapping[str, str]) -> Reject | None:
    """Reject a record with a text that speaks of itself as an answer to a prompt."""
    for side, text in sides(record):
        found = _OPENS.match(text) or _closing(text[-_CLOSING_CHARS:]) or _role(text)
        if found and not (_ROLE.fullmatch(found.group()) and _is_about_search(record, side)):
            return Reject(f"{side}_meta_talk", f"the {side} says {quote(found.group())}")
    return None


def _closing(end: str) -> re.Match[str] | None:
    lowered = end.lower()
    return _CLOSES.search(end) if any(word in lowered for word in _CLOSING_WORDS) else None


def _role(text: str) -> re.Match[str] | None:
    lowered = text.lower()
    has_word = "ative" in lowered or "itive" in lowered or "query" in lowered
    if not has_word and not text.isascii():
        has_word = any(word in text for word in _ROLE_WORDS_CJK)
    return _ROLE.search(text) if has_word else None


def _is_about_search(record: Record, side: Side) -> bool:
    """Whether the query asks about search itself, so that the other texts may name the roles.

    Neither the query is a witness for itself ("find the hard negative document" is a leak) nor the
    task: most instructions say "given a query, retrieve".
    """
    return side != "query" and bool(_SEARCH.search(record.query))
