"""What datatrove's filters say of texts: `pip install datatrove[processing] spacy[ja]`.

Reads lines of {"text", "language"} and writes, for each, the names of the filters that reject it.
Thresholds are their defaults; the two Gopher filters count words with datatrove's own tokenizer of
the language.
"""

import json
import sys
from functools import cache

from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.utils.typeshelper import Languages

LANGUAGES = {
    "en": Languages.english,
    "ja": Languages.japanese,
    "de": Languages.german,
    "zh": Languages.mandarin_chinese,
}
FILTERS = {
    "Gopher quality": GopherQualityFilter,
    "Gopher repetition": GopherRepetitionFilter,
    "C4": C4QualityFilter,
    "FineWeb": FineWebQualityFilter,
}


@cache
def filters(language):
    """All of them, for a language."""
    return {name: filter_(language=LANGUAGES[language]) for name, filter_ in FILTERS.items()}


def rejecting(text, language):
    """The names of the filters that reject the text. C4's drops lines, so each has its own copy."""
    found = []
    for name, filter_ in filters(language).items():
        verdict = filter_.filter(Document(text=text, id="0"))
        if (verdict[0] if isinstance(verdict, tuple) else verdict) is not True:
            found.append(name)
    return found


for line in sys.stdin:
    row = json.loads(line)
    print(json.dumps(rejecting(row["text"], row["language"])), flush=True)
