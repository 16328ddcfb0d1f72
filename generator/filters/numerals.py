"""The numbers that a text holds, by value: in digits, in words, in Han numerals."""

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
        """Both."""
        return self.digits | self.words


_DIGITS = re.compile(
    r"(?<![\w.])(\d{1,3}(?:[,' ]\d{3})+|\d+)((?:[.]\d+)?)(?:st|nd|rd|th)?"
    r"\s*(thousand|million|billion|hundred|dozen|tausend|millionen|milliarden|mill?ions?"
    "|mill[oó]n(?:es)?"
    r"|[百千万萬億亿兆]+)?",
)
_DIGITS_CJK = re.compile(r"(\d{1,3}(?:,\d{3})+|\d+)((?:\.\d+)?)([百千万萬億亿兆]*)")
_SCALES: dict[str, float] = {
    "百": 1e2, "千": 1e3, "万": 1e4, "萬": 1e4, "億": 1e8, "亿": 1e8, "兆": 1e12,
    "hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "dozen": 12, "tausend": 1e3,
    "millionen": 1e6, "milliarden": 1e9, "millions": 1e6, "milion": 1e6, "milions": 1e6,
    "millón": 1e6, "millones": 1e6, "millon": 1e6,
}  # fmt: skip
_HAN_DIGITS = {char: value for value, char in enumerate("〇一二三四五六七八九")} | {
    "两": 2,
    "兩": 2,
    "零": 0,
}
_HAN_UNITS = {"十": 10, "百": 100, "千": 1000}
_HAN_LARGE = {"万": 10**4, "萬": 10**4, "億": 10**8, "亿": 10**8, "兆": 10**12}
_HAN_NUMBER = re.compile(r"[〇零一二两兩三四五六七八九十百千万萬億亿兆]+")
# Where Han numerals are no number: "enough", "one time more", "a part", names.
_HAN_NO_NUMBER = re.compile(
    "(?<![〇一二三四五六七八九十百千])(?:十分|万一|千葉|八百屋|七面鳥|三角|四角|四季|三日月"
    "|三味線|百科|百貨|一[番緒体般部度種切生定旦応時人方方面瞬]|二度と|二枚目|二の舞"
    "|第[一二三]者"
    "|五月蝿|六本木|十字|万歳|三郎|一郎|二郎|四国|九州|千夏|百合|万引|千鳥|万年筆|万能|十二分"
    "|二日酔|三振|真っ二つ|一石二鳥"
    r"|一下|一点|一些|一样|一起|一直|一定|千万|万岁|百分|四处|四周|三明治|三文鱼|十足|百姓)"
)
# Value: words. One and its forms are left out: they are articles as well.
_LISTS = {
    "en": """
        2 two twice both couple; 3 three thrice third; 4 four fourth; 5 five fifth; 6 six sixth;
        7 seven seventh; 8 eight eighth; 9 nine ninth; 10 ten tenth; 11 eleven eleventh; 12
        twelve twelfth dozen; 13 thirteen; 14 fourteen; 15 fifteen; 16 sixteen; 17 seventeen; 18
        eighteen; 19 nineteen; 20 twenty; 30 thirty; 40 forty; 50 fifty; 60 sixty; 70 seventy;
        80 eighty; 90 ninety; 100 hundred; 1000 thousand; 1000000 million
    """,
    "de": """
        2 zwei zweimal zweite zweiten beide beiden halb; 3 drei dreimal dritte dritten; 4 vier
        viermal vierte; 5 fünf fünfmal fünfte; 6 sechs sechste; 7 sieben siebte; 8 acht achte; 9
        neun neunte; 10 zehn zehnte; 11 elf; 12 zwölf dutzend; 13 dreizehn; 14 vierzehn; 15
        fünfzehn; 16 sechzehn; 17 siebzehn; 18 achtzehn; 19 neunzehn; 20 zwanzig; 30 dreißig; 40
        vierzig; 50 fünfzig; 100 hundert; 1000 tausend
    """,
    "fr": """
        2 deux; 3 trois; 4 quatre; 5 cinq; 6 six; 7 sept; 8 huit; 10 dix; 20 vingt; 30 trente;
        100 cent; 1000 mille
    """,
    "es": """
        2 dos; 3 tres; 4 cuatro; 5 cinco; 6 seis; 7 siete; 8 ocho; 9 nueve; 10 diez; 20 veinte;
        30 treinta; 100 cien; 1000 mil
    """,
}
_WORDS = {
    language: {
        word: int(value)
        for value, *words in (entry.split() for entry in entries.split(";"))
        for word in words
    }
    for language, entries in _LISTS.items()
}
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
