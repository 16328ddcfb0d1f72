"""`trine tasks`: what the taxonomy holds."""

from __future__ import annotations

from pathlib import Path

import click
import yaml

from generator.cli.options import config_from, options
from generator.cli.tables import print_table
from generator.plan import load_checked
from generator.taxonomy import family_of


@click.group("tasks", invoke_without_command=True)
@options("tasks", "prompts", "overrides")
@click.pass_context
def command(
    ctx: click.Context, *, tasks: Path | None, prompts: Path | None, overrides: tuple[str, ...]
) -> None:
    """Show the families of the taxonomy; `check` it, or `show` one family."""
    ctx.obj = config_from(tasks=tasks, prompts=prompts, overrides=overrides)
    if ctx.invoked_subcommand is not None:
        return
    taxonomy, renderer, path = load_checked(ctx.obj)
    click.echo(f"{path}, {renderer.folder}", err=True)
    rows = [
        (name, family.share, ", ".join(family.forms), family.description)
        for name, family in taxonomy.families.items()
    ]
    print_table(("family", "share", "forms", "description"), rows)


@command.command("check")
@click.pass_context
def check(ctx: click.Context) -> None:
    """Find every problem of tasks.yaml, its templates and its filters."""
    taxonomy, renderer, path = load_checked(ctx.obj)
    click.echo(
        f"{path}, {renderer.folder}: {len(taxonomy.families)} families,"
        f" {len(taxonomy.languages)} languages, no problem"
    )


@command.command("show")
@click.argument("family")
@click.pass_context
def show(ctx: click.Context, family: str) -> None:
    """Print one family as YAML, lists resolved."""
    taxonomy, _, _ = load_checked(ctx.obj)
    content = family_of(taxonomy, family).model_dump(mode="json", exclude_defaults=True)
    click.echo(yaml.safe_dump({family: content}, sort_keys=False, allow_unicode=True), nl=False)
