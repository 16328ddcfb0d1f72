"""Options that mean the same in every verb, and the configuration that they make."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from generator.config import RunConfig, load_config, validated
from generator.errors import ConfigError, InputError
from generator.recordfile import RECORDS
from generator.runs import RunFolder, existing_run

Decorator = Callable[[Any], Any]


class NewPath(click.Path):
    """A path to write to, as a `Path`; an empty one is refused: it would be the current folder."""

    def __init__(self, **kinds: bool) -> None:
        super().__init__(path_type=Path, **kinds)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path. Raises click's usage error where it is empty."""
        if not str(value).strip():
            self.fail("the name is empty; the current folder is '.'", param, ctx)
        return super().convert(value, param, ctx)


_SECTIONS = frozenset({"llm", "dedupe", "dataset", "mine", "refine", "contamination", "diversity"})
_OPTIONS: dict[str, Decorator] = {
    "recipe": click.option(
        "-c", "--config", "recipe", metavar="RECIPE", help="Run configuration (YAML, or a name)."
    ),
    "model": click.option("-m", "--model", help="Model that writes (llm.model)."),
    "count": click.option("-n", "--count", type=int, help="Examples to draw (count)."),
    "keep": click.option("--keep", type=int, help="Records to end with (keep)."),
    "output": click.option("-o", "--output", type=NewPath(), help="Output folder (output)."),
    "seed": click.option("--seed", type=int, help="Seed of all draws (seed)."),
    "overrides": click.option(
        "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Set a configuration key."
    ),
    "tasks": click.option(
        "--tasks", type=click.Path(path_type=Path), help="Taxonomy file (tasks)."
    ),
    "prompts": click.option(
        "--prompts", type=click.Path(path_type=Path), help="Prompts folder (prompts)."
    ),
    "max_cost": click.option(
        "--max-cost",
        type=float,
        metavar="USD",
        help="Stop before this is spent (budget.max_cost_usd).",
    ),
    "max_tokens": click.option(
        "--max-tokens",
        type=int,
        metavar="N",
        help="Stop before so many tokens in and out (budget.max_tokens).",
    ),
    "quiet": click.option("-q", "--quiet", is_flag=True, help="No progress, notes or next step."),
    "json": click.option("--json", "as_json", is_flag=True, help="Print JSON."),
}


def options(*names: str) -> Decorator:
    """The named options, in this order in `--help`."""

    def decorate(function: Any) -> Any:
        for name in reversed(names):
            function = _OPTIONS[name](function)
        return function

    return decorate


def config_from(
    *,
    recipe: str | None = None,
    overrides: tuple[str, ...] = (),
    model: str | None = None,
    max_cost: float | None = None,
    max_tokens: int | None = None,
    **flags: Any,
) -> RunConfig:
    """The configuration of the given options."""
    budget = {"budget.max_cost_usd": max_cost, "budget.max_tokens": max_tokens}
    keys = {"llm.model": model, **budget, **flags}
    return load_config(recipe, overrides, **keys)


def run_config(**given: Any) -> RunConfig:
    """The configuration of a run to make. Raises ConfigError where nothing says what to make."""
    config = config_from(**given)
    sizes = {"count", "keep", "output", "seed", "budget"}
    if config.model_dump(exclude=sizes) == RunConfig().model_dump(exclude=sizes):
        raise ConfigError(
            "no recipe and no model is named",
            hint="-c quickstart, -c e5-mistral, -c japanese, -c my-documents, or your own file",
        )
    return config


def config_of_run(folder: Path, overrides: tuple[str, ...]) -> RunConfig:
    """The configuration that a run was made with, with `--set` on top."""
    run: RunFolder = existing_run(folder)
    stored = run.read_manifest().get("config")
    if not isinstance(stored, dict):
        raise InputError(f"{run.manifest}: holds no configuration", hint="trine run -c … -o …")
    base = load_config(None, overrides, environ={}, **_flat(stored))
    return validated({**base.model_dump(), "output": folder}, str(run.manifest))


def other_folder(records: Path, output: Path | None, verb: str) -> Path:
    """The folder of `-o`: given, and another one than that of the records."""
    if output is None:
        raise InputError("no output folder", hint=f"trine {verb} {records} -o FOLDER")
    if records.resolve() == (output / RECORDS).resolve():
        raise InputError(f"{records}: would be replaced", hint="another folder with -o")
    return output


def _flat(stored: dict[str, Any]) -> dict[str, Any]:
    """Nested configuration as dotted keys, two levels deep, as flags come."""
    flat: dict[str, Any] = {}
    for key, value in stored.items():
        if key in _SECTIONS and isinstance(value, dict):
            flat |= {f"{key}.{inner}": item for inner, item in value.items()}
        else:
            flat[key] = value
    return flat
