"""Reasons: every one that the sources can give has a sentence."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from generator.reasons import SIDES, explained, is_explained

PACKAGE = Path(__file__).parent.parent / "generator"
# Where reasons are made: the call, and which of its arguments is one.
CALLS = {"Reject": 0, "Unparsed": 0, "RequestFailed": 0, "_rejected": 2, "unreadable": 0}
SOURCES = [
    *sorted((PACKAGE / "filters").glob("*.py")),
    *sorted((PACKAGE / "imports").glob("*.py")),
    PACKAGE / "parse.py",
    PACKAGE / "writing.py",
]


def _reasons(path: Path) -> Iterator[str]:
    """The literals that stand for a reason in a module; `{side}` is written out."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        place = CALLS.get(node.func.id)
        if place is None or len(node.args) <= place:
            continue
        reason = node.args[place]
        if isinstance(reason, ast.Constant) and isinstance(reason.value, str):
            yield reason.value
        elif isinstance(reason, ast.JoinedStr):
            pattern = ast.unparse(reason)[2:-1]
            if "{side}" in pattern:
                yield from (pattern.replace("{side}", side) for side in SIDES)


FOUND = sorted({reason for path in SOURCES for reason in _reasons(path)})


def test_the_sources_are_read() -> None:
    """The search finds what it is to find."""
    assert {"query_too_short", "positive_refusal", "label_in_query", "no_json_object"} <= set(FOUND)
    assert len(FOUND) > 40


@pytest.mark.parametrize("reason", FOUND)
def test_every_reason_is_explained(reason: str) -> None:
    """A rule with a new reason needs a line in `generator/reasons.py`."""
    assert is_explained(reason), f"generator/reasons.py has no sentence for {reason}"


@pytest.mark.parametrize(
    "reason",
    ["query_duplicate", "record_near_duplicate", "query_exact_match", "negative_near_match",
     "positive_one_word_match", "query_ngram_match", "over_cap", "over_share", "http_429",
     "engine_abort", "timeout", "unanswered", "not_a_record", "semantic_duplicate",
     "answer_in_query", "empty_query", "empty_positive", "empty_negative"],
)  # fmt: skip
def test_reasons_of_the_other_stages_are_explained(reason: str) -> None:
    """Those that are composed elsewhere."""
    assert is_explained(reason)


def test_a_sentence_names_the_side() -> None:
    """And a reason that nobody knows is said by its name."""
    assert explained("filter", "negative_too_long").startswith("The negative has more words")
    assert explained("blend", "too_green") == "Dropped by blend: too green."
    assert explained("refine", "too_green") == "Dropped by refinement: too green."
