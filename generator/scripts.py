"""Which scripts a language is written in, and how much of a text is in them.

Codes are those of the 93 languages of XLM-R; a code that the table does not hold has no script,
and nothing is said about its texts.
"""

from __future__ import annotations

import re
from functools import cache

from generator.text import BURMESE, CJK, HAN, KANA, KHMER, LAO, THAI

# ISO 15924 code: the ranges of a character class. Combining signs of a script count as its letters.
RANGES: dict[str, str] = {
    "Latn": (
        "A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02af"
        "\u1e00-\u1eff\u2c60-\u2c7f\ua720-\ua7ff\uff21-\uff3a\uff41-\uff5a"
    ),
    "Cyrl": "\u0400-\u052f\u1c80-\u1c8f\u2de0-\u2dff\ua640-\ua69f",
    "Arab": "\u0620-\u065f\u066e-\u06d3\u06d5-\u06ef\u06fa-\u06ff\u0750-\u077f\u08a0-\u08ff"
    "\ufb50-\ufdff\ufe70-\ufeff",
    "Grek": "\u0370-\u03ff\u1f00-\u1fff",
    "Hebr": "\u0591-\u05f4\ufb1d-\ufb4f",
    "Armn": "\u0531-\u0587",
    "Geor": "\u10a0-\u10ff\u1c90-\u1cbf",
    "Ethi": "\u1200-\u135f\u1380-\u138f\u2d80-\u2ddf",
    "Deva": "\u0900-\u0963\u0970-\u097f\ua8e0-\ua8ff",
    "Beng": "\u0980-\u09e3\u09f0\u09f1",
    "Guru": "\u0a01-\u0a5e\u0a70-\u0a75",
    "Gujr": "\u0a81-\u0ae3\u0af9-\u0aff",
    "Orya": "\u0b01-\u0b63\u0b71",
    "Taml": "\u0b82-\u0bd7",
    "Telu": "\u0c00-\u0c63",
    "Knda": "\u0c80-\u0ce3\u0cf1\u0cf2",
    "Mlym": "\u0d00-\u0d63\u0d7a-\u0d7f",
    "Sinh": "\u0d81-\u0df3",
    "Thai": THAI,
    "Laoo": LAO,
    "Mymr": BURMESE,
    "Khmr": KHMER,
    "Hani": HAN,
    "Jpan": HAN + KANA,
    "Kore": "\uac00-\ud7a3\u1100-\u11ff\u3131-\u318e" + HAN,
}

# Languages by the scripts that they may be written in today, or are in the training corpora.
_BY_SCRIPT: dict[tuple[str, ...], str] = {
    ("Latn",): (
        "af az br ca cs cy da de en eo es et eu fi fr fy ga gd gl ha hr hu id is it jv la lt lv "
        "mg ms nl no om pl pt ro sk sl so sq su sv sw tl tr vi xh"
    ),
    ("Cyrl",): "be bg kk ky mk mn ru uk",
    ("Latn", "Cyrl"): "bs sr uz",
    ("Latn", "Arab"): "ku",
    ("Arab",): "ar fa ps sd ug ur",
    ("Deva",): "hi mr ne sa",
    ("Beng",): "as bn",
    ("Grek",): "el",
    ("Hebr",): "he yi",
    ("Armn",): "hy",
    ("Geor",): "ka",
    ("Ethi",): "am",
    ("Guru",): "pa",
    ("Gujr",): "gu",
    ("Orya",): "or",
    ("Taml",): "ta",
    ("Telu",): "te",
    ("Knda",): "kn",
    ("Mlym",): "ml",
    ("Sinh",): "si",
    ("Thai",): "th",
    ("Laoo",): "lo",
    ("Mymr",): "my",
    ("Khmr",): "km",
    ("Hani",): "zh",
    ("Jpan",): "ja",
    ("Kore",): "ko",
}
SCRIPTS: dict[str, tuple[str, ...]] = {
    language: scripts for scripts, languages in _BY_SCRIPT.items() for language in languages.split()
}

# One Han or kana character says about what three letters of an alphabet say: without this weight a
# Japanese question that names "PostgreSQL" would count as Latin.
LETTERS_PER_CJK = 3

_CJK_RUN = re.compile(f"[{CJK}]+")
_ASCII_LETTER = re.compile("[A-Za-z]")
_NO_ASCII_LETTER = bytes(code for code in range(128) if not chr(code).isalpha())
_LETTERS = re.compile(r"[^\W\d_]+")


@cache
def _pattern(scripts: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("[" + "".join(RANGES[script] for script in scripts) + "]+")


def letter_count(text: str) -> int:
    """Letters in the text; a Han or kana character counts as three."""
    if text.isascii():
        return len(text.encode().translate(None, _NO_ASCII_LETTER))
    letters = "".join(_LETTERS.findall(text))
    return len(letters) + (LETTERS_PER_CJK - 1) * len("".join(_CJK_RUN.findall(letters)))


def script_share(text: str, language: str) -> float | None:
    """Share of the text's letters that are in a script of the language, 0 to 1.

    `None` where the language is not in the table or the text holds no letter.
    """
    scripts = SCRIPTS.get(language)
    if scripts is None:
        return None
    if text.isascii() and "Latn" in scripts:
        return 1.0 if _ASCII_LETTER.search(text) else None
    others = letter_count(_pattern(scripts).sub("", text))
    if others == 0:  # nearly every text: counting its own letters can be left out
        return 1.0 if _pattern(scripts).search(text) else None
    return 1 - others / letter_count(text)
