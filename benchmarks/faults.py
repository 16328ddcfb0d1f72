"""One known fault planted in a real record: what LLM writers do wrong, as pure functions.

    plant(record, rng, stock) -> the record with the fault, or None where it cannot have it

`FAULTS` is the registry. `sees` says what it takes to see a fault: "rules" (the record alone shows
it), "meaning" (a reader of both texts, or an encoder), "option" (a rule that is off unless asked
for). Those that take the rest of the set are in `setfaults.py`. The wordings of refusals, remarks
and residue are
in `faulttexts/`: one file to tune on and another, which no rule was written from, to report on.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml
from realrecords import Real, with_texts

from generator.records import Record, draw_values
from generator.text import unspaced_share, word_count

Plant = Callable[[Record, random.Random, "Stock"], Record | None]
Sees = Literal["rules", "meaning", "option"]

RETRIEVAL = frozenset({"short-long", "grounded-question", "cross-lingual"})
WITH_NEGATIVE = frozenset({"short-long", "cross-lingual"})
SENTENCES = frozenset({"sts", "bitext"})
PROSE = RETRIEVAL | SENTENCES
ANY = PROSE | {"long-short", "clustering"}
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。．！？])")
_NUMBER = re.compile(r"(?<![\w.,])[1-9]\d*(?![\w.,]\d)")
_NAME = re.compile(r"\b(Tom|Mary|John|Maria|Alice|Bill|Ken|Jim|Bob|Mike|Jane|Boston|Australia)\b")


@dataclass(frozen=True)
class Stock:
    """What faults are made of: the fault texts of one list, and real texts of every language."""

    texts: Mapping[str, Mapping[str, Sequence[str]]]
    passages: Mapping[str, Sequence[str]]
    queries: Mapping[str, Sequence[str]]

    def pick(self, kind: str, language: str, rng: random.Random) -> str | None:
        """One wording of a kind in the language; `None` where the list has none."""
        variants = self.texts[kind].get(language)
        return rng.choice(variants) if variants else None

    def foreign(self, kind: str, language: str, rng: random.Random) -> str:
        """A real text of any language but this one."""
        texts = self.passages if kind == "passage" else self.queries
        return rng.choice(texts[rng.choice([key for key in texts if key != language])])


@dataclass(frozen=True)
class Fault:
    """How a fault is planted, in records of which families, and what it takes to see it."""

    plant: Plant
    families: frozenset[str]
    sees: Sees = "rules"


def load_stock(name: str, records: Sequence[Real]) -> Stock:
    """`name`: "tuning" or "heldout". Passages and queries come from the records' own half."""
    path = Path(__file__).parent / "faulttexts" / f"{name}.yaml"
    passages: dict[str, list[str]] = {}
    queries: dict[str, list[str]] = {}
    for real in records:
        record = real.record
        if record.family in RETRIEVAL:
            passages.setdefault(record.text_language, []).append(record.positives[0].text)
            queries.setdefault(record.query_language, []).append(record.query)
        elif record.family == "bitext" and word_count(record.query) >= 6:
            queries.setdefault(record.query_language, []).append(record.query)
    return Stock(yaml.safe_load(path.read_text(encoding="utf-8")), passages, queries)


# ── Copies ──────────────────────────────────────────────────────────────────────────────────────


def copied_query(record: Record, rng: random.Random, _stock: Stock) -> Record | None:
    """The query is a sentence of the positive, as it is or edited, or in a pair the positive.

    (Of a pair of sentences a word may differ: that is what such pairs are.)
    """
    text = record.positives[0].text
    if record.family in SENTENCES:
        forms = [text, text.upper(), f"{text} ", text.rstrip(".。!?？") + "!", f"“{text}”"]
        return with_texts(record, query=rng.choice(forms))
    sentence = rng.choice(_long_sentences(text) or [""])
    if not sentence:
        return None
    kind = rng.randrange(3)
    if kind == 0:
        return with_texts(record, query=sentence)
    if kind == 1:
        return with_texts(record, query=sentence.rstrip(".。!?").lower())
    return with_texts(record, query=_edited(sentence, rng))


def answer_leak(record: Record, rng: random.Random, _stock: Stock) -> Record | None:
    """The query asks, and goes on with the sentence of the positive that answers."""
    sentence = rng.choice(_long_sentences(record.positives[0].text) or [""])
    if not sentence or record.query_language != record.text_language:
        return None
    gap = "" if _is_unspaced(record.query) else " "
    return with_texts(record, query=record.query.rstrip() + gap + sentence)


def giveaway(record: Record, rng: random.Random, stock: Stock) -> Record | None:
    """The positive repeats the query before it answers it."""
    form = stock.pick("giveaway", record.text_language, rng)
    if form is None or word_count(record.query) < 4:
        return None
    text = record.positives[0].text
    return with_texts(record, positive=form.format(query=record.query.strip(), text=text))


def confession(record: Record, rng: random.Random, stock: Stock) -> Record | None:
    """The negative says that it is none, at its beginning or its end."""
    said = stock.pick("confession", record.text_language, rng)
    if said is None or not record.negatives:
        return None
    text, gap = record.negatives[0].text, "" if _is_unspaced(said) else " "
    joined = f"{said}{gap}{text}" if rng.random() < 0.4 else f"{text}{gap}{said}"
    return with_texts(record, negative=joined)


def negative_copies(record: Record, rng: random.Random, _stock: Stock) -> Record | None:
    """The negative is the positive, or all but a few words of it."""
    text = record.positives[0].text
    if not record.negatives:
        return None
    if record.label is not None:
        return with_texts(record, negative=rng.choice([text, text.upper(), f"{text}."]))
    kind = rng.randrange(3)
    if kind == 0:
        return with_texts(record, negative=text)
    if kind == 1 and record.family not in SENTENCES:
        return with_texts(record, negative=_edited(text, rng))
    return with_texts(record, negative=f" {text.upper()} " if rng.random() < 0.5 else f"{text}!")


def label_leak(record: Record, rng: random.Random, _stock: Stock) -> Record | None:
    """The text to classify holds its label: as it is, in capitals, or word by word."""
    if record.label is None:
        return None
    label, text = record.label, record.query
    if _is_unspaced(label):
        return with_texts(
            record, query=_inserted(text, rng.choice([f"（{label}）", label, f"{label}、"]), rng)
        )
    words = label.split()
    forms = [label, label.upper(), label.title(), label.replace(" ", "_"), label.replace(" ", "-")]
    if len(words) > 1:
        forms.append(" ".join(reversed(words)))
    return with_texts(record, query=_inserted(text, rng.choice(forms), rng))


# ── Languages and scripts ───────────────────────────────────────────────────────────────────────


def query_language(record: Record, rng: random.Random, stock: Stock) -> Record | None:
    """The query is in another language."""
    if record.family in SENTENCES and record.query_language == record.text_language:
        return with_texts(record, query=stock.foreign("query", record.query_language, rng))
    return with_texts(record, query=stock.foreign("query", record.query_language, rng))


def positive_language(record: Record, rng: random.Random, stock: Stock) -> Record | None:
    """The positive is in another language."""
    if record.provenance.passage is not None:
        return None
    kind = "query" if record.family in SENTENCES else "passage"
    return with_texts(record, positive=stock.foreign(kind, record.text_language, rng))


def half_translated(record: Record, rng: random.Random, stock: Stock) -> Record | None:
    """The positive begins in its language and goes on in another one."""
    if record.provenance.passage is not None:
        return None
    sentences = _sentences(record.positives[0].text)
    if len(sentences) < 2:
        return None
    kept = sentences[: max(1, len(sentences) // 2)]
    other = _sentences(stock.foreign("passage", record.text_language, rng))
    gap = "" if _is_unspaced(kept[0]) else " "
    return with_texts(record, positive=gap.join([*kept, *other[: len(sentences) - len(kept)]]))


def mixed_script(record: Record, rng: random.Random, stock: Stock) -> Record | None:
    """Look-alike letters, words of another script, or bytes read in the wrong encoding."""
    if record.provenance.passage is not None:
        return None
    text = record.positives[0].text
    kind = rng.randrange(3)
    if kind == 0:
        return with_texts(record, positive=_mojibake(text))
    if kind == 1 and not _is_unspaced(text):
        table = str.maketrans("aeopcxy", "аеорсху")
        words = text.split(" ")
        mixed = [w.translate(table) if rng.random() < 0.3 else w for w in words]
        return with_texts(record, positive=" ".join(mixed))
    foreign = _foreign_script_words(record.text_language, stock, rng)
    for _ in range(max(3, len(text) // 120)):
        text = _inserted(text, rng.choice(foreign), rng)
    return with_texts(record, positive=text)


# ── What generation breaks ──────────────────────────────────────────────────────────────────────


def truncated(record: Record, rng: random.Random, _stock: Stock) -> Record | None:
    """The positive or the negative breaks off: in a sentence, in a word, or with an ellipsis."""
    side = "negative" if record.negatives and rng.random() < 0.3 else "positive"
    if side == "positive" and record.provenance.passage is not None:
        return None
    text = (record.negatives if side == "negative" else record.positives)[0].text
    cut = _cut(text, rng)
    return with_texts(record, **{side: cut}) if cut else None


def truncated_query(record: Record, rng: random.Random, _stock: Stock) -> Record | None:
    """A long query breaks off in its middle, after a word that asks for another one.

    (A question may end in "in" or "for", and in Japanese in "は".)
    """
    words = record.query.split(" ")
    open_ends = {"the", "a", "an", "of", "and", "or", "than", "because", "their", "its"}
    if _is_unspaced(record.query):
        places = [m.end() for m in re.finditer(r"[、のをにがで]", record.query)]
        places = [p for p in places if 6 <= p < len(record.query) - 3]
        if not places:
            return None
        return with_texts(record, query=record.query[: rng.choice(places)])
    places = [i for i, w in enumerate(words) if w.lower() in open_ends and 2 <= i < len(words) - 1]
    if not places or record.query_language != "en":
        return None
    return with_texts(record, query=" ".join(words[: rng.choice(places) + 1]))


def loop(record: Record, rng: random.Random, _stock: Stock) -> Record | None:
    """A word, a phrase or a sentence comes again and again, at the end or throughout."""
    side = "query" if record.provenance.passage is not None or rng.random() < 0.2 else "positive"
    text = record.query if side == "query" else record.positives[0].text
    unspaced = _is_unspaced(text)
    pieces = list(text) if unspaced else text.split(" ")
    period = rng.choice([1, 2, 3, 5, 8, 13]) * (2 if unspaced else 1)
    if len(pieces) < period + 2:
        return None
    start = rng.randrange(max(1, len(pieces) - period))
    gap = "" if unspaced else " "
    unit = gap.join(pieces[start : start + period])
    if rng.random() < 0.3 and side == "positive":
        unit = rng.choice(_sentences(text))
    times = max(4, rng.choice([40, 80, 160]) // max(1, len(unit) // 4))
    kept = gap.join(pieces[: start + period]) if rng.random() < 0.6 else ""
    return with_texts(record, **{side: (kept + gap + gap.join([unit] * times)).strip()})


def refusal(record: Record, rng: random.Random, stock: Stock) -> Record | None:
    """The model declines on one side, or on all."""
    said = stock.pick("refusal", record.text_language, rng)
    if said is None:
        return None
    side = rng.choice(["query", "positive", "negative"])
    asked = stock.pick("refusal", record.query_language, rng)
    if side == "query" or record.provenance.passage is not None:
        return with_texts(record, query=asked) if asked else None
    return with_texts(record, **{side if record.negatives else "positive": said})


def meta_before(record: Record, rng: random.Random, stock: Stock) -> Record | None:
    """A text begins with talk about the text."""
    return _beside(record, rng, stock, "meta_before", "{said}{text}")


def meta_after(record: Record, rng: random.Random, stock: Stock) -> Record | None:
    """A text ends in talk about the text."""
    return _beside(record, rng, stock, "meta_after", "{text}{said}")


def residue(record: Record, rng: random.Random, stock: Stock) -> Record | None:
    """A blank, a template's variable or markup stands somewhere in a text."""
    side = _written_side(record, rng)
    said = stock.pick("residue", _language(record, side), rng)
    if said is None:
        return None
    text = record.query if side == "query" else record.positives[0].text
    return with_texts(record, **{side: _inserted(text, said, rng)})


def boilerplate(record: Record, rng: random.Random, stock: Stock) -> Record | None:
    """The positive has a web page's furniture around it."""
    said = stock.pick("boilerplate", record.text_language, rng)
    if said is None or record.provenance.passage is not None:
        return None
    text, gap = record.positives[0].text, rng.choice(["\n", " "])
    return with_texts(
        record, positive=f"{said}{gap}{text}" if rng.random() < 0.4 else f"{text}{gap}{said}"
    )


def says_nothing(record: Record, rng: random.Random, stock: Stock) -> Record | None:
    """The positive or the query could be about anything."""
    if record.provenance.passage is not None or rng.random() < 0.5:
        said = stock.pick("says_nothing_query", record.query_language, rng)
        return with_texts(record, query=said) if said else None
    said = stock.pick("says_nothing", record.text_language, rng)
    return with_texts(record, positive=said) if said else None


def not_as_drawn(record: Record, rng: random.Random, _stock: Stock) -> Record | None:
    """The positive is far shorter than the draw asked for, or the query far longer."""
    values = draw_values(record)
    asked = values.get("num_words", "")
    if asked.isdigit() and int(asked) >= 50 and rng.random() < 0.6:
        short = ""
        for sentence in _sentences(record.positives[0].text):
            grown = short + ("" if _is_unspaced(sentence) else " ") * bool(short) + sentence
            if word_count(grown) > 0.4 * int(asked):
                break
            short = grown
        return with_texts(record, positive=short) if word_count(short) >= 5 else None
    if "words" not in values.get("query_length", "") or "at least" in values["query_length"]:
        return None
    gap = "" if _is_unspaced(record.query) else " "
    most = 10 if "less than 5" in values["query_length"] else 33
    query = record.query
    others = [s for n in record.negatives for s in _sentences(n.text)]
    while others and word_count(query) <= most:
        query += gap + others.pop()
    return with_texts(record, query=query) if word_count(query) > most else None


# ── Translations ────────────────────────────────────────────────────────────────────────────────


def number_changed(record: Record, rng: random.Random, _stock: Stock) -> Record | None:
    """The translation has another number than the text."""
    text = record.positives[0].text
    found = list(_NUMBER.finditer(text))
    if record.family != "bitext" or not found:
        return None
    chosen = rng.choice(found)
    number = int(chosen.group())
    other = number + rng.choice([1, 2, 5, 10, 100]) * (1 if rng.random() < 0.6 else -1)
    other = other if other > 0 else number + 7
    return with_texts(record, positive=text[: chosen.start()] + str(other) + text[chosen.end() :])


def name_changed(record: Record, rng: random.Random, _stock: Stock) -> Record | None:
    """The translation has another person or place than the text (between Latin alphabets)."""
    if record.family != "bitext" or record.query_language != "de":
        return None
    text = record.positives[0].text
    found = [m for m in _NAME.finditer(text) if m.group() in record.query]
    if not found:
        return None
    chosen = rng.choice(found)
    other = rng.choice([n for n in ("Peter", "Sophia", "Rachel", "Victor") if n not in text])
    return with_texts(record, positive=text[: chosen.start()] + other + text[chosen.end() :])


def half_left_out(record: Record, rng: random.Random, _stock: Stock) -> Record | None:
    """The translation of a long text stops after a third, or goes on with something else."""
    text = record.positives[0].text
    if record.family != "bitext" or word_count(text) < 9:
        return None
    words = text.rstrip(".").split(" ")
    if rng.random() < 0.5:
        return with_texts(record, positive=" ".join(words[: len(words) // 3]) + ".")
    return with_texts(record, positive=f"{text} {record.negatives[0].text} {text.lower()}")


def untranslated(record: Record, _rng: random.Random, _stock: Stock) -> Record | None:
    """The translation is the text itself."""
    return with_texts(record, positive=record.query) if record.family == "bitext" else None


def negative_unchanged(record: Record, rng: random.Random, _stock: Stock) -> Record | None:
    """The wrong translation differs from the right one in nothing that matters."""
    if record.family != "bitext":
        return None
    text = record.positives[0].text
    forms = [text, text.rstrip(".!?") + "!", text.lower(), text.replace("'", "’"), f"“{text}”"]
    return with_texts(record, negative=rng.choice(forms))


# ── What rules cannot see: meaning ──────────────────────────────────────────────────────────────


def swapped_positive(record: Record, rng: random.Random, stock: Stock) -> Record | None:
    """The positive is some other record's."""
    if record.family not in RETRIEVAL:
        return None
    return with_texts(record, positive=rng.choice(stock.passages[record.text_language]))


def swapped_sides(record: Record, _rng: random.Random, _stock: Stock) -> Record | None:
    """Positive and negative have changed places."""
    if not record.negatives or record.label is not None:
        return None
    return with_texts(record, positive=record.negatives[0].text, negative=record.positives[0].text)


def negative_answers(record: Record, rng: random.Random, _stock: Stock) -> Record | None:
    """The negative is the positive in another order, with a part left out and other wording."""
    sentences = _sentences(record.positives[0].text)
    if not record.negatives or len(sentences) < 3:
        return None
    turn = rng.randrange(1, len(sentences))
    turned = sentences[turn:] + sentences[:turn]
    turned.pop(rng.randrange(len(turned)))
    unspaced = _is_unspaced(turned[0])
    text = ("" if unspaced else " ").join(turned)
    pairs = _REWORDED_JA if unspaced else _REWORDED
    for old, new in pairs:
        text = text.replace(old, new)
    return with_texts(record, negative=text)


_REWORDED = tuple(
    tuple(pair.split("|"))
    for pair in (
        " and | as well as ; is | happens to be ; was | had been ; the | that ; many | numerous "
        "; also | likewise ; used | employed ; in | within ; such as | for instance "
        "; first | initial "
    ).split(";")
)
_REWORDED_JA = tuple(
    tuple(pair.split("|"))
    for pair in (
        "である。|です。;した。|しました。;また、|さらに、;および|と;など|等;という|と呼ばれる"
        ";おもに|主として;多くの|数多くの;いる。|います。"
    ).split(";")
)


# ── By option ───────────────────────────────────────────────────────────────────────────────────


def personal(record: Record, rng: random.Random, stock: Stock) -> Record | None:
    """Somebody's address, telephone number or card stands in the positive."""
    return _beside(record, rng, stock, "personal", "{text} {said}")


def toxic(record: Record, rng: random.Random, stock: Stock) -> Record | None:
    """Insults and threats."""
    return _beside(record, rng, stock, "toxic", "{text} {said}")


FAULTS: dict[str, Fault] = {
    "copied_query": Fault(copied_query, PROSE),
    "answer_leak": Fault(answer_leak, RETRIEVAL),
    "giveaway": Fault(giveaway, WITH_NEGATIVE),
    "confession": Fault(confession, WITH_NEGATIVE),
    "negative_copies": Fault(negative_copies, ANY),
    "label_leak": Fault(label_leak, frozenset({"long-short"})),
    "query_language": Fault(query_language, ANY),
    "positive_language": Fault(positive_language, PROSE),
    "half_translated": Fault(half_translated, WITH_NEGATIVE),
    "mixed_script": Fault(mixed_script, PROSE),
    "truncated": Fault(truncated, WITH_NEGATIVE),
    "truncated_query": Fault(truncated_query, RETRIEVAL),
    "loop": Fault(loop, PROSE),
    "refusal": Fault(refusal, ANY),
    "meta_before": Fault(meta_before, ANY),
    "meta_after": Fault(meta_after, ANY),
    "residue": Fault(residue, ANY),
    "boilerplate": Fault(boilerplate, WITH_NEGATIVE),
    "says_nothing": Fault(says_nothing, RETRIEVAL),
    "not_as_drawn": Fault(not_as_drawn, WITH_NEGATIVE),
    "number_changed": Fault(number_changed, frozenset({"bitext"})),
    "name_changed": Fault(name_changed, frozenset({"bitext"})),
    "half_left_out": Fault(half_left_out, frozenset({"bitext"})),
    "untranslated": Fault(untranslated, frozenset({"bitext"})),
    "negative_unchanged": Fault(negative_unchanged, frozenset({"bitext"})),
    "swapped_positive": Fault(swapped_positive, RETRIEVAL, "meaning"),
    "swapped_sides": Fault(swapped_sides, WITH_NEGATIVE | SENTENCES, "meaning"),
    "negative_answers": Fault(negative_answers, WITH_NEGATIVE, "meaning"),
    "personal": Fault(personal, WITH_NEGATIVE, "option"),
    "toxic": Fault(toxic, WITH_NEGATIVE, "option"),
}


# ── Parts ───────────────────────────────────────────────────────────────────────────────────────


def _beside(
    record: Record, rng: random.Random, stock: Stock, kind: str, form: str
) -> Record | None:
    side = _written_side(record, rng)
    said = stock.pick(kind, _language(record, side), rng)
    if said is None:
        return None
    text = record.query if side == "query" else record.positives[0].text
    return with_texts(record, **{side: form.format(text=text, said=said)})


def _written_side(record: Record, rng: random.Random) -> Literal["query", "positive"]:
    """A side that a model wrote: of a given passage, or a label, the query alone."""
    given = record.provenance.passage is not None or record.label is not None
    return "query" if given or rng.random() < 0.3 else "positive"


def _language(record: Record, side: str) -> str:
    return record.query_language if side == "query" else record.text_language


def _is_unspaced(text: str) -> bool:
    return unspaced_share(text) > 1 / 3


def _sentences(text: str) -> list[str]:
    return [s for s in (part.strip() for part in _SENTENCE_END.split(text)) if s]


def _long_sentences(text: str) -> list[str]:
    return [s for s in _sentences(text) if 8 <= word_count(s) <= 40]


def _inserted(text: str, piece: str, rng: random.Random) -> str:
    """The text with a piece at its beginning, at its end or between two words."""
    if _is_unspaced(text):
        place = rng.randrange(len(text) + 1)
        return text[:place] + piece + text[place:]
    words = text.split(" ")
    words.insert(rng.randrange(len(words) + 1), piece)
    return " ".join(words)


def _edited(text: str, rng: random.Random) -> str:
    """The text with one word (or two characters) in forty left out, at least one."""
    pieces = list(text) if _is_unspaced(text) else text.split(" ")
    for _ in range(max(1, len(pieces) // 40)):
        if len(pieces) > 6:
            pieces.pop(rng.randrange(len(pieces) - 1))
    return ("" if _is_unspaced(text) else " ").join(pieces)


def _cut(text: str, rng: random.Random) -> str | None:
    text = text.strip()
    place = rng.randrange(len(text) // 3, len(text) - 4) if len(text) > 60 else 0
    kind = rng.randrange(3)
    if kind and not _is_unspaced(text):
        place = text.rfind(" ", 0, place) if kind == 1 else place
    cut = text[:place].rstrip() if place > 20 else ""
    if not cut or re.search(r"[.!?。．！？」』）)\"”]$", cut):
        return None
    return cut + (rng.choice(["...", "…"]) if kind == 2 and rng.random() < 0.4 else "")


def _mojibake(text: str) -> str:
    """Typographic and Japanese characters as UTF-8 read in Windows-1252."""
    text = text.replace("'", "’").replace('"', "“").replace("-", "–")
    if text.isascii():
        text = text.replace(" the ", " ’the’ ")
    return text.encode().decode("cp1252", "replace")


def _foreign_script_words(language: str, stock: Stock, rng: random.Random) -> list[str]:
    if language in {"ja", "zh"}:
        return ["который", "является", "그리고", "있습니다", "الذي", "क्योंकि", "поэтому", "때문에"]
    texts = [key for key in ("ja", "zh") if key in stock.passages and key != language]
    chosen = rng.choice(stock.passages[rng.choice(texts)])
    starts = (rng.randrange(max(1, len(chosen) - 8)) for _ in range(8))
    return [chosen[start : start + 6] for start in starts]
