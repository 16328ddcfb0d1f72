"""Keeps a bounded number of requests under way, and the journal between them and the model.

A request that the journal has answered is never sent. An answer is committed before its slot is
free again. Knows no family, no template and no parsing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from generator.errors import RequestFailed
from generator.llm.base import LLM, Flow
from generator.llm.journal import Journal
from generator.records import Completion, Prompt

T = TypeVar("T")


@dataclass(slots=True)
class Traffic:
    """What went through a pool, for progress lines."""

    sent: int = 0
    answered: int = 0
    from_journal: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = None  # of the whole run so far
    flow: Callable[[], Flow | None] = field(default=lambda: None, compare=False, repr=False)


class Pool:
    """Asks a model, through a journal, with at most `llm.concurrency` requests under way."""

    def __init__(self, llm: LLM, journal: Journal) -> None:
        self._llm = llm
        self._journal = journal
        self._slots = asyncio.Semaphore(llm.concurrency)
        self._asking: dict[str, asyncio.Event] = {}
        self._stopped = False
        self._idle = asyncio.Event()
        self.in_flight = 0
        self.traffic = Traffic(flow=lambda: getattr(llm, "flow", None))
        self.concurrency = llm.concurrency

    async def ask(self, prompt: Prompt) -> Completion:
        """The answer to a prompt. Raises LLMError or RequestFailed."""
        while (known := self._journal.get(prompt.key)) is None:
            same = self._asking.get(prompt.key)
            if same is None:
                break
            await same.wait()  # another draw or pair asks the same: one answer does for both
        if known is not None:
            self.traffic.from_journal += 1
            return known
        ended = self._asking[prompt.key] = asyncio.Event()
        try:
            return await self._in_turn(prompt)
        finally:
            del self._asking[prompt.key]
            ended.set()

    async def _in_turn(self, prompt: Prompt) -> Completion:
        async with self._slots:
            if self._stopped:
                await asyncio.Future()  # until it is cancelled
            self.in_flight += 1
            try:
                return await self._send(prompt)
            finally:
                self.in_flight -= 1
                if self._stopped and not self.in_flight:
                    self._idle.set()

    async def stop(self) -> None:
        """Send nothing more; return when all that is under way is answered and committed."""
        self._stopped = True
        if self.in_flight:
            await self._idle.wait()

    async def _send(self, prompt: Prompt) -> Completion:
        self.traffic.sent += 1
        try:
            answer = await self._llm.complete(prompt)
        except RequestFailed as exc:
            self.traffic.failed += 1
            self._journal.log_error(prompt, exc.reason, exc.detail)
            raise
        answer = await self._journal.record(prompt, answer)
        self.traffic.answered += 1
        self.traffic.prompt_tokens += answer.prompt_tokens
        self.traffic.completion_tokens += answer.completion_tokens
        return answer


async def each(items: Iterable[T], work: Callable[[T], Awaitable[None]], *, limit: int) -> None:
    """Do the work of every item, at most `limit` at a time; the first error cancels the rest.

    What takes its time (or is answered by the journal) has to let the event loop turn itself.
    """
    left = iter(items)

    async def worker() -> None:
        for item in left:
            await work(item)

    workers = [asyncio.create_task(worker()) for _ in range(limit)]
    try:
        await asyncio.gather(*workers)
    finally:
        await cancelled(workers)


async def cancelled(tasks: Iterable[asyncio.Task[T]]) -> None:
    """Cancel what is under way, and wait until it has ended."""
    found = list(tasks)
    for task in found:
        task.cancel()
    await asyncio.gather(*found, return_exceptions=True)
