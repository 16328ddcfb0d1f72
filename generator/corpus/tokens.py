"""How long a text is in tokens, about, without a model; and its sentences, in any script.

Subword tokenisers differ by a third among themselves: a budget needs no more than this count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from generator.text import CJK, SOUTH_EAST

# A word is a token for every six letters that it has begun; a Han or kana character is one, two
# South-East Asian ones are one; so is every sign.
_LETTERS_A_TOKEN = 6
_UNSPACED_RUN = re.compile(f"[{CJK}]|[{SOUTH_EAST}]{{1,2}}")
_WORD = re.compile(r"\w+")
_SIGN = re.compile(r"[^\w\s]")

_CLOSING = "」』）)\\]\"'”’»"
# After 。！？． at once, but not inside 「行く。」と言った or ３．５; after . ! ? before a space
# and what is no small letter.
_SENTENCE_END = re.compile(
    rf"(?<=[。！？｡])(?![{_CLOSING}。！？])|(?<=．)(?![{_CLOSING}．\d])"
    rf"|(?<=[。！？｡．][{_CLOSING}])(?![{_CLOSING}とっ、，。．])"
    rf"|(?<=[.!?…])[{_CLOSING}]*\s+(?=[^\sa-z])|(?<=[।။។॥؟])\s*"
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:[A-Z]|e\.g|i\.e|etc|vs|cf|al|Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|No|Fig|Vol|Inc|Ltd|Co|approx|ca))\.$"
)
_HARD_CUT = 200  # characters a piece of what has no sentences and no spaces


def token_count(text: str) -> int:
    """Tokens in the text, about: a little more than most tokenisers make of it."""
    text, unspaced = _UNSPACED_RUN.subn(" ", text)
    words = sum(1 + (len(word) - 1) // _LETTERS_A_TOKEN for word in _WORD.findall(text))
    return unspaced + words + len(_SIGN.findall(text))


def sentences(text: str) -> list[str]:
    """The sentences of a paragraph, each with its end mark and without spaces around it."""
    found: list[str] = []
    start = 0
    for match in _SENTENCE_END.finditer(text):
        piece = text[start : match.end()]
        if match.group() and _ABBREVIATION.search(piece.rstrip()):
            continue
        if piece.strip():
            found.append(piece.strip())
        start = match.end()
    rest = text[start:].strip()
    return [*found, rest] if rest else found


def chopped(text: str, budget: int) -> Iterator[str]:
    """A text without sentences in pieces of at most `budget` tokens, at spaces where it has any."""
    piece, size = "", 0
    for word in re.findall(rf"\S{{1,{_HARD_CUT}}}\s*", text):
        for part in _parts(word, budget):
            cost = token_count(part)
            if piece and size + cost > budget:
                yield piece.strip()
                piece, size = "", 0
            piece, size = piece + part, size + cost
    if piece.strip():
        yield piece.strip()


def _parts(word: str, budget: int) -> Iterator[str]:
    """A run without spaces, whole where it fits, else in halves."""
    if token_count(word) <= budget or len(word) < 2:
        yield word
        return
    half = len(word) // 2
    yield from _parts(word[:half], budget)
    yield from _parts(word[half:], budget)
