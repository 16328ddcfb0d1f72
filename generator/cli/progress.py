"""A progress line on stderr: a live one on a terminal, a plain one now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

import click

from generator.cli.words import counted
from generator.llm.pool import Traffic
from generator.text import clock

_PLAIN_EVERY_S = 20.0
_LIVE_EVERY_S = 0.2


class ProgressLine:
    """A `Watch` that shows rate, kept, rejected, tokens, cost and time left."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._live = sys.stderr.isatty()
        self._stage = ""
        self._total: int | None = None
        self._status = ""
        self._kept = self._rejected = 0
        self._traffic: Traffic | None = None
        self._start = self._shown = time.monotonic()
        self._width = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._end()

    def begin(self, stage: str, total: int | None) -> None:
        """Start a stage's line; a terminal shows it before the first item, which may take long."""
        self._end()
        self._stage, self._total, self._traffic, self._status = stage, total, None, ""
        self._kept = self._rejected = 0
        self._start = time.monotonic()
        self._shown = self._start
        if self._live and total:
            self._show()

    def advance(self, *, kept: bool) -> None:
        """Count one item, and redraw now and then."""
        if kept:
            self._kept += 1
        else:
            self._rejected += 1
        self._show_now_and_then()

    def traffic(self, traffic: Traffic) -> None:
        """Show these counts from now on."""
        self._traffic = traffic

    def note(self, message: str) -> None:
        """A line of its own."""
        if not self._quiet:
            self._clear()
            click.echo(f"note: {message}", err=True)

    def status(self, line: str) -> None:
        """Show this line of a stage at its next turn; on a terminal the first one at once."""
        is_first, self._status = not self._status, line
        if is_first and self._live:
            self._shown = time.monotonic()
            self._show()
        self._show_now_and_then()

    def _show_now_and_then(self) -> None:
        now = time.monotonic()
        if now - self._shown >= (_LIVE_EVERY_S if self._live else _PLAIN_EVERY_S):
            self._shown = now
            self._show()

    def _show(self) -> None:
        if self._quiet:
            return
        line = self._line()
        if self._live:
            pad = " " * max(0, self._width - len(line))
            click.echo(f"\r{line}{pad}", nl=False, err=True)
            self._width = len(line)
        else:
            click.echo(line, err=True)

    def _line(self) -> str:
        if self._status:
            return f"{self._stage}  {self._status}"
        done = self._kept + self._rejected
        elapsed = max(time.monotonic() - self._start, 1e-9)
        rate = done / elapsed
        total = f"/{self._total:,}" if self._total else ""
        speed = f"{rate:,.1f}/s" if rate >= 1 else f"{60 * rate:,.1f}/min"
        parts = [f"{self._stage} {done:,}{total}", speed]
        parts += [f"kept {self._kept:,}", f"rejected {self._rejected:,}"]
        parts += self._money() if self._traffic else []
        if self._total and rate:
            parts.append(f"{clock((self._total - done) / rate)} left")
        return " · ".join(parts)

    def _money(self) -> list[str]:
        traffic = self._traffic or Traffic()
        tokens = traffic.prompt_tokens + traffic.completion_tokens
        journal = f" ({traffic.from_journal:,} from the journal)" if traffic.from_journal else ""
        flow = traffic.flow()
        return [
            f"{counted(traffic.answered, 'answer')}{journal}",
            *([f"{flow.in_flight:,} of {flow.window:,} in flight"] if flow else []),
            f"{tokens:,} tokens",
            *([f"${traffic.cost_usd:.2f} so far"] if traffic.cost_usd else []),
        ]

    def _end(self) -> None:
        if self._stage and (self._kept + self._rejected or self._status or self._width):
            self._show()
            if self._live and not self._quiet:
                click.echo(err=True)
        self._stage = ""
        self._width = 0

    def _clear(self) -> None:
        if self._live and self._width:
            click.echo("\r" + " " * self._width + "\r", nl=False, err=True)
