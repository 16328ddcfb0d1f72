"""Substrings of which one is in whatever a pattern finds, and looking for them first.

A rule asks of every text whether one of some hundred signs is in it. To look for each is dear, so
those of all rules are looked for at once, word by word: a piece of a sign lies within a word, and
which signs a word may be part of is known after its first time. What is found so, a handful, is
then looked for as it stands. Signs that are not in ASCII are known by one of their characters.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from functools import lru_cache

from generator.text import used_chars

_MOST_WORDS, _LONGEST_WORD = 1 << 15, 32
_EDGE = "\0"  # of a word
_NONE: frozenset[str] = frozenset()


class _ByWord(dict[str, frozenset[str]]):
    """The signs that a word of ASCII characters may be part of. Fills itself, within bounds."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: dict[str, str] = {}  # of each sign its longest piece
        self._any: re.Pattern[str] | None = None

    def add(self, sign: str) -> None:
        self._pieces[sign] = max(sign.replace(" ", f"{_EDGE} {_EDGE}").split(" "), key=len)
        self._any = None
        self.clear()

    def __missing__(self, word: str) -> frozenset[str]:
        if self._any is None:
            self._any = re.compile(_any_of(set(self._pieces.values())))
        bounded = f"{_EDGE}{word}{_EDGE}"
        found = _NONE
        if self._any.search(bounded):
            found = frozenset(sign for sign, piece in self._pieces.items() if piece in bounded)
        if len(self) >= _MOST_WORDS:
            self.clear()
        if len(word) <= _LONGEST_WORD:
            self[word] = found
        return found


def _any_of(words: AbstractSet[str]) -> str:
    """A pattern for any of the words, as a tree of their characters: four times as fast."""
    if "" in words:
        return ""
    tails: defaultdict[str, set[str]] = defaultdict(set)
    for word in words:
        tails[word[0]].add(word[1:])
    return f"(?:{'|'.join(re.escape(head) + _any_of(tails[head]) for head in sorted(tails))})"


_by_word = _ByWord()
_by_char: dict[str, frozenset[str]] = {}


class Signs:
    """Words in a row, underscores for spaces. ASCII texts are not searched for the others."""

    def __init__(self, words: str) -> None:
        self._signs = frozenset(word.replace("_", " ") for word in words.split())
        for sign in self._signs:
            if sign.isascii():
                _by_word.add(sign)
            else:
                char = max(sign, key=_rarity)
                _by_char[char] = _by_char.get(char, _NONE) | {sign}

    def __iter__(self) -> Iterator[str]:
        return iter(self._signs)

    def are_in(self, text: str, part: str | None = None) -> bool:
        """Whether one of them is in the text (in lower case), or in a part of it."""
        likely = _likely(text)
        if self._signs.isdisjoint(likely):
            return False
        searched = text if part is None else part
        return any(sign in searched for sign in self._signs & likely)


def _rarity(char: str) -> tuple[bool, str]:
    """Han characters come after kana, and say more; the commonest of all say nothing."""
    return char not in "ーンルトスラリのとらも一有以是本分他）", char


@lru_cache(maxsize=16)  # all rules ask about the same texts
def _likely(text: str) -> frozenset[str]:
    """The signs that may be in the text: no others are."""
    if text.isascii():
        return _NONE.union(*filter(None, map(_by_word.__getitem__, set(text.split()))))
    words = set(text.encode("ascii", "ignore").decode().split())
    of_chars = map(_by_char.__getitem__, set(used_chars(text)).intersection(_by_char))
    return _NONE.union(*filter(None, map(_by_word.__getitem__, words)), *of_chars)
