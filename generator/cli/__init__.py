"""The command line: one verb a file; each parses, calls one library function, prints.

`--help` imports none of them: the registry below holds what it shows.
"""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module

import click

# verb: (module, one line of help)
COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("run", "Make a data set: every stage, resumable."),
    "init": ("init", "Copy tasks.yaml, prompts/ and a recipe, to change them."),
    "tasks": ("tasks", "Show or check what the taxonomy holds."),
    "prompt": ("prompt", "Print a rendered prompt; call nothing."),
    "corpus": ("corpus", "Show what passages a folder of documents gives."),
    "plan": ("plan", "Estimate calls, tokens and price; call nothing."),
    "generate": ("generate", "Stage 1 alone: draw, ask the model, parse."),
    "filter": ("filter", "Stage 2 alone: drop records that break a rule."),
    "dedupe": ("dedupe", "Stage 3 alone: drop duplicates and near-duplicates."),
    "contamination": ("contamination", "Find records that stand in evaluation sets."),
    "import": ("import_", "Take over pairs of your own: MS MARCO, SQuAD, NLI, BEIR, tables."),
    "mine": ("mine", "Find hard negatives: BM25, dense, random, with positive-aware cuts."),
    "refine": ("refine", "Check records by meaning: an encoder, an LLM judge, relabelling."),
    "iterate": ("iterate", "Mine and train in turns, each round with the last model."),
    "train": ("train", "Train an embedder on a run's data set, or on any pairs."),
    "export": ("export", "Write records in another tool's format."),
    "eval": ("eval", "Score a model, or BM25, on retrieval, STS and bitext tasks."),
    "encode": ("encode", "Embed the texts of a file."),
    "search": ("search", "Search a corpus with a model."),
    "publish": ("publish", "Put a run's data set on the Hugging Face Hub, or in a folder."),
    "show": ("show", "Read records, kept or rejected."),
    "stats": ("stats", "The numbers of a run."),
}


class _Verbs(click.Group):
    """A group that imports a verb's module when the verb is called."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        # Click looks for near ones among the commands that it has loaded, which are none.
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            near = get_close_matches(args[0], COMMANDS, n=1)
            meant = f" Did you mean '{near[0]}'?" if near else ""
            ctx.fail(f"No such command '{args[0]}'.{meant}")
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        from generator.config import colour  # noqa: PLC0415 - `--help` need not load it

        ctx.color = colour()
        module = import_module(f"generator.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _print_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version  # noqa: PLC0415

        click.echo(f"trine {version('trine')}")
        ctx.exit()


@click.group(
    cls=_Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="First steps:  trine run -c quickstart   ·   trine show outputs/quickstart",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version,
    help="Print the version.",
)  # fmt: skip
def cli() -> None:
    """Write training data for text-embedding models with an LLM."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 a gate failed, 2 bad input, 3 a bug, 130 ^C."""
    from generator.cli.errors import run_guarded  # noqa: PLC0415

    raise SystemExit(run_guarded(cli, arguments))
