"""Which texts of a data set stand in evaluation sets: equal, overlapping or nearly equal."""

from __future__ import annotations

from generator.contamination.check import Found, check, rejected
from generator.contamination.evalsets import EvalText, eval_texts, sets_key
from generator.contamination.index import Checks, EvalIndex, Match, build_index
from generator.contamination.report import Report, from_line, to_line

__all__ = [
    "Checks",
    "EvalIndex",
    "EvalText",
    "Found",
    "Match",
    "Report",
    "build_index",
    "check",
    "eval_texts",
    "from_line",
    "rejected",
    "sets_key",
    "to_line",
]
