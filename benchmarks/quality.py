"""How good the filters are: recall and precision on planted faults, false rejections of clean data.

    python benchmarks/quality.py --data DIR [--run RUN] [--half report] [--count 200]
        [--rival datatrove=VENV/bin/python]

DIR holds the public sets that `realrecords.py` names; `--run` adds what a run of trine kept. Every
record is judged by the rules of its family as they ship. Half "report" is planted with wordings
that no rule was written from (`faulttexts/heldout.yaml`), half "tune" with those that were used.

Recall: the share of planted records that are rejected. Precision: among the rejected of the planted
records and their clean twins, the share of planted ones. `missed` beside it is for reading.
Near-duplicates and questions of a test set are for deduplication and the contamination check, not
for rules (`setfaults.py`). A rival's filters see the same rows (`rivalfilters.py`).
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from faults import FAULTS, RETRIEVAL, Fault, Stock, load_stock
from realrecords import Real, real_records, sample
from rivalfilters import DOCUMENTS, print_rivals
from setfaults import contaminated, near_duplicates

from generator.filters import Chain, apply, compile_rules
from generator.records import Record
from generator.taxonomy import load_taxonomy

ROOT = Path(__file__).parent.parent
STOCKS = {"tune": "tuning", "report": "heldout"}
LANGUAGES = ("en", "ja", "de", "zh")
turned_on: list[str] = []  # rules that ship off, by `--on`


@dataclass(frozen=True)
class Planted:
    """A record with one known fault, and the clean one that it was made of."""

    fault: str
    language: str
    record: Record
    clean: Record


@dataclass
class Tally:
    """What became of the planted records of one fault in one language."""

    planted: int = 0
    caught: int = 0
    clean_rejected: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    missed: list[Record] = field(default_factory=list)

    @property
    def recall(self) -> float:
        return self.caught / self.planted if self.planted else float("nan")

    @property
    def precision(self) -> float:
        rejected = self.caught + self.clean_rejected
        return self.caught / rejected if rejected else float("nan")


@cache
def chain_of(family: str) -> Chain:
    """The rules that ship for the family."""
    taxonomy = load_taxonomy(ROOT / "tasks.yaml", ROOT / "prompts")
    more: dict[str, dict] = {name: {} for name in turned_on}
    return compile_rules({**taxonomy.filters, **taxonomy.families[family].filters, **more})


def reason_of(record: Record) -> str | None:
    """Why the rules reject the record; `None` where they keep it."""
    reject = apply(chain_of(record.family), record)
    return None if reject is None else reject.reason


def language_of(record: Record) -> str:
    """The language that a record counts for: of a pair, the one that is not English."""
    return next((code for code in record.language.split("-") if code != "en"), "en")


def planted(
    records: Sequence[Real], faults: dict[str, Fault], stock: Stock, count: int, seed: int
) -> Iterator[Planted]:
    """`count` records a fault and language, each with that one fault; the same for one seed."""
    by_language: dict[str, list[Real]] = defaultdict(list)
    for real in records:
        by_language[language_of(real.record)].append(real)
    for name, fault in faults.items():
        for language in LANGUAGES:
            rng = random.Random(f"{seed} {name} {language}")
            fitting = [r for r in by_language[language] if r.record.family in fault.families]
            made = 0
            for real in sample(fitting, 20 * count, seed):
                record = fault.plant(real.record, rng, stock)
                if record is not None and record != real.record:
                    made += 1
                    yield Planted(name, language, record, real.record)
                if made == count:
                    break


def tallied(items: Iterable[Planted]) -> dict[tuple[str, str], Tally]:
    """What the rules say of each, by fault and language."""
    tallies: dict[tuple[str, str], Tally] = defaultdict(Tally)
    for item in items:
        tally = tallies[item.fault, item.language]
        tally.planted += 1
        reason = reason_of(item.record)
        tally.clean_rejected += reason_of(item.clean) is not None
        if reason is None:
            tally.missed.append(item.record)
        else:
            tally.caught += 1
            tally.reasons[reason] += 1
    return tallies


def print_faults(tallies: dict[tuple[str, str], Tally], sees: str) -> None:
    """A line a fault and language, then the mean recall of each language."""
    print(f"\nfaults that take {sees} to see")
    print(f"{'fault':<20} lang {'n':>4} recall  prec.  caught as")
    means: dict[str, list[float]] = defaultdict(list)
    for (name, language), tally in tallies.items():
        if FAULTS[name].sees != sees:
            continue
        means[language].append(tally.recall)
        reasons = ", ".join(f"{reason} {n}" for reason, n in tally.reasons.most_common(4))
        print(
            f"{name:<20} {language:<4} {tally.planted:>4} {tally.recall:>6.3f} "
            f"{tally.precision:>6.3f}  {reasons}"
        )
    for language, recalls in means.items():
        low = min(recalls)
        print(f"{'mean':<20} {language:<4} {len(recalls):>4} {sum(recalls) / len(recalls):>6.3f}"
              f"         lowest {low:.3f}")  # fmt: skip


def print_clean(records: Sequence[Real], examples: int) -> None:
    """False rejections: by source and family, and by reason."""
    groups: dict[tuple[str, str, str], list[tuple[str | None, Record]]] = defaultdict(list)
    for real in records:
        item = real.record
        key = (language_of(item), real.source, item.family)
        groups[key].append((reason_of(item), item))
    print("\nclean records")
    print(f"lang {'source':<30} {'family':<18} {'n':>6} rejected  why")
    totals: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for (language, source, family), judged in sorted(groups.items()):
        reasons = Counter(reason for reason, _ in judged if reason)
        totals[language][0] += len(judged)
        totals[language][1] += reasons.total()
        why = ", ".join(f"{reason} {n}" for reason, n in reasons.most_common(5))
        print(f"{language:<4} {source:<30} {family:<18} {len(judged):>6} "
              f"{reasons.total() / len(judged):>7.2%}   {why}")  # fmt: skip
        shown: Counter[str] = Counter()
        for reason, item in judged:
            if reason and shown[reason] < examples:
                shown[reason] += 1
                print(f"      {reason}: {_brief(item)}")
    for language, (count, rejected) in sorted(totals.items()):
        print(f"{language:<4} {'all':<49} {count:>6} {rejected / count:>7.2%}")


def print_sets(records: Sequence[Real], half: str, count: int, seed: int) -> None:
    """Near-duplicates and questions of the other half, by language: planted, recall, precision."""
    print("\nfaults that take the rest of the set, or a test set, to see")
    for language in ("en", "ja"):
        of_language = [real for real in records if real.record.language == language]
        own = [real.record for real in of_language if real.half == half]
        written = [record for record in own if record.family == "short-long"]
        ours = [record for record in own if record.family in RETRIEVAL]
        test = [r.record for r in of_language if r.half != half and r.record.family in RETRIEVAL]
        for name, found in (
            ("near_duplicate", near_duplicates(written, count, seed)),
            ("contaminated", contaminated(ours, test, count, seed)),
        ):
            print(f"{name:<20} {language:<4} {found.planted:>4} {found.recall:>6.3f} "
                  f"{found.precision:>6.3f}")  # fmt: skip


def rivals(
    items: Sequence[Planted], records: Sequence[Real], rival: str, count: int, seed: int
) -> None:
    """The planted rows and a sample of the clean ones whose texts are documents."""
    faulty: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for item in items:
        sees_rules = FAULTS[item.fault].sees == "rules"
        if sees_rules and item.language in {"en", "ja"} and item.record.family in DOCUMENTS:
            faulty[item.fault, item.language].append(item.record)
    clean = {
        language: [real.record for real in sample(
            [r for r in records
             if r.record.family in DOCUMENTS and language_of(r.record) == language],
            5 * count, seed,
        )]
        for language in ("en", "ja")
    }  # fmt: skip
    print_rivals(faulty, clean, rival, reason_of)


def _brief(record: Record) -> str:
    texts = [record.query, record.positives[0].text, *(n.text for n in record.negatives)]
    return " ‖ ".join(json.dumps(_ends(text), ensure_ascii=False) for text in texts)


def _ends(text: str) -> str:
    return text if len(text) <= 160 else f"{text[:80]} [...] {text[-70:]}"


def main() -> None:
    """Print the tables of one half."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the public sets")
    parser.add_argument("--run", type=Path, help="a run's folder, for records that trine wrote")
    parser.add_argument("--half", choices=STOCKS, default="report")
    parser.add_argument("--count", type=int, default=200, help="planted records a class, language")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="one fault; `clean` or `set`: no faults")
    parser.add_argument("--rival", action="append", default=[], help="NAME=PYTHON of its venv")
    parser.add_argument("--on", action="append", default=[], help="a rule that ships off")
    parser.add_argument("--missed", type=int, default=0, help="print so many that nothing caught")
    options = parser.parse_args()
    turned_on.extend(options.on)
    everything = real_records(options.data, options.run)
    records = [real for real in everything if real.half == options.half]
    faults = {name: f for name, f in FAULTS.items() if options.only in {None, name}}
    stock = load_stock(STOCKS[options.half], records)
    items = list(planted(records, faults, stock, options.count, options.seed))
    tallies = tallied(items)
    for sees in dict.fromkeys(fault.sees for fault in faults.values()):
        print_faults(tallies, sees)
    for (name, language), tally in tallies.items() if options.missed else ():
        for item in tally.missed[: options.missed]:
            print(f"missed {name} {language} {item.family}: {_brief(item)}")
    if options.only in {None, "clean"}:
        print_clean(records, options.missed)
    if options.only in {None, "set"}:
        print_sets(everything, options.half, options.count, options.seed)
    for rival in options.rival:
        rivals(items, records, rival, options.count, options.seed)


if __name__ == "__main__":
    main()
