"""From exceptions to words on stderr and an exit code."""

from __future__ import annotations

import errno
import shlex
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from generator.errors import Interrupted, TrineError, UserError

if TYPE_CHECKING:
    from generator.config import RunConfig

DONE, GATE_FAILED, BAD_INPUT, BUG = 0, 1, 2, 3  # and 128 + the number of a signal
# A full or read-only disk, or a path that is of another kind than meant: no bug of trine.
_DISK_ERRORS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}
    | {errno.ENOTDIR, errno.EISDIR, errno.EEXIST}
)

# What a verb that is interrupted keeps, where it keeps something.
_KEPT = {
    "run": "every answer so far is kept",
    "generate": "every answer so far is kept",
    "refine": "every answer so far is kept",
    "mine": "what is encoded and every answer so far are kept",
    "iterate": "every round, answer and checkpoint so far is kept",
    "train": "the last checkpoint is kept",
    "search": "what is encoded so far is kept",
}


def run_guarded(group: click.Group, arguments: list[str] | None) -> int:  # noqa: PLR0911 - a table
    """Call a command; say what went wrong as the user needs it; return the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        with _sigterm_as_interrupt():
            code = group.main(arguments, prog_name="trine", standalone_mode=False, obj=given)
    except (click.exceptions.Abort, KeyboardInterrupt) as exc:
        return _interrupted(given, exc)
    except click.ClickException as exc:
        exc.show()
        return BAD_INPUT
    except UserError as exc:
        _tell(exc)
        return BAD_INPUT
    except OSError as exc:
        if exc.errno not in _DISK_ERRORS:
            return _bug(exc)
        from generator.recordfile import disk_error  # noqa: PLC0415 - `--help` need not load it

        _tell(disk_error(exc, Path(exc.filename or "the output")))
        return BAD_INPUT
    except SystemExit:  # click's end where the reader of a pipe has gone (`trine show … | head`)
        return DONE
    except Exception as exc:  # noqa: BLE001 - the top of the program: anything here is a bug
        return _bug(exc)
    return int(code or DONE)


def _tell(exc: UserError) -> None:
    from generator.config import colour  # noqa: PLC0415 - `--help` need not load it

    click.secho("error: ", fg="red", bold=True, nl=False, err=True, color=colour())
    click.echo(str(exc), err=True)
    click.secho("hint: ", fg="cyan", nl=False, err=True, color=colour())
    click.echo(exc.hint, err=True)


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """SIGTERM ends the command as ^C does, with its own exit code."""

    def end(number: int, _: object) -> None:
        raise Interrupted(number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupted(arguments: list[str], exc: BaseException) -> int:
    signalled = exc if isinstance(exc, Interrupted) else exc.__cause__ or exc.__context__
    number = signalled.number if isinstance(signalled, Interrupted) else signal.SIGINT
    command = shlex.join(["trine", *arguments])
    kept = _KEPT.get(arguments[0] if arguments else "")
    what = f"interrupted: {kept}. To go on" if kept else "interrupted. To start again"
    click.echo(f"\n{what}:\n  {command}", err=True)
    return 128 + number


def tell_stopped(reason: str, config: RunConfig, folder: Path) -> None:
    """Say that a budget is spent, and the command of this call with a cap that goes on."""
    from generator.spending import raised_caps  # noqa: PLC0415 - `--help` need not load it

    arguments: list[str] = click.get_current_context().find_root().obj or []
    cost, tokens = raised_caps(config, folder)
    raised = [] if cost is None else ["--max-cost", f"{cost:g}"]
    raised += [] if tokens is None else ["--max-tokens", str(tokens)]
    if any("budget." in argument for argument in arguments):  # --set goes before flags
        raised = [] if cost is None else ["--set", f"budget.max_cost_usd={cost:g}"]
        raised += [] if tokens is None else ["--set", f"budget.max_tokens={tokens}"]
    command = shlex.join(["trine", *_without_caps(arguments), *raised])
    click.echo(f"stopped: {reason}. Every answer is kept. To go on:\n  {command}", err=True)


def _without_caps(arguments: list[str]) -> Iterator[str]:
    """The arguments but `--max-cost X`, `--max-cost=X` and the same of tokens."""
    given = iter(arguments)
    for argument in given:
        if argument in {"--max-cost", "--max-tokens"}:
            next(given, None)
        elif not argument.startswith(("--max-cost=", "--max-tokens=")):
            yield argument


def _bug(exc: Exception) -> int:
    with tempfile.NamedTemporaryFile(
        "w", prefix="trine-", suffix=".log", delete=False, encoding="utf-8"
    ) as log:
        traceback.print_exception(exc, file=log)
    kind = "error" if isinstance(exc, TrineError) else "bug"
    click.secho(f"{kind}: ", fg="red", bold=True, nl=False, err=True)
    click.echo(f"{type(exc).__name__}: {exc}", err=True)
    click.echo(f"hint: this should not happen; please report it with {Path(log.name)}", err=True)
    return BUG
