"""The formats of rows: pairs and triplets, SQuAD, NLI, click logs. Each: rows → examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from generator.imports.example import (
    CLICKS,
    LABEL,
    NEGATIVE,
    PASSAGES,
    POSITIVE,
    QUERY,
    Columns,
    Example,
    Grouped,
    Item,
    column,
    followers,
    numbered,
    texts,
)
from generator.imports.tables import Placed, unreadable
from generator.records import Rejected, content_id

# SNLI and MNLI: 0 entailment, 1 neutral, 2 contradiction.
LABELS = ("entailment", "neutral", "contradiction")


def pairs(rows: Iterator[Placed], columns: Columns, _: int) -> Iterator[Item]:
    """A query and what answers it, in a row; negatives where there are any."""
    for place, row in rows:
        yield row if isinstance(row, Rejected) else _pair(place, row, columns)


def _pair(place: str, row: Mapping[str, Any], columns: Columns) -> Item:
    query = column(row, columns.query, QUERY)
    positive = column(row, columns.positive, (name for name in POSITIVE if name != query))
    if query is None or positive is None:
        missing = "query" if query is None else "positive"
        return unreadable(f"no_{missing}", place, f"columns: {', '.join(map(str, row))}"[:300])
    if positive == "context" and "answers" in row and not texts(row["answers"]):
        return unreadable("unanswerable", place, "", str(row[query]))
    asked, answers = texts(row[query]), numbered(row, (positive,), positive)
    is_passage = bool(answers) and positive.strip().lower() in PASSAGES
    return Example(
        place,
        asked[0] if asked else "",
        answers,
        numbered(row, NEGATIVE, columns.negative),
        content_id(answers[0]) if is_passage else None,
    )


def read_as(row: Mapping[str, Any], columns: Columns, label: str | None = None) -> str:
    """Which columns of a row of pairs are read, as what, and which are not; "" where it is none.

    `label` is the column that tells whether the texts belong together, if one does.
    """
    query = column(row, columns.query, QUERY)
    positive = column(row, columns.positive, (name for name in POSITIVE if name != query))
    if query is None or positive is None:
        return ""
    parts = {
        "query": [query],
        "positives": followers(row, (positive,), positive),
        "negatives": [] if label else followers(row, NEGATIVE, columns.negative),
        "label": [label] if label else [],
    }
    used = {name for names in parts.values() for name in names}
    parts["not used"] = [str(name) for name in row if name not in used]
    return "; ".join(f"{what}: {', '.join(names)}" for what, names in parts.items() if names)


def squad(rows: Iterator[Placed], columns: Columns, least: int) -> Iterator[Item]:
    """SQuAD's nested articles, paragraphs and questions; flat rows are read as pairs."""
    for place, row in rows:
        if isinstance(row, Rejected) or "paragraphs" not in row:
            yield from pairs(iter([(place, row)]), columns, least)
            continue
        for paragraph in _mappings(row["paragraphs"]):
            if paragraph is None:
                yield unreadable("no_paragraph", place, "")
                continue
            context = str(paragraph.get("context") or "").strip()
            for question in _mappings(paragraph.get("qas") or []):
                if question is None:
                    yield unreadable("no_query", place, "")
                    continue
                asked = str(question.get("question") or "").strip()
                own = f"{place} {question.get('id', '')}".strip()
                if question.get("is_impossible") or not question.get("answers", True):
                    yield unreadable("unanswerable", own, "", asked)
                else:
                    yield Example(
                        own, asked, (context,) if context else (), (), content_id(context)
                    )


def _mappings(value: Any) -> Iterator[Mapping[str, Any] | None]:
    """The objects of a list; None for what is none, and in place of what is no list."""
    for item in value if isinstance(value, list) else [value]:
        yield item if isinstance(item, Mapping) else None


def label_of(value: Any) -> str:
    """The label by its name in any case, or by its number, also as spreadsheets write it: 2.0."""
    number = _whole(value)
    known = number is not None and 0 <= number < len(LABELS) and number == float(value)
    return LABELS[number or 0] if known else str(value).strip().lower()


def nli(rows: Iterator[Placed], columns: Columns, _: int) -> Iterator[Item]:
    """A premise's entailments are positives, its contradictions hard negatives.

    Holds the texts of every premise until the last row, which may belong to the first one.
    """
    found: dict[str, Grouped] = {}
    for place, row in rows:
        if isinstance(row, Rejected):
            yield row
            continue
        premise = texts(row.get(column(row, columns.query, QUERY) or ""))
        hypothesis = texts(
            row.get(column(row, columns.positive, ("hypothesis", "sentence2")) or "")
        )
        value = row.get(column(row, columns.label, LABEL) or "", "")
        label = label_of(value)
        if not premise or not hypothesis or label not in LABELS:
            reason = "no_label" if premise and hypothesis else "empty_text"
            yield unreadable(reason, place, str(value))
            continue
        group = found.setdefault(premise[0], Grouped(place))
        if label == "neutral":
            yield unreadable("neutral", place, "", hypothesis[0])
        else:
            side = group.positives if label == "entailment" else group.negatives
            side += hypothesis
    for asked, group in found.items():
        if group.positives:
            positives, negatives = _apart(group)
            yield Example(group.place, asked, positives, negatives)
        else:
            yield unreadable("no_entailment", group.place, "", asked)


def clicks(rows: Iterator[Placed], columns: Columns, least: int) -> Iterator[Item]:
    """What was clicked `least` times or more for a query is a positive of it.

    Clicks of one query and text are summed over the rows. Holds every distinct pair.
    """
    found: dict[str, dict[str, int]] = {}
    places: dict[str, str] = {}
    for place, row in rows:
        if isinstance(row, Rejected):
            yield row
            continue
        query = texts(row.get(column(row, columns.query, QUERY) or ""))
        shown = texts(row.get(column(row, columns.positive, ("text", *POSITIVE)) or ""))
        counted = column(row, columns.clicks, CLICKS)
        number = 1 if counted is None else _whole(row[counted])
        if not query or not shown or number is None:
            yield unreadable("no_clicks" if query and shown else "empty_text", place, "")
            continue
        own = found.setdefault(query[0], {})
        own[shown[0]] = own.get(shown[0], 0) + number
        places.setdefault(query[0], place)
    for query_text, counts in found.items():
        ordered = sorted(counts, key=lambda text: -counts[text])
        positives = tuple(text for text in ordered if counts[text] >= least)
        if positives:
            yield Example(places[query_text], query_text, positives)
        else:
            yield unreadable("few_clicks", places[query_text], f"at most {max(counts.values())}",
                             query_text)  # fmt: skip


def _apart(group: Grouped) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Positives, and negatives that are none of them, each once."""
    positives = tuple(dict.fromkeys(group.positives))
    return positives, tuple(
        text for text in dict.fromkeys(group.negatives) if text not in positives
    )


def _whole(value: Any) -> int | None:
    try:
        return int(float(value))
    except (TypeError, ValueError, OverflowError):
        return None
