"""`trine prompt`: a rendered prompt, without a call."""

from __future__ import annotations

import json

import click

from generator import sampling, writing
from generator.cli.options import config_from, options
from generator.errors import InputError
from generator.plan import Plan, make_plan
from generator.records import Completion, Draw, Prompt, Task
from generator.taxonomy import family_of


@click.command("prompt")
@click.argument("family")
@click.option(
    "--index",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Which draw of the family.",
)
@click.option("--language", default=None, help="Language code, or src-tgt for a pair.")
@click.option("--step", default=None, help="One step only (brainstorm, or a step's name).")
@options("recipe", "seed", "overrides", "tasks", "prompts")
def command(
    family: str, *, index: int, language: str | None, step: str | None, **flags: object
) -> None:
    """Print the prompts of one draw of FAMILY as they would be sent; call nothing.

    What an earlier step would answer stands as <field> in a later one.

    \b
      trine prompt short-long --index 7 --language ja
    """  # noqa: D301 - \b keeps click from folding the lines
    config = config_from(**flags)  # type: ignore[arg-type]
    languages = dict.fromkeys(language.split("-"), 1.0) if language else config.languages
    families = {family: 1.0}
    plan = make_plan(config.model_copy(update={"families": families, "languages": languages}))
    family_of(plan.taxonomy, family)
    found = _prompts(plan, family, language, index)
    prompts = [p for p in found if step in {None, p.step}]
    if not found:
        raise InputError(f"{family} has no steps: it asks no model", hint="choose another family")
    if not prompts:
        steps = ", ".join(dict.fromkeys(p.step for p in found))
        raise InputError(f"{family} has no step {step!r}", hint=f"one of: {steps}")
    for prompt in prompts:
        _print(prompt)


def _prompts(plan: Plan, name: str, language: str | None, index: int) -> list[Prompt]:
    quota = plan.quotas[0]
    draw = _draw(plan, language, index)
    prompts: list[Prompt] = []
    task = None
    if plan.form(draw).brainstorm:
        call = sampling.brainstorm_draw(draw, quota.family, plan.config.seed)
        prompts.append(next(writing.brainstorm_steps(plan, call)))
        task = Task(name, draw.language, "<task>", call.id, "")
    return prompts + _example_prompts(plan, draw, task)


def _draw(plan: Plan, language: str | None, index: int) -> Draw:
    """The `index`-th draw of the plan's one family (in that language, where it is not grounded)."""
    quota, seed = plan.quotas[0], plan.config.seed
    if quota.grounds is None:
        code = language or next(iter(sampling.language_keys(quota.family, plan.languages)))
        return sampling.example_draw(quota.name, quota.family, quota.form, code, index, seed)
    if index >= len(quota.grounds):
        raise InputError(
            f"{quota.name} has {len(quota.grounds):,} draws", hint="a smaller --index, from 0"
        )
    ground = quota.grounds[index]
    slot = sampling.Slot(quota, ground.language, ground.number, ground.passage)
    return sampling.slot_draw(slot, seed)


def _example_prompts(plan: Plan, draw: Draw, task: Task | None) -> list[Prompt]:
    """Every step's prompt, with `<field>` for each answer."""
    steps = writing.example_steps(plan, draw, task)
    prompts: list[Prompt] = []
    try:
        prompt = next(steps)
        while True:
            prompts.append(prompt)
            fields = plan.form(draw).steps[prompt.step].reply
            stand_in = {
                name: f.one_of[0] if f.one_of else f"<{name}>" for name, f in fields.items()
            }
            prompt = steps.send(Completion(json.dumps(stand_in)))
    except StopIteration:
        return prompts


def _print(prompt: Prompt) -> None:
    params = prompt.params
    click.secho(
        f"# {prompt.draw} · {prompt.step} · temperature {params.temperature:g}"
        f" · top_p {params.top_p:g} · max_tokens {params.max_tokens}",
        fg="cyan",
        err=True,
    )
    for message in prompt.messages:
        click.secho(f"[{message.role}]", fg="yellow")
        click.echo(message.content + "\n")
