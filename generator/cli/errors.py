"""From exceptions to words on stderr and an exit code."""

from __future__ import annotations

import errno
import shlex
import sys
import tempfile
import traceback
from pathlib import Path

import click

from generator.errors import TrineError, UserError

DONE, GATE_FAILED, BAD_INPUT, BUG, INTERRUPTED = 0, 1, 2, 3, 130
# A full or read-only disk, or a path that is of another kind than meant: no bug of trine.
_DISK_ERRORS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}
    | {errno.ENOTDIR, errno.EISDIR, errno.EEXIST}
)


def run_guarded(group: click.Group, arguments: list[str] | None) -> int:  # noqa: PLR0911 - a table
    """Call a command; say what went wrong as the user needs it; return the exit code."""
    try:
        code = group.main(arguments, prog_name="trine", standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        return _interrupted(sys.argv[1:] if arguments is None else arguments)
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


def _interrupted(arguments: list[str]) -> int:
    command = shlex.join(["trine", *arguments])
    click.echo(f"\ninterrupted: every answer so far is kept. To go on:\n  {command}", err=True)
    return INTERRUPTED


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
