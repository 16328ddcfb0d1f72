"""A text out of the prompt: query_copies_prompt, positive_copies_prompt, negative_copies_prompt.

Small models hand back a few-shot example, or begin with a line of their instructions. A run gives
the rule the texts of its templates; without them (imported pairs) it has nothing to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from generator.alike import similarity
from generator.filters.base import Reject, prose_sides, quote
from generator.records import Record
from generator.text import SHINGLE_CHARS, normalise

_HEAD_CHARS = 200
_MIN_CHARS = 12  # in normal form; shorter ones are said by chance


def check(
    record: Record,
    _values: Mapping[str, str],
    *,
    examples: tuple[str, ...] = (),
    max_similarity: float = 0.8,
) -> Reject | None:
    """Reject a record with a text that is nearly one of the prompt's, or begins with one.

    `max_similarity`: Jaccard of character 5-grams.
    """
    if not examples:
        return None
    known = _normalised(examples)
    for side, text, _ in prose_sides(record):
        line = normalise(text)
        head = "" if side == "query" else line[:_HEAD_CHARS]
        for example in known:
            if example in head or line == example or _is_near(line, example, max_similarity):
                return Reject(f"{side}_copies_prompt", quote(text))
    return None


def _is_near(line: str, example: str, max_similarity: float) -> bool:
    size, other = len(line), len(example)
    if size < max_similarity * other or other < max_similarity * size:
        return False
    if min(size, other) < 2 * _MIN_CHARS:
        return False
    step = max(1, len(example) // 6)
    probes = [example[at : at + SHINGLE_CHARS] for at in range(0, len(example) - step, step)]
    if sum(probe in line for probe in probes) < len(probes) / 2:
        return False
    return similarity(line, example, max_similarity) > max_similarity


@lru_cache(maxsize=64)
def _normalised(examples: tuple[str, ...]) -> tuple[str, ...]:
    lines = map(normalise, examples)
    return tuple(dict.fromkeys(line for line in lines if len(line) >= _MIN_CHARS))
