"""A run's journal and its prices → what each model has cost so far, and the budget that is left."""

from __future__ import annotations

from dataclasses import dataclass

from generator.errors import ConfigError
from generator.llm.budget import Budget
from generator.llm.journal import Journal
from generator.llm.prospects import Amount
from generator.plan import Plan
from generator.prices import Prices


@dataclass(frozen=True, slots=True)
class Spent:
    """What a model's answers cost; `cost_usd` is None where a price is not known."""

    answers: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    cost_usd: float | None


def spent_by_model(journal: Journal, prices: Prices) -> dict[str, Spent]:
    """What all answers of a journal cost, in every session of its run."""
    found: dict[str, Spent] = {}
    for (model, batched), usage in journal.usage().items():
        usd = prices.usd(
            model,
            usage.prompt_tokens,
            usage.completion_tokens,
            cached=usage.cached_tokens,
            batched=batched,
        )
        before = found.get(model, Spent(0, 0, 0, 0, 0, 0.0))
        found[model] = Spent(
            before.answers + usage.requests,
            before.prompt_tokens + usage.prompt_tokens,
            before.cached_tokens + usage.cached_tokens,
            before.completion_tokens + usage.completion_tokens,
            before.reasoning_tokens + usage.reasoning_tokens,
            None if usd is None or before.cost_usd is None else before.cost_usd + usd,
        )
    return found


def total_cost(spent: dict[str, Spent]) -> float | None:
    """The sum in US dollars; None where a model's price is not known."""
    known = [row.cost_usd for row in spent.values() if row.cost_usd is not None]
    return sum(known) if len(known) == len(spent) else None


def open_budget(plan: Plan, journal: Journal) -> Budget:
    """The budget of a run, less what its journal has spent. Raises ConfigError."""
    spent = spent_by_model(journal, plan.prices)
    usd = total_cost(spent)
    caps = plan.config.budget
    if usd is None and caps.max_cost_usd is not None:
        unknown = ", ".join(model for model, row in spent.items() if row.cost_usd is None)
        raise ConfigError(
            f"a cap on cost needs prices: this run has answers of {unknown}, without one in"
            f" {plan.prices.path}",
            hint="add a line to your own prices.yaml, or --max-tokens",
        )
    batched = {writer.model for writer in plan.config.llm.everyone if writer.backend == "batch"}

    def price_of(model: str, asked: int, written: int, cached: int, batch: bool) -> float | None:
        return plan.prices.usd(model, asked, written, cached=cached, batched=batch)

    tokens = sum(row.prompt_tokens + row.completion_tokens for row in spent.values())
    return Budget(
        price_of,
        spent=Amount(usd, tokens),
        max_cost_usd=caps.max_cost_usd,
        max_tokens=caps.max_tokens,
        batched=batched.__contains__,
    )
