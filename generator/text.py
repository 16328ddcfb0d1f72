"""Measures of text that several stages share: words, normal form, phrases, character n-grams.

Knows no record and no language code: everything is decided by the characters themselves, so a
Japanese sentence inside an English document is measured as Japanese.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

# Characters of scripts written without spaces, as ranges of a character class. Digits and
# punctuation of these scripts are left out.
HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
KANA = "\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f"
CJK = HAN + KANA
THAI, LAO = "\u0e01-\u0e3a\u0e40-\u0e4e", "\u0e81-\u0ece\u0edc-\u0edf"
BURMESE, KHMER = "\u1000-\u103f\u1050-\u109f", "\u1780-\u17d3\u17dd"
SOUTH_EAST = THAI + LAO + BURMESE + KHMER

_CJK_RUN = re.compile(f"[{CJK}]+")
_SOUTH_EAST_RUN = re.compile(f"[{SOUTH_EAST}]+")
UNSPACED_CHAR = re.compile(f"[{CJK}{SOUTH_EAST}]")
_UNSPACED_RUN = re.compile(f"[{CJK}{SOUTH_EAST}]+")
# The space first: what a pattern begins with is looked for fastest.
_SPACE_BESIDE_UNSPACED = re.compile(f" (?:(?<=[{CJK}{SOUTH_EAST}] )|(?=[{CJK}{SOUTH_EAST}]))")
_UNIT = re.compile(f"[{CJK}{SOUTH_EAST}]|[^\\s{CJK}{SOUTH_EAST}]+")
_WORD = re.compile(r"[^\W_]\S*")  # a token of a spaced script that holds a letter or digit

CHARS_PER_CJK_WORD = 2
CHARS_PER_SOUTH_EAST_WORD = 4
SHINGLE_CHARS = 5

Hashes = NDArray[np.uint64]


# Tables over ASCII text: on its bytes `translate` is many times as fast as a pattern on the text.
_ASCII = [chr(code) for code in range(128)]
_SPACES_ALIKE = bytes(32 if char.isspace() else ord(char) for char in _ASCII) + bytes(128)
_NO_WORD = bytes(ord(char) for char in _ASCII if not char.isspace() and not char.isalnum())


@lru_cache(maxsize=64)  # the rules of one record ask for the same few texts
def word_count(text: str) -> float:
    """Words in the text, in any script.

    Spaced scripts: tokens between spaces that hold a letter or digit. By convention a Han or kana
    character is half a word, a Thai, Lao, Khmer or Burmese one (vowel signs too) a quarter.
    """
    if text.isascii():
        # What is left of a token with a letter or digit is never empty.
        words = text.encode().translate(_SPACES_ALIKE, _NO_WORD).strip()
        is_even = words and b"  " not in words  # then counting is four times as fast
        return float(words.count(b" ") + 1 if is_even else len(words.split()))
    rest, cjk_runs = _CJK_RUN.subn(" ", text)
    cjk = len(text) - len(rest) + cjk_runs
    spaced, south_east_runs = _SOUTH_EAST_RUN.subn(" ", rest)
    south_east = len(rest) - len(spaced) + south_east_runs
    unspaced = cjk / CHARS_PER_CJK_WORD + south_east / CHARS_PER_SOUTH_EAST_WORD
    return len(_WORD.findall(spaced)) + unspaced


def storable(text: str) -> str:
    """The text without lone surrogates, which no file and no database takes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


@lru_cache(maxsize=16)
def used_chars(text: str) -> str:
    """The text's characters, each once, in no order: far fewer to search than the text has."""
    return "".join(set(text))


def unspaced_share(text: str) -> float:
    """Share of the characters that belong to scripts written without spaces, 0 to 1."""
    if not text or text.isascii():
        return 0.0
    return len("".join(_UNSPACED_RUN.findall(text))) / len(text)


class _Folding(dict[str, str]):
    """What a character becomes, filled as they come: punctuation a space, format characters "".

    Symbols stay ("a > b" is not "a < b"), and so do # % & @, which tell C# from C. Characters that
    stay are kept in `plain` alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.plain: set[str] = set()

    def __missing__(self, char: str) -> str:
        category = unicodedata.category(char)
        if category in {"Cf", "Cs"}:
            self[char] = ""
        elif category[0] in "PZC" and char not in "#%&@":
            self[char] = " "
        else:
            self.plain.add(char)
            return char
        return self[char]


_FOLDING = _Folding()
_ASCII_FOLDING = "".join(map(_FOLDING.__getitem__, _ASCII)).encode() + bytes(128)


@lru_cache(maxsize=64)
def normalise(text: str) -> str:
    """The text's normal form: NFKC, casefolded, punctuation and spaces folded to one space.

    Spaces beside characters of unspaced scripts go too: there they are only typography.
    """
    if text.isascii():
        words = text.lower().encode().translate(_ASCII_FOLDING)
        while b"  " in words:  # far faster than to split and join
            words = words.replace(b"  ", b" ")
        return words.strip(b" ").decode()
    folded = unicodedata.normalize("NFKC", text).casefold()
    for char in set(folded) - _FOLDING.plain:  # a few; `translate` looks at every character
        folded = folded.replace(char, _FOLDING[char])
    folded = " ".join(folded.split())
    return folded if folded.isascii() else _SPACE_BESIDE_UNSPACED.sub("", folded)


def units(text: str) -> list[str]:
    """The units of a text in normal form: words, and the characters of unspaced scripts."""
    return text.split() if text.isascii() else _UNIT.findall(text)


def contains_phrase(text: str, phrase: str) -> bool:
    """Whether a normalised text holds a normalised phrase, whole words only in spaced scripts."""
    if not phrase:
        return False
    start = text.find(phrase)
    while start >= 0:
        end = start + len(phrase)
        if _is_boundary(text, start) and _is_boundary(text, end):
            return True
        start = text.find(phrase, start + 1)
    return False


def _is_boundary(text: str, place: int) -> bool:
    if place in {0, len(text)}:
        return True
    before, after = text[place - 1], text[place]
    return " " in {before, after} or bool(UNSPACED_CHAR.match(before) or UNSPACED_CHAR.match(after))


FACTOR = 0x9E3779B97F4A7C15  # odd, so that its powers never vanish modulo 2**64
_MIX = np.uint64(0xD6E8FEB86659FD93)
_HALF = np.uint64(32)
_EIGHT = 8  # ASCII characters in 64 bits
_BUCKET_BITS = 15


def ngram_hashes(text: str, size: int) -> Hashes:
    """A 64-bit hash of each run of `size` characters, in order; of the whole text if shorter."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    if codes.size == 0:
        return np.empty(0, dtype=np.uint64)
    return scramble(windows(scramble(codes.astype(np.uint64)), min(size, codes.size)))


def ngram_keys(text: str, size: int) -> Hashes:
    """A 64-bit key of each run of `size` characters, in order; of the whole text if shorter.

    Within one text equal runs have equal keys, and different ones different keys but for a chance
    of 2**-64. Far cheaper than `ngram_hashes`, which can be compared between texts.
    """
    if size <= len(text) and size <= _EIGHT and text.isascii():
        raw = text.encode() + bytes(_EIGHT)
        eights = np.ndarray((len(text) - size + 1,), dtype="<u8", buffer=raw, strides=(1,))
        masked: Hashes = eights & np.uint64(2 ** (_EIGHT * size) - 1)
        return masked  # the characters themselves
    if size <= len(text) and text.isascii():
        raw, count = text.encode(), len(text) - size + 1
        eights = np.ndarray((len(raw) - _EIGHT + 1,), dtype="<u8", buffer=raw, strides=(1,))
        keys: Hashes = eights[:count]
        for start in (*range(_EIGHT, size - _EIGHT, _EIGHT), size - _EIGHT):
            keys = keys * np.uint64(FACTOR) + eights[start : start + count]
        return keys
    return _polynomials(text, size)


def _polynomials(text: str, size: int) -> Hashes:
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    if codes.size == 0:
        return np.empty(0, dtype=np.uint64)
    return windows(codes.astype(np.uint64), min(size, codes.size))


def count_distinct(hashes: Hashes) -> int:
    """How many different ones there are."""
    ordered = hashes.copy()
    ordered.sort()
    return 1 + int(np.count_nonzero(ordered[1:] != ordered[:-1])) if ordered.size else 0


def buckets(keys: Hashes) -> NDArray[np.bool_]:
    """Which of 32,768 buckets hold a key.

    So it bounds `count_distinct` from below, in a fifth of the time that sorting takes.
    """
    held = np.zeros(1 << _BUCKET_BITS, dtype=np.bool_)
    held[((keys * np.uint64(FACTOR)) >> np.uint64(64 - _BUCKET_BITS)).view(np.int64)] = True
    return held


def windows(values: Hashes, size: int) -> Hashes:
    """The polynomial in `FACTOR` of each run of `size` values, modulo 2**64, by halving."""
    if size == 1:
        return values
    half = size // 2
    halves = windows(values, half)
    runs = halves[:-half] * np.uint64(pow(FACTOR, half, 2**64)) + halves[half:]
    return runs if size % 2 == 0 else runs[:-1] * np.uint64(FACTOR) + values[2 * half :]


def scramble(values: Hashes) -> Hashes:
    """A bijection of 64-bit values that spreads every bit (two rounds of xor-shift-multiply)."""
    values = (values ^ (values >> _HALF)) * _MIX
    values = (values ^ (values >> _HALF)) * _MIX
    return values ^ (values >> _HALF)


def distinct(hashes: Hashes) -> Hashes:
    """The hashes as a set: sorted, each once."""
    ordered = np.sort(hashes)
    return (
        ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])] if ordered.size else ordered
    )


def shingles(text: str) -> Hashes:
    """The set of the normalised text's character 5-grams: sorted, distinct keys.

    Characters, not words: the same measure then works with and without spaces between words.
    """
    return distinct(_polynomials(normalise(text), SHINGLE_CHARS))


def clock(seconds: float) -> str:
    """Seconds as a reader says them: `42s`, `3m10s`, `2h05m`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}m{rest:02}s"
    return f"{minutes // 60}h{minutes % 60:02}m"


def guessed_tokens(text: str) -> int:
    """About how many tokens a model sees: four characters each, two where they are not Latin."""
    latin = sum(1 for character in text if ord(character) < 0x250)
    return latin // 4 + (len(text) - latin) // 2
