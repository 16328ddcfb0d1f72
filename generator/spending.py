"""Journals and prices → what each model has cost so far, and the budget that is left.

A run has up to three: its writers', and those of the judges of mining and of refinement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from generator.config import RunConfig
from generator.errors import ConfigError
from generator.llm.budget import Budget
from generator.llm.journal import Journal, Usage
from generator.llm.prospects import Amount
from generator.prices import Prices, everyone_asked, read_prices
from generator.runs import RunFolder

_NEAR = 1.5  # times a cap: what a run may have spent that was stopped by it


@dataclass(frozen=True, slots=True)
class Spent:
    """What a model's answers cost; `cost_usd` is None where a price is not known."""

    answers: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    cost_usd: float | None

    def __add__(self, other: Spent) -> Spent:
        known = self.cost_usd is not None and other.cost_usd is not None
        return Spent(
            self.answers + other.answers,
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.completion_tokens + other.completion_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            (self.cost_usd or 0) + (other.cost_usd or 0) if known else None,
        )


def spent_by_model(journal: Journal, prices: Prices) -> dict[str, Spent]:
    """What all answers of a journal cost, in every session of its run."""
    return _spent(journal.usage(), prices)


def spent_in(journals: Iterable[Path], prices: Prices) -> dict[str, Spent]:
    """The same of several journals together, by their files; those that are not there hold none."""
    found: dict[str, Spent] = {}
    for path in journals:
        if path.is_file():
            with Journal(path) as journal:
                for model, row in spent_by_model(journal, prices).items():
                    found[model] = found[model] + row if model in found else row
    return found


def _spent(usages: Mapping[tuple[str, bool], Usage], prices: Prices) -> dict[str, Spent]:
    found: dict[str, Spent] = {}
    for (model, batched), usage in usages.items():
        usd = prices.usd(
            model,
            usage.prompt_tokens,
            usage.completion_tokens,
            cached=usage.cached_tokens,
            batched=batched,
        )
        row = Spent(
            usage.requests,
            usage.prompt_tokens,
            usage.cached_tokens,
            usage.completion_tokens,
            usage.reasoning_tokens,
            usd,
        )
        found[model] = found[model] + row if model in found else row
    return found


def total_cost(spent: dict[str, Spent]) -> float | None:
    """The sum in US dollars; None where a model's price is not known."""
    known = [row.cost_usd for row in spent.values() if row.cost_usd is not None]
    return sum(known) if len(known) == len(spent) else None


def raised_caps(config: RunConfig, folder: Path) -> tuple[float | None, int | None]:
    """Twice each cap of a run that was stopped; twice what is spent, where that is far above it."""
    run = RunFolder(folder)
    spent = spent_in((run.journal, *run.judged), read_prices(config))
    dollars, tokens = config.budget.caps
    more_dollars = None if dollars is None else _raised(dollars, total_cost(spent) or 0.0)
    more_tokens = None if tokens is None else int(_raised(tokens, _tokens(spent)))
    return more_dollars, more_tokens


def _raised(cap: float, spent: float) -> float:
    # A run ends near its cap; one that begins far above it had a higher one before.
    return 2 * cap if spent <= _NEAR * cap else float(f"{2 * spent:.2g}")


def _tokens(spent: Mapping[str, Spent]) -> int:
    return sum(row.prompt_tokens + row.completion_tokens for row in spent.values())


def open_budget(config: RunConfig, prices: Prices, journals: Iterable[Path]) -> Budget:
    """The budget of a run, less what its journals have spent. Raises ConfigError."""
    spent = spent_in(journals, prices)
    usd = total_cost(spent)
    caps = config.budget
    if usd is None and caps.max_cost_usd is not None:
        unknown = ", ".join(model for model, row in spent.items() if row.cost_usd is None)
        raise ConfigError(
            f"a cap on cost needs prices: this run has answers of {unknown}, without one in"
            f" {prices.path}",
            hint="add a line to your own prices.yaml, or --max-tokens",
        )
    batched = {model.model for model in everyone_asked(config) if model.backend == "batch"}

    def price_of(model: str, asked: int, written: int, cached: int, batch: bool) -> float | None:
        return prices.usd(model, asked, written, cached=cached, batched=batch)

    return Budget(
        price_of,
        spent=Amount(usd, _tokens(spent)),
        max_cost_usd=caps.max_cost_usd,
        max_tokens=caps.max_tokens,
        batched=batched.__contains__,
    )
