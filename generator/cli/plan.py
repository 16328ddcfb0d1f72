"""`trine plan`: calls, tokens and price before anything is spent."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from generator.cli.options import config_from, options
from generator.cli.tables import print_table
from generator.estimate import estimate
from generator.plan import make_plan


@click.command("plan")
@options("recipe", "model", "count", "output", "seed", "overrides", "tasks", "prompts", "json")
def command(*, as_json: bool, **flags: object) -> None:
    """Estimate calls, tokens and price of a run; call nothing.

    \b
      trine plan -c recipes/e5-mistral.yaml --set llm.input_usd_per_million=2.5
    """  # noqa: D301 - \b keeps click from folding the lines
    config = config_from(**flags)  # type: ignore[arg-type]
    plan = make_plan(config)
    for note in plan.notes:
        click.echo(f"note: {note}", err=True)
    found = estimate(plan)
    if as_json:
        click.echo(json.dumps(asdict(found)))
        return
    llm = config.llm
    click.echo(f"{plan.tasks_path}, {plan.renderer.folder}; {llm.backend}: {llm.model}", err=True)
    print_table(("family", "draws"), list(found.by_family.items()))
    rows = [
        ("calls", f"{found.calls:,} ({found.brainstorm_calls:,} of them brainstorming)"),
        ("input tokens", f"{found.input_tokens:,}"),
        ("output tokens", f"{found.output_tokens_low:,} to {found.output_tokens_high:,}"),
    ]
    if found.usd_high:
        rows.append(("price", f"${found.usd_low:,.2f} to ${found.usd_high:,.2f}"))
    else:
        rows.append(("price", "unknown: set llm.input_usd_per_million, llm.output_usd_per_million"))
    print_table(("estimate", ""), rows)
