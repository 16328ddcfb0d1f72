"""`trine publish`: a run's data set to the Hub, or to a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from generator.cli.options import NewPath, options
from generator.cli.tables import print_table
from generator.errors import InputError
from generator.publish import Plan, publish
from generator.runs import existing_run


@click.command("publish")
@click.argument("run", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--repo", metavar="OWNER/NAME", help="Push to this data set on the Hub.")
@click.option("--folder", type=NewPath(), help="Write to this folder instead.")
@click.option("--private", is_flag=True, help="Make the repository private.")
@click.option("--dry-run", is_flag=True, help="Print what would go, and stop.")
@options("quiet", "json")
def command(
    run: Path,
    *,
    repo: str | None,
    folder: Path | None,
    private: bool,
    dry_run: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Publish the data set of RUN: one configuration a family, train and test, a card.

    The Hub's key comes from `hf auth login` or HF_TOKEN. Texts that look like keys stop it.

    \b
      trine publish outputs/quickstart --repo me/my-data --dry-run
      trine publish outputs/quickstart --folder to-hub
    """  # noqa: D301 - \b keeps click from folding the lines
    if (repo is None) == (folder is None):
        raise InputError("--repo or --folder, one of them", hint=f"trine publish {run} --repo me/x")
    dataset = existing_run(run).dataset
    plan = publish(dataset, repo=repo, target=folder, private=private, dry_run=dry_run)
    if as_json:
        click.echo(json.dumps(_facts(plan) | {"dry_run": dry_run}, ensure_ascii=False))
        return
    if not quiet:
        _print(plan)
    verb = "would go" if dry_run else "went"
    click.echo(f"{len(plan.files)} files, {plan.total_bytes:,} bytes {verb} to {plan.destination}")


def _facts(plan: Plan) -> dict[str, Any]:
    return {
        "destination": plan.destination,
        "private": plan.private,
        "bytes": plan.total_bytes,
        "files": dict(plan.files),
        "configurations": {name: dict(splits) for name, splits in plan.configurations.items()},
    }


def _print(plan: Plan) -> None:
    print_table(("file", "bytes"), list(plan.files.items()))
    rows = [
        (name, split, number)
        for name, splits in plan.configurations.items()
        for split, number in splits.items()
    ]
    print_table(("configuration", "split", "rows"), rows)
