"""What a format gives: a query with its texts, or why a row is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, field
from typing import Any

from generator.records import Rejected

QUERY = (
    "query", "anchor", "question", "question1", "sentence1", "text1", "#1 string", "premise",
    "クエリ", "検索語", "質問", "質問文", "質問1", "文1",
)  # fmt: skip
POSITIVE = (
    "positives", "positive", "pos", "positive_ctxs", "positive_passages", "document", "passage",
    "context", "answer", "question2", "sentence2", "text2", "#2 string", "hypothesis", "text",
    "url", "正例", "正解", "文書", "本文", "回答", "回答文", "答え", "質問2", "文2",
)  # fmt: skip
NEGATIVE = ("negatives", "negative", "neg", "hard_negative_ctxs", "negative_passages", "負例",
            "不正解", "誤答")  # fmt: skip
# Columns of texts that were there before their queries: several questions ask for one of them.
PASSAGES = ("context", "passage", "document", "文書", "本文")
LABEL = ("label", "gold_label")
CLICKS = ("clicks", "click_count", "count")


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns hold what; None looks for the usual names."""

    query: str | None = None
    positive: str | None = None
    negative: str | None = None
    label: str | None = None
    clicks: str | None = None

    @property
    def named(self) -> frozenset[str]:
        """The names that are given."""
        return frozenset(name for name in astuple(self) if name is not None)


@dataclass(frozen=True, slots=True)
class Example:
    """One query, the texts that answer it, and texts that do not. `passage` is a corpus' id."""

    place: str
    query: str
    positives: tuple[str, ...]
    negatives: tuple[str, ...] = ()
    passage: str | None = None


@dataclass(slots=True)
class Grouped:
    """The texts of one query, gathered from several rows."""

    place: str
    positives: list[str] = field(default_factory=list)
    negatives: list[str] = field(default_factory=list)


Item = Example | Rejected


def column(row: Mapping[str, Any], given: str | None, usual: Iterable[str]) -> str | None:
    """The column of a row: the given one, or the first of the usual names, in any case.

    A column that holds nothing in this row is the one all the same: the next one is no answer.
    """
    if given is not None:
        return given if given in row else None
    own = {str(name).strip().lower(): name for name in row}
    return next((own[name] for name in usual if name in own), None)


def texts(value: Any) -> tuple[str, ...]:
    """The texts in a cell: a text, a list of texts or of {title, text}, SQuAD's {"text": [...]}."""
    if isinstance(value, str):
        return (value.strip(),) if value.strip() else ()
    if isinstance(value, Mapping):
        text = value.get("text")
        if not isinstance(text, str):
            return texts(text)
        title = value.get("title")
        whole = f"{title} {text}" if isinstance(title, str) else text
        return (whole.strip(),) if text.strip() else ()
    if isinstance(value, Iterable):
        return tuple(dict.fromkeys(text for item in value for text in texts(item)))
    return ()


def numbered(row: Mapping[str, Any], names: Iterable[str], given: str | None) -> tuple[str, ...]:
    """The texts of a column and of its followers: negative, negative_1 and so on."""
    cells = (texts(row[name]) for name in followers(row, names, given))
    return tuple(dict.fromkeys(text for cell in cells for text in cell))


def followers(row: Mapping[str, Any], names: Iterable[str], given: str | None) -> list[str]:
    """The given column, or the first of the usual names, and those that are numbered after it."""
    first = column(row, given, names)
    found = [first] if first else []
    for stem in [first] if first else names:
        more = (key for key in row if key != first and key.startswith(f"{stem}_"))
        found += [key for key in sorted(more) if key[len(stem) + 1 :].isdigit()]
    return found
