"""`keep` records, of each family or language its share: which draws that takes.

The run draws in rounds. The first gives every share what it needs and a third more; each further
one gives those that are still short what, by what became of their draws so far, they need. A round
depends on what the stages decided about the draws before it and on nothing else, and changes no
draw: so the order of a run is the same whoever writes it and however often it was interrupted.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from math import ceil, sqrt
from pathlib import Path
from typing import Any

from generator.errors import ConfigError
from generator.plan import Plan
from generator.recordfile import read_lines, write_whole
from generator.records import Record
from generator.runs import RunFolder
from generator.sampling import Slot, share_of

FIRST_GUESS = 1.3
_LOWEST_YIELD = 0.02
_MARGIN = 1.1


def targets(plan: Plan) -> Mapping[str, int]:
    """How many records each share is to have: its part of the first `keep` places of the order."""
    plain = replace(plan, rounds=())
    found = Counter(_share(plan, slot) for slot in islice(plain.slots(), plan.config.keep))
    return dict(sorted(found.items()))


def with_rounds(plan: Plan, run: RunFolder, key: str) -> Plan:
    """The plan with the rounds that the run has come to, the first one where it has none.

    `key` is of all that decides about a draw: under another one the rounds begin anew. Raises
    ConfigError.
    """
    if plan.config.corpus is not None and plan.config.keep_shares != "family":
        raise ConfigError(
            "keep_shares by language: with a corpus its passages decide the languages",
            hint="--set keep_shares=family",
        )
    rounds = stored(run, key)
    first = {share: ceil(n * FIRST_GUESS) for share, n in targets(plan).items()}
    return replace(plan, rounds=tuple(rounds or [first]), rounds_key=key)


def next_round(plan: Plan, run: RunFolder, drawn: int) -> Plan:
    """The plan with a round more, for the shares that are short after so many draws."""
    kept = Counter(share_of_record(plan, record) for record in read_lines(Record, run.records))
    draws = Counter(_share(plan, slot) for slot in islice(plan.slots(), drawn))
    surely = plan.config.refine is not None
    more = {
        share: more_draws(wanted - kept[share], kept[share], draws[share], surely=surely)
        for share, wanted in targets(plan).items()
        if kept[share] < wanted
    }
    if not more:
        return plan
    longer = replace(plan, rounds=(*plan.rounds, more))
    store(run, plan.rounds_key, longer.rounds)
    return longer


def more_draws(missing: int, kept: int, drawn: int, *, surely: bool = False) -> int:
    """How many more draws will give the missing records, by what was kept of those before.

    `surely`: with two standard deviations of a count on top, where a round costs much.
    """
    rate = max(kept / drawn, _LOWEST_YIELD) if drawn else 1.0
    wanted = missing * _MARGIN
    return ceil((max(wanted, missing + 2 * sqrt(missing)) if surely else wanted) / rate)


def stored(run: RunFolder, key: str) -> list[Any]:
    """The rounds that a run has come to under this key, none where it has none."""
    try:
        found = json.loads(_file(run).read_text(encoding="utf-8"))
        rounds: list[Any] = found["rounds"] if found["key"] == key else []
    except (OSError, ValueError, KeyError):
        return []
    return rounds


def store(run: RunFolder, key: str, rounds: Sequence[Any]) -> None:
    """Write down the rounds of a run, before the newest begins."""
    with write_whole(_file(run)) as file:
        json.dump({"key": key, "rounds": rounds}, file)


def _share(plan: Plan, slot: Slot) -> str:
    by = plan.config.keep_shares
    return share_of(by, slot.quota.name, slot.language) if by else ""


def share_of_record(plan: Plan, record: Record) -> str:
    """Which share a record belongs to, "" where the run keeps none."""
    by = plan.config.keep_shares
    return share_of(by, record.family, record.language) if by else ""


def _file(run: RunFolder) -> Path:
    return run.path / "stages" / "rounds.json"
