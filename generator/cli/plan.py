"""`trine plan`: calls, tokens and price before anything is spent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict

import click

from generator.cli.options import options, run_config
from generator.cli.tables import print_table
from generator.cli.words import counted
from generator.estimate import Estimate, Share, estimate
from generator.judgeguess import Judging
from generator.plan import Plan, make_plan
from generator.prices import Money, everyone_asked

_CENT = 0.01
_JUDGED = ("calls", "input_tokens", "output_tokens")


@click.command("plan")
@options(
    "recipe", "model", "count", "keep", "output", "seed", "overrides", "tasks", "prompts",
    "max_cost", "max_tokens", "json",
)  # fmt: skip
def command(*, as_json: bool, **flags: object) -> None:
    """Estimate calls, tokens and price of a run, by model; call nothing.

    \b
      trine plan -c recipes/e5-mistral.yaml -n 10000 --max-cost 5
    """  # noqa: D301 - \b keeps click from folding the lines
    config = run_config(**flags)
    plan = make_plan(config)
    for note in plan.notes:
        click.echo(f"note: {note}", err=True)
    found = estimate(plan)
    if as_json:
        click.echo(json.dumps(asdict(found)))
        return
    backends = ", ".join(f"{w.backend}: {w.model}" for w in config.llm.everyone)
    click.echo(f"{plan.tasks_path}, {plan.renderer.folder}; {backends}", err=True)
    print_table(("family", "draws"), list(found.by_family.items()))
    if len(found.by_model) > 1:
        _print_models(found)
    if found.judges:
        _print_judges(found.judges)
    _print_total(plan, found)


def _print_judges(judges: Mapping[str, Judging]) -> None:
    rows = [
        (
            model,
            *(f"{getattr(j, n + '_low'):,} to {getattr(j, n + '_high'):,}" for n in _JUDGED),
            _usd(j.usd),
        )
        for model, j in judges.items()
    ]
    print_table(("judge", *(name.replace("_", " ") for name in _JUDGED), "price"), rows)


def _print_models(found: Estimate) -> None:
    rows = [
        (model, share.calls, share.input_tokens, _range(share), _usd(share.usd))
        for model, share in found.by_model.items()
    ]
    print_table(("model", "calls", "input tokens", "output tokens", "price"), rows)


def _print_total(plan: Plan, found: Estimate) -> None:
    rows = [
        ("calls", f"{found.calls:,}{_brainstormed(found)}"),
        ("input tokens", f"{found.input_tokens:,}"),
        ("output tokens", _range(found)),
        ("price, judges included" if found.judges else "price", _usd(found.usd)),
    ]
    if found.usd and found.usd.high:
        through = Money(found.usd.batch_low, found.usd.batch_high, 0, 0)
        rows.append(("price through batches", _usd(through)))
    print_table(("estimate", ""), rows)
    prices = {m: asked.usd for m, asked in found.by_model.items()}
    prices |= {m: asked.usd for m, asked in found.judges.items()}
    unpriced = [model for model, usd in prices.items() if usd is None]
    if unpriced:
        click.echo(
            f"note: {', '.join(unpriced)}: no price in {plan.prices.path}; add a line to your own"
            " prices.yaml, or set llm.input_usd_per_million and llm.output_usd_per_million",
            err=True,
        )
    if plan.config.keep:
        kept = counted(plan.config.keep, "record")
        click.echo(f"note: it ends with {kept}; these are all draws that it may take", err=True)
    _print_caps(plan, found)


def _print_caps(plan: Plan, found: Estimate) -> None:
    budget = plan.config.budget
    if budget.max_cost_usd and found.usd:
        batched = all(model.backend == "batch" for model in everyone_asked(plan.config))
        high = found.usd.batch_high if batched else found.usd.high
        if high > budget.max_cost_usd:
            click.echo(f"note: the cap of ${budget.max_cost_usd:,.2f} may stop it", err=True)
    if budget.max_tokens and found.most_tokens > budget.max_tokens:
        click.echo(f"note: the cap of {budget.max_tokens:,} tokens may stop it", err=True)


def _brainstormed(found: Estimate) -> str:
    calls = found.brainstorm_calls
    return f" ({calls:,} of them brainstorming)" if calls else ""


def _range(found: Estimate | Share) -> str:
    return _between(f"{found.output_tokens_low:,}", f"{found.output_tokens_high:,}")


def _between(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _usd(price: Money | None) -> str:
    if price is None:
        return "unknown"
    if not price.high:
        return "nothing by the token"
    if price.high < _CENT / 2:
        return "under $0.01"
    return _between(f"${price.low:,.2f}", f"${price.high:,.2f}")
