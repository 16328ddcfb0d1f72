"""A text that breaks off: query_unfinished, positive_unfinished, negative_unfinished.

A document of some length ends in a stop, a bracket, a quotation mark or a colon; one that ends in
a bare word, a comma or dots was cut. In Japanese a predicate ends it, too, and what notes end in
(`japanese_ends`). A query needs no stop, so it is unfinished only where its last word asks for
another one. Languages without a full stop pass.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from generator.filters import japanese_ends
from generator.filters.base import Reject, prose_sides, quote
from generator.records import Record
from generator.text import word_count

# Full stops of the world's scripts, and what may close a text besides.
_STOPS = ".!?。！？｡．।॥۔؟։።፧៕჻᠃:：;；"
_CLOSERS = "\"'”’“‘»«›」』）)]】》〉}］｝〕｣＞*_`|>~～†♪☆★"
_OPENERS = "([{（［【「『《“"
_DOTS = re.compile(r"(?:\.{2,}|…+|・{3,}|。{2,})[\s\"'”’」』]*$")
# What an encyclopedia leaves behind its last stop: "super.:212-219", "sound.[3]".
_REFERENCE = re.compile(r"(?<=[.。．！？!?])[:：\[\]\d\s,–-]{1,20}$")
_NO_STOPS = frozenset({"th", "lo", "km", "my", "jv", "su"})
# A last line that is an item, a heading, an address, a formula or a reference ends in no stop.
_ITEM = re.compile(
    r"^\s*(?:[-•*+·▪◦‣・●■□◆|#>]|\(?\d{1,3}[.)、．]|[A-Za-z][.)])\s*"
    r"|https?://\S+$|[=≈]|\bIS[BS]N[ :：]?[\dX–-]+$"
)
_ENDS = {
    "en": "a an the and or but because than of with into from to by is are was were my your their",
    "de": "der die das dem den des ein eine einen einem eines und oder von vom zu zum zur mit"
    " für im",
    "fr": "le la les un une des du de et ou à au aux pour avec dans sur par que qui",
    "es": "el la los las un una de del y o para con en por que al",
    "it": "il lo la gli un una di del della e o per con in che al alla",
    "pt": "o a os as um uma de do da e ou para com em por que ao",
    "nl": "de het een en of van voor met in op te naar",
}
_OPEN_WORDS = {
    language: re.compile(
        rf"(?:^|\s)(?:{words.replace(' ', '|')})(?:\s*(?:…|\.\.\.))?$", re.IGNORECASE
    )
    for language, words in _ENDS.items()
}
# English questions may end in these: "what is glass made of", "tell me what peer review is".
_STRANDED = re.compile(
    r"^\W*(?:what|who|whom|where|which|how)\b.*\b(?:from|to|with|by|into|(?:made|composed"
    "|consists?|consist(?:ing|ed)"
    r"|out|think|thinking|died?|born|aware|capable|afraid|proud|speak|heard?) of)$"
    r"|^(?!\W*(?:what|who|where|which|how|when|why)\b).*\b(?:what|who|where|which|how|when"
    r"|why)\b.*\b(?:is|are|was|were)$",
    re.IGNORECASE,
)
_OPEN_ZH = re.compile(r"(?:[、，]|和|或|与|及|以及|关于|对于|因为|如果)(?:…+)?$")


def check(
    record: Record,
    _values: Mapping[str, str],
    *,
    min_words: float = 15,
    query_min_words: float = 3,
    queries: bool = True,
) -> Reject | None:
    """Reject a record with a text that ends before its end.

    `min_words`: shorter documents are captions or titles and may end as they like.
    `query_min_words`: shorter queries are keywords; `queries` false lets all of them pass.
    """
    for side, text, language in prose_sides(record):
        end = text.rstrip()
        if side == "query":
            is_open = queries and _is_open(end, language) and word_count(end) >= query_min_words
        else:
            is_open = _breaks_off(end, language) and word_count(end) >= min_words
        if is_open:
            return Reject(f"{side}_unfinished", f"it ends {quote(end[-60:])}")
    return None


def _breaks_off(end: str, language: str) -> bool:
    if end[-1:] in _STOPS and not _DOTS.search(end[-8:]):
        return False
    end = _REFERENCE.sub("", end)
    bare = end.rstrip(_STOPS + _CLOSERS + " \t\n")
    if _DOTS.search(end[-12:]):  # in Japanese they may follow a whole sentence: "…に依存する…"
        return language != "ja" or not japanese_ends.is_whole(_DOTS.sub("", end))
    if language in _NO_STOPS or len(bare) < len(end) or not bare:
        return False
    if language == "ja" and (japanese_ends.is_whole(end) or japanese_ends.is_caption(end)):
        return False
    line = end[end.rfind("\n") + 1 :]
    return not _ITEM.search(line)


def _is_open(end: str, language: str) -> bool:
    if end[-1:] in _OPENERS:
        return True
    if language == "ja":
        return japanese_ends.is_open_query(end)
    if language == "zh":
        return bool(_OPEN_ZH.search(end[-12:]))
    pattern = _OPEN_WORDS.get(language)
    if pattern is None or not pattern.search(end[-24:]):
        return False
    return language != "en" or not _STRANDED.search(end)
