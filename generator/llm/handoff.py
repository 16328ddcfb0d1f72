"""A future whose waiter goes on at once, within the call that gives it its value.

An `asyncio.Future` wakes its waiter in a later turn of the event loop, behind whatever stands in
line by then. Here an answer is committed in the very call in which the last of its bytes was read,
and a request costs some turns of the loop less.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Handoff(Generic[T]):
    """Awaited by one task, once. Has of `asyncio.Future` what tasks ask of a future."""

    __slots__ = ("_asyncio_future_blocking", "_error", "_is_done", "_loop", "_value", "_wake")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._asyncio_future_blocking = False
        self._is_done = False
        self._value: T
        self._error: BaseException | None = None
        self._wake: tuple[Callable[[Any], object], Context | None] | None = None

    def done(self) -> bool:
        """Whether it has a value or an error."""
        return self._is_done

    @property
    def is_given(self) -> bool:
        """Whether it has a value."""
        return self._is_done and self._error is None

    def give(self, value: T) -> None:
        """Let the waiter go on with a value; nothing where it is done."""
        if not self._is_done:
            self._value = value
            self._end()

    def fail(self, error: BaseException) -> None:
        """Let the waiter go on with an error; nothing where it is done."""
        if not self._is_done:
            self._error = error
            self._end()

    def result(self) -> T:
        """The value. Raises what it failed with."""
        if self._error is not None:
            raise self._error
        return self._value

    def _end(self) -> None:
        self._is_done = True
        if self._wake is None:
            return
        wake, context = self._wake
        self._wake = None
        # Two tasks cannot run at once: from within one, the other has to wait for its turn.
        if context is None or asyncio.current_task(self._loop) is not None:
            self._loop.call_soon(wake, self, context=context)
        else:
            context.run(wake, self)

    # What follows is what a task asks of any future.

    def __await__(self) -> Generator[Any, None, T]:
        if not self._is_done:
            self._asyncio_future_blocking = True
            yield self
        return self.result()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop of its task."""
        return self._loop

    def add_done_callback(
        self, wake: Callable[[Any], object], *, context: Context | None = None
    ) -> None:
        """Called by the task that waits."""
        if self._is_done:
            self._loop.call_soon(wake, self, context=context)
        else:
            self._wake = (wake, context)

    def cancel(self, msg: object = None) -> bool:
        """Called by the task that waits, when it is cancelled itself."""
        if self._is_done:
            return False
        self._error, self._is_done = asyncio.CancelledError(*([msg] if msg else [])), True
        if self._wake is not None:
            wake, context = self._wake
            self._loop.call_soon(wake, self, context=context)
        return True
