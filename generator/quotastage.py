"""The stage of a run that keeps no more of a kind than was asked for: caps, and shares of `keep`.

    stages/dedupe.jsonl (or contamination.jsonl) → stages/quota.jsonl

In the order of the run, and the first ones stay: what a longer run keeps begins with what a shorter
one did.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from importlib.metadata import version

from generator.counts import Counts
from generator.drawn import DrawnValues
from generator.errors import ConfigError
from generator.families import ShareBy
from generator.plan import Plan
from generator.progress import Watch
from generator.recordfile import read_lines
from generator.records import Record, Rejected, content_id
from generator.runs import RunFolder
from generator.sampling import share_of
from generator.shares import targets
from generator.stagefile import Output

NAME = "quota"
_FIELDS = ("task", "family", "language")


def quota_key(plan: Plan) -> str:
    """A hash of the caps and of the shares."""
    config = plan.config
    by = _shares(plan)
    parts = (dict(config.caps), by, targets(plan) if by else {})
    return content_id(json.dumps(parts, sort_keys=True), version("trine"))


def share_out(plan: Plan, run: RunFolder, watch: Watch) -> Counts:
    """Drop what is over a cap, then what is over its share. Raises ConfigError."""
    quotas = _Quotas(plan)
    verdicts = plan.config.verdicts
    key, source = quota_key(plan), run.stage(verdicts[verdicts.index(NAME) - 1])
    begun = run.begun(NAME, key, source)
    counts = Counts.from_dict(begun.counts) if begun else Counts()
    if begun and begun.is_all:
        return counts
    start = begun.read_bytes if begun else 0
    if start:
        for record in read_lines(Record, run.stage(NAME)):
            quotas.keep(record)
    run.unfinish(NAME)
    watch.begin(NAME, None)
    with Output(run, NAME, extend=start > 0) as output:
        for record in read_lines(Record, source, start):
            item = quotas.decide(record)
            output.add(item)
            counts.add(item)
            watch.advance(kept=isinstance(item, Record))
    run.finish(NAME, key, counts.to_dict(), source)
    return counts


def _shares(plan: Plan) -> ShareBy | None:
    """The shares that this stage holds to: what refinement leaves is shared out behind it."""
    return None if plan.config.refine else plan.config.keep_shares


class _Quotas:
    """How many of each kind are kept so far."""

    def __init__(self, plan: Plan) -> None:
        self._caps, self._by = plan.config.caps, _shares(plan)
        self._targets = targets(plan) if self._by else {}
        self._drawn = DrawnValues(plan)
        self._kept: Counter[tuple[str, str]] = Counter()
        known = {*_FIELDS, *self._drawn.axes}
        unknown = sorted(set(self._caps) - known)
        if unknown:
            raise ConfigError(
                f"caps: no axis of this run is called {', '.join(unknown)}",
                hint=f"one of: {', '.join(sorted(known))}",
            )

    def decide(self, record: Record) -> Record | Rejected:
        """The record, or what there is enough of."""
        values = self._values(record)
        for name, value in values.items():
            kept = self._kept[name, value]
            if kept >= self._caps[name]:
                return _rejected(record, "over_cap", f"{name}: {value} ({kept:,} kept before)")
        share = self._share(record)
        if self._by and self._kept["", share] >= self._targets.get(share, 0):
            target = self._targets.get(share, 0)
            return _rejected(record, "over_share", f"{share} ({target:,} kept before)")
        self.keep(record, values)
        return record

    def keep(self, record: Record, values: Mapping[str, str] | None = None) -> None:
        """Count a record that stays."""
        for item in (self._values(record) if values is None else values).items():
            self._kept[item] += 1
        self._kept["", self._share(record)] += 1

    def _share(self, record: Record) -> str:
        return share_of(self._by, record.family, record.language) if self._by else ""

    def _values(self, record: Record) -> dict[str, str]:
        """Value by capped axis; a record that has none is under no cap."""
        if not self._caps:
            return {}
        fields = {name: getattr(record, name) for name in _FIELDS}
        values = {**self._drawn.of(record), **fields}
        return {name: values[name] for name in self._caps if values.get(name)}


def _rejected(record: Record, reason: str, detail: str) -> Rejected:
    return Rejected(
        stage=NAME,
        reason=reason,
        family=record.family,
        language=record.language,
        detail=detail,
        record=record,
    )
