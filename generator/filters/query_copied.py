"""The query is a copy out of the positive, or holds its answer: query_in_positive, answer_in_query.

Keywords belong in the document that answers them ("Berlin wall"), as do a question's own words and
in Japanese a clause that ends in a noun.
A copy is a whole sentence of the positive, a statement that stands in it but for a few characters,
or a query that is nearly all of a positive. The answer is given away where a question goes on with
such a statement. Labels are not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from generator.alike import contained
from generator.filters.base import Reject, quote
from generator.filters.japanese_ends import ends_in_noun
from generator.records import Record
from generator.text import contains_phrase, normalise, unspaced_share, word_count

# From here on a query is a sentence rather than keywords; 7.5 words are 15 Han or kana characters.
_SENTENCE_WORDS = 6.0
_UNSPACED_SENTENCE_WORDS = 7.5
# A positive longer than this many queries is no copy of one, however many n-grams they share.
_COMPARABLE = 1.5
# And one this much shorter than a positive is a sentence of it; else the two are a pair.
_PART_OF = 2.0
_QUESTION_MARK = re.compile(r"[?？؟]")
# A query that ends as a text does, in a run of this many characters of the positive.
_STATES = re.compile(r"(?<!か)[。．.]$")
_WHO = re.compile(r"何|誰|なんと|どこ[のにがで]|いつ[のにから]")
_RUN_CHARS = 40
_END_CHARS = 4
_STOPS = re.compile(r"[。．.!?！？\n]")
_AFTER_WORDS = re.compile(r"\W+$")
_QUOTED = '「『“"'
_SENTENCE = re.compile(r"[^.!?。．！？\n]+(?:[.!?。．！？]+(?=\s|$|[^\s.!?。．！？\d])|\n|$)")
_ASKS = re.compile(
    r"[?？؟]\W*$|(?:か|は|とは|何|誰|いつ|どこ)[。．]?$|[吗呢]\W*$"
    r"|(?:何|誰|だれ|いつ|どこ|どの|どんな|どう|なぜ|いくつ|いくら|どれ|どちら)"
    r"|^\W*(?:what|who|when|where|why|how|which|whom|whose|is|are|was|were|do|does|did|can"
    "|could|in (?:what|which)"
    r"|tell|find|list|name|explain|describe|give)\b",
    re.IGNORECASE,
)


_INTERROGATIVE = re.compile(
    r"\b(?:what|who|when|where|why|how|which|whom|whose)\b"
    r"|何|誰|だれ|いつ|どこ|どの|どんな|なぜ|いくつ|いくら|どれ|どちら"
)


def check(
    record: Record,
    _values: Mapping[str, str],
    *,
    max_overlap: float = 0.8,
    max_sentence_overlap: float = 0.85,
) -> Reject | None:
    """Reject a query that stands in a positive word for word, is nearly all of it, or holds a part.

    `max_overlap`: share of the query's character 5-grams in a positive of comparable length.
    `max_sentence_overlap`: the same of one statement in the query, in a positive of any length.
    """
    if record.label is not None:
        return None
    query, asks_last = normalise(record.query), _asks_last(record.query)
    for positive in record.positives:
        text = normalise(positive.text)
        if not query or not text:
            continue
        asks = _adds_question_mark(record.query, positive.text)
        clause = record.query_language == "ja" and _is_noun_clause(record.query, positive.text)
        copied = not (asks or clause) and _stands_in(text, query, max_overlap)
        pair = record.symmetric
        if copied or (
            _are_comparable(text, query)
            and (pair or not (_asks_by_its_end(query, asks) or _asks_for_more(query, text)))
            and _overlaps(text, query, max_overlap, pair=pair)
        ):
            return Reject("query_in_positive", f"the positive holds {quote(record.query)}")
        if not (record.symmetric or asks_last or clause):
            statement = _copied_statement(record.query, text, max_sentence_overlap)
            if statement:
                whole = record.query.strip().startswith(statement)
                reason = "query_in_positive" if whole else "answer_in_query"
                return Reject(reason, f"the positive holds {quote(statement)}")
    return None


def _adds_question_mark(query: str, text: str) -> bool:
    """Whether the query made a question of words that are none in the text."""
    asks = query.rstrip(" \"'”’」』")
    if asks.endswith("は"):  # "X の名前は": the rest of the question is understood
        return True
    return bool(_QUESTION_MARK.match(asks[-1:])) and not _QUESTION_MARK.search(text)


def _is_noun_clause(query: str, text: str) -> bool:
    """Whether a Japanese query ends in a noun, and the text's sentence goes on where it ends.

    "…を定めた日本の法令" may stand in the text: it is how keywords are written, and how a question
    leaves its last words out. A statement ends in its predicate, or where a sentence ends.
    """
    end = _AFTER_WORDS.sub("", query)
    if _STOPS.search(query) or not ends_in_noun(end):
        return False
    return not re.search(rf"{re.escape(end[-_END_CHARS:])}\W*(?:{_STOPS.pattern}|$)", text)


def _are_comparable(text: str, query: str) -> bool:
    """Whether the query is a sentence at least, and the text not far longer."""
    return len(text) <= _COMPARABLE * len(query) and word_count(query) >= _SENTENCE_WORDS


def _asks_by_its_end(query: str, asks: bool) -> bool:
    """Whether it is a question in a language that asks with the words of a statement, in order.

    "…となっている地域は？" has all of the sentence that answers it; English would turn it round.
    """
    return asks and unspaced_share(query) > 1 / 2


def _asks_for_more(query: str, text: str) -> bool:
    """Whether it asks with a word that the text lacks: its other words may all be the text's."""
    return any(word not in text for word in _INTERROGATIVE.findall(query))


def _stands_in(text: str, query: str, max_overlap: float) -> bool:
    if not contains_phrase(text, query):
        return False
    is_part = len(text) > _PART_OF * len(query) and word_count(query) >= _sentence_words(query)
    return is_part or len(query) > max_overlap * len(text)


def _sentence_words(query: str) -> float:
    return _UNSPACED_SENTENCE_WORDS if unspaced_share(query) > 1 / 2 else _SENTENCE_WORDS


def _asks_last(query: str) -> bool:
    """Whether the query ends in its question: a statement before that is what it is about."""
    sentences = _SENTENCE.findall(query)
    last = sentences[-1].strip() if sentences else ""
    return bool((_WHO if _STATES.search(last) else _ASKS).search(last))


def _overlaps(text: str, query: str, max_overlap: float, *, pair: bool) -> bool:
    """Whether the two share most 5-grams: of the query's, of a pair those of the longer one."""
    if contained(query, text, max_overlap) <= max_overlap:
        return False
    return not pair or contained(text, query, max_overlap) > max_overlap


def _copied_statement(query: str, text: str, max_overlap: float) -> str | None:
    """A sentence of the query that asks nothing and stands in the (normalised) text."""
    end = query.strip()
    if _STATES.search(end):
        run = _RUN_CHARS if end.isascii() else _RUN_CHARS // 2
        line = normalise(end)
        if len(line) > run and line[-run:] in text:
            return re.split(r"[.。．?？]", end[:-1])[-1].strip() or end
    for match in _SENTENCE.finditer(query):
        sentence = match.group().strip()
        if sentence[:1] in _QUOTED:  # who said it?
            continue
        if word_count(sentence) < _SENTENCE_WORDS + 2 or _ASKS.search(sentence):
            continue
        line = normalise(sentence)
        # Most statements share no long run of characters with the text.
        middle = len(line) // 2
        if not any(line[at : at + 8] in text for at in (0, middle // 2, middle, -10)):
            continue
        if contained(line, text, max_overlap) > max_overlap:
            return sentence
    return None
