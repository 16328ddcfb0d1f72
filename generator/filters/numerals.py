"""The numbers that a text holds, by value: in digits, in words of a few languages, in Han numerals."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple


class Values(NamedTuple):
    """Numbers written in digits, and those written in words (1 and 0 are not counted there)."""

    digits: frozenset[float]
    words: frozenset[float]

    @property
    def all(self) -> frozenset[float]:
        return self.digits | self.words


_DIGITS = re.compile(
    r"(?<![\w.])(\d{1,3}(?:[,' ]\d{3})+|\d+)((?:[.]\d+)?)(?:st|nd|rd|th)?"
    r"\s*(thousand|million|billion|hundred|dozen|tausend|millionen|milliarden|mill?ions?|mill[oó]n(?:es)?"
    r"|[百千万萬億亿兆]+)?",
)
_DIGITS_CJK = re.compile(r"(\d{1,3}(?:,\d{3})+|\d+)((?:\.\d+)?)([百千万萬億亿兆]*)")
_SCALES: dict[str, float] = {
    "百": 1e2, "千": 1e3, "万": 1e4, "萬": 1e4, "億": 1e8, "亿": 1e8, "兆": 1e12,
    "hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "dozen": 12, "tausend": 1e3,
    "millionen": 1e6, "milliarden": 1e9, "millions": 1e6, "milion": 1e6, "milions": 1e6,
    "millón": 1e6, "millones": 1e6, "millon": 1e6,
}  # fmt: skip
_HAN_DIGITS = {char: value for value, char in enumerate("〇一二三四五六七八九")} | {"两": 2, "兩": 2, "零": 0}
_HAN_UNITS = {"十": 10, "百": 100, "千": 1000}
_HAN_LARGE = {"万": 10**4, "萬": 10**4, "億": 10**8, "亿": 10**8, "兆": 10**12}
_HAN_NUMBER = re.compile(r"[〇零一二两兩三四五六七八九十百千万萬億亿兆]+")
# Where Han numerals are no number: "enough", "one time more", "a part", names.
_HAN_NO_NUMBER = re.compile(
    r"(?<![〇一二三四五六七八九十百千])(?:十分|万一|千葉|八百屋|七面鳥|三角|四角|四季|三日月|三味線|百科|百貨|一[番緒体般部度種切生定旦応時人方方面瞬]|二度と|二枚目|二の舞|第[一二三]者"
    r"|五月蝿|六本木|十字|万歳|三郎|一郎|二郎|四国|九州|千夏|百合|万引|千鳥|万年筆|万能|十二分|二日酔|三振|真っ二つ|一石二鳥"
    r"|一下|一点|一些|一样|一起|一直|一定|千万|万岁|百分|四处|四周|三明治|三文鱼|十足|百姓)"
)
_WORDS: dict[str, dict[str, int]] = {
    "en": {
        word: value
        for value, words in enumerate(
            "two twice|three thrice third|four fourth|five fifth|six sixth|seven seventh|eight eighth|nine ninth"
            "|ten tenth|eleven eleventh|twelve twelfth|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen"
            "|twenty".split("|"),
            start=2,
        )
        for word in words.split()
    }
    | {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
    | {"hundred": 100, "thousand": 1000, "million": 10**6, "dozen": 12, "both": 2, "couple": 2},
    "de": {
        word: value
        for value, words in enumerate(
            "zwei zweimal zweite zweiten|drei dreimal dritte dritten|vier viermal vierte|fünf fünfmal fünfte|sechs sechste"
            "|sieben siebte|acht achte|neun neunte|zehn zehnte|elf|zwölf|dreizehn|vierzehn|fünfzehn|sechzehn|siebzehn"
            "|achtzehn|neunzehn|zwanzig".split("|"),
            start=2,
        )
        for word in words.split()
    }
    | {"dreißig": 30, "vierzig": 40, "fünfzig": 50, "hundert": 100, "tausend": 1000, "dutzend": 12, "beide": 2, "beiden": 2, "halb": 2},
    "fr": {"deux": 2, "trois": 3, "quatre": 4, "cinq": 5, "six": 6, "sept": 7, "huit": 8, "dix": 10, "vingt": 20, "trente": 30, "cent": 100, "mille": 1000},
    "es": {"dos": 2, "tres": 3, "cuatro": 4, "cinco": 5, "seis": 6, "siete": 7, "ocho": 8, "nueve": 9, "diez": 10, "veinte": 20, "treinta": 30, "cien": 100, "mil": 1000},
}  # fmt: skip
_WORD = re.compile(r"[^\W\d_]+")
_HAN_LANGUAGES = frozenset({"ja", "zh"})


def values(text: str, language: str) -> Values:
    """The numbers of the text. Full-width digits and digits of other scripts are digits too."""
    line = unicodedata.normalize("NFKC", text).casefold()
    has_han = language in _HAN_LANGUAGES
    line = line.replace("half a ", "0.5 ")
    digits = set(_of_digits(line, _DIGITS_CJK if has_han else _DIGITS))
    if has_han:
        rest = _HAN_NO_NUMBER.sub(" ", re.sub(r"\d[\d,.]*[百千万萬億亿兆]*", " ", line))
        words = {float(n) for run in _HAN_NUMBER.findall(rest) if (n := han_number(run)) > 1}
    else:
        words = set(_of_words(line, _WORDS.get(language, {})))
    return Values(frozenset(digits), frozenset(words))


def _of_digits(line: str, pattern: re.Pattern[str]) -> list[float]:
    found = []
    for whole, fraction, scale in pattern.findall(line):
        number = float(re.sub(r"[,' ]", "", whole) + fraction)
        for part in [scale] if scale in _SCALES else scale:
            number *= _SCALES.get(part, 1)
        found.append(number)
    return found


def _of_words(line: str, known: dict[str, int]) -> list[float]:
    """Numbers in words; "twenty-five" is 25, "two hundred" 200, "three thousand" 3000."""
    found: list[float] = []
    total, before = 0.0, ""
    for word in [*_WORD.findall(line), ""]:
        value = known.get(word, 0)
        if value >= 100 and value != 0:
            total = max(total, 1) * value
        elif value and 20 <= total < 100 and total % 10 == 0 and value < 10 and before in known:
            total += value
        else:
            if total > 1:
                found.append(total)
            total = float(value)
        before = word
    return found


def han_number(run: str) -> int:
    """The value of a run of Han numerals: "二十三" 23, "一九四五" 1945, "三万五千" 35000."""
    if not any(char in _HAN_UNITS or char in _HAN_LARGE for char in run):
        return int("".join(str(_HAN_DIGITS[char]) for char in run))
    total, section, digit = 0, 0, 0
    for char in run:
        if char in _HAN_DIGITS:
            digit = digit * 10 + _HAN_DIGITS[char] if digit else _HAN_DIGITS[char]
        elif char in _HAN_UNITS:
            section, digit = section + (digit or 1) * _HAN_UNITS[char], 0
        else:
            total, section, digit = total + (section + digit or 1) * _HAN_LARGE[char], 0, 0
    return total + section + digit
