"""The model talks about its answer: query_meta_talk, positive_meta_talk, negative_meta_talk.

Signs: a preamble or caption before the text ("Sure! Here is a query:"), a remark after it ("(212
words)", "I hope this helps"), a judgement of it ("this passage does not answer the query"), marks
of chat formats, and talk of the record's own roles anywhere ("the hard negative document"). In
documents that answer a query about search, roles are the subject and no sign.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from generator.filters.base import Reject, Side, lowered, quote, sides
from generator.filters.meta_forms import CAPTIONS, CLOSINGS, CONFESSIONS, MARKS, OPENINGS
from generator.filters.signs import Signs
from generator.records import Record

# Quotes and Markdown may come first; a brace may not: that is code.
_OPENS = re.compile(
    r"[\s\"'“‘「*#>_-]*(?:" + "|".join(OPENINGS) + ")"
    rf"|[\s\"'“‘「*#>_\[【(（<-]*{CAPTIONS}[\]】)）>*_\"”」]{{0,4}}\s?(?:\s?[:：]|\s[-–—]\s"
    r"|[】\]*]{1,2}\s*\n)"
)
_CLOSES = re.compile("|".join(CLOSINGS))
_CONFESSES = re.compile("|".join(CONFESSIONS))
_MARKS = re.compile(MARKS)
_CLOSING_SIGNS = Signs(
    """
    hoffe fammi word token character note explanation reasoning rationale disclaimer comment
    remark n.b. hope let_me_know hesitate feel_free would_you_like do_you_want anything_else
    please_ fiction fictitious hypothetical made-up imaginary query relevant requirement
    instruction the_user the_search question constraint end_of_document end_of_passage
    end_of_response end_of_output [end [_end 文字 字) 字） 語) 語）
    単語 注 ※ 解説 説明 補足 備考 コメント お役 参考 質問 不明 修正 変更 要望 必要 他に 以上
    ご確認 別の もう一つ 他の 希望 说明 备注 解释 如果 如有 hinweis anmerkung erklärung wissen
    bescheid espère hésitez remarque espero duden dude_en avísame nota explicación spero sapere
    надеюсь знать 도움이 آمل หวังว่า
    """
)
_CONFESSION_SIGNS = Signs(
    """
    query question search user relevant looking_for asked need negative クエリ 質問 検索 ユーザー
    求めて 問い 知りたい ネガティブ 負例 誤答 不正解 查询 问题 相关 用户 beantwortet enthält
    """
)
_CLOSING_CHARS, _EDGE_CHARS = 280, 320
_MARK_SIGNS = Signs(
    "<| <｜ </ <s [/ [inst <start <end <think <reason <tool <answer <output <res"
    "p <scratch # human: user: assistant: ー: ー： ト: ト： 户: 户： 助手 人間"
)
_ROLE = re.compile(
    r"\b(?:the|this|a|our) (?:hard[ -]negative|positive|negative) (?:document|passage)\b"
    r"|\bthe user(?:['’]s)? query\b"
    r"|ハードネガティブ|ユーザーの?クエリ|(?:ポジティブ|ネガティブ)な?文書"
    r"|硬负例|困难负样本|用户查询"
)  # fmt: skip
_ROLE_SIGNS = Signs("ative_ itive_ query ネガティブ ポジティブ クエリ 负 用户查询")
_SEARCH = re.compile(
    r"\bquer|\bsearch|retriev|embedding|\bnegative|クエリ|検索|ネガティブ|查询|检索"
)


def check(record: Record, _values: Mapping[str, str]) -> Reject | None:
    """Reject a record with a text that speaks of itself as an answer to a prompt."""
    for side, text in sides(record):
        line = lowered(text)
        found = _OPENS.match(line) or _mark(line) or _closing(line) or _confession(line, side)
        found = found or _role(line)
        if found and not (_judges(found) and _is_about_search(record, side)):
            return Reject(f"{side}_meta_talk", f"the {side} says {quote(found.group())}")
    return None


def _mark(line: str) -> re.Match[str] | None:
    if "```" in line and (line.lstrip().startswith("```") or line.count("```") % 2):
        return re.search("```", line)
    return _MARKS.search(line) if _MARK_SIGNS.are_in(line) else None


def _closing(line: str) -> re.Match[str] | None:
    end = line[-_CLOSING_CHARS:].rstrip()
    return _CLOSES.search(end) if _CLOSING_SIGNS.are_in(line, end) else None


def _confession(line: str, side: Side) -> re.Match[str] | None:
    if side == "query":
        return None
    edges = (line,) if len(line) <= 2 * _EDGE_CHARS else (line[:_EDGE_CHARS], line[-_EDGE_CHARS:])
    found = (_CONFESSES.search(edge) for edge in edges if _CONFESSION_SIGNS.are_in(line, edge))
    return next(filter(None, found), None)


def _role(line: str) -> re.Match[str] | None:
    return _ROLE.search(line) if _ROLE_SIGNS.are_in(line) else None


def _judges(found: re.Match[str]) -> bool:
    """Whether it names a role of the record: in a text about search that is its subject."""
    return found.re in {_ROLE, _CONFESSES}


def _is_about_search(record: Record, side: Side) -> bool:
    """Whether the query asks about search itself, so that the other texts may name the roles.

    Neither the query is a witness for itself ("find the hard negative document" is a leak) nor the
    task: most instructions say "given a query, retrieve".
    """
    return side != "query" and bool(_SEARCH.search(lowered(record.query)))
