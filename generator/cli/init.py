"""`trine init`: one's own taxonomy to change."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from generator.config import packaged_data
from generator.errors import InputError


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path))
def command(folder: Path) -> None:
    """Copy tasks.yaml, prompts/ and a recipe to FOLDER, to change them.

    \b
      trine init mine && cd mine && trine run -c recipe.yaml
    """  # noqa: D301 - \b keeps click from folding the lines
    data = packaged_data()
    wanted = {
        "tasks.yaml": data / "tasks.yaml",
        "prompts": data / "prompts",
        "recipe.yaml": data / "recipes" / "quickstart.yaml",
    }
    taken = [name for name in wanted if (folder / name).exists()]
    if taken:
        raise InputError(
            f"{folder}: {', '.join(taken)} exists already", hint="choose another folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in wanted.items():
        if source.is_dir():
            shutil.copytree(source, folder / name)
        else:
            shutil.copyfile(source, folder / name)
    click.echo(f"wrote {', '.join(wanted)} to {folder}", err=True)
    click.echo(f"next: cd {folder} && trine tasks check && trine run -c recipe.yaml", err=True)
