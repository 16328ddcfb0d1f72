"""^C and SIGTERM while requests are in flight: what is in flight is finished first, for a while."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress

from generator.errors import Interrupted
from generator.llm.pool import Pool
from generator.progress import Watch

GRACE_S = 5.0


async def unless_interrupted(work: Coroutine[None, None, None], pool: Pool, watch: Watch) -> None:
    """Do the work. Raises Interrupted after a signal.

    The first one stops the sending: what is in flight may be answered and committed within
    `GRACE_S`. The second one drops it.
    """
    task = asyncio.ensure_future(work)
    signals: list[int] = []
    changed = asyncio.Event()

    def on_signal(number: int) -> None:
        signals.append(number)
        changed.set()
        if len(signals) > 1:
            task.cancel()

    with _handled(on_signal):
        stopping = asyncio.ensure_future(changed.wait())
        try:
            await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if signals and not task.done():
                await _finish(task, pool, watch)
        finally:
            stopping.cancel()
            if not task.done():
                task.cancel()
            with suppress(asyncio.CancelledError):
                await task
    if signals:
        raise Interrupted(signals[0])


async def _finish(task: asyncio.Future[None], pool: Pool, watch: Watch) -> None:
    watch.note(f"stopping: {pool.in_flight} requests are in flight (again: drop them)")
    idle = asyncio.ensure_future(pool.stop())
    await asyncio.wait({task, idle}, timeout=GRACE_S, return_when=asyncio.FIRST_COMPLETED)
    idle.cancel()


@contextmanager
def _handled(on_signal: Callable[[int], None]) -> Iterator[None]:
    """Where the loop can have signals: in the main thread of a POSIX system."""
    loop = asyncio.get_running_loop()
    before = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError, RuntimeError, ValueError):
            handler = signal.getsignal(number)
            loop.add_signal_handler(number, on_signal, number)
            before[number] = handler
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
