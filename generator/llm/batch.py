"""Requests through a provider's batch API: half the price, answers within a day.

    complete ─ collected ─ sealed ─ uploaded ─ created ─ ended ─ fetched ─ each caller's answer

`complete` adds to the batch that is being collected, which goes off when it is full or when all of
the run waits. Each step is on disk before the next (`parcels.py`): a killed process loses and
repeats nothing, as what it had sent is found again, by id or by metadata. What failed inside a
batch goes into the next one.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import openai

from generator.errors import LLMError
from generator.llm.base import Flow
from generator.llm.batchlines import FAILURES, final, read_line, worth_another
from generator.llm.bodies import Dialect
from generator.llm.collector import Collector
from generator.llm.expected import prompt_tokens
from generator.llm.journal import Journal
from generator.llm.parcels import Parcel, Shelf
from generator.llm.provider import Provider
from generator.modelconfig import BatchConfig, ModelConfig
from generator.records import Completion, Prompt, content_id

CONCURRENCY = 10_000
_SLICE = 256  # answers given out before the journal has its turn
_NO_ROOM = "token_limit_exceeded"

Place = tuple[Parcel, int] | None  # of an answer's line; None where there is none


class BatchLLM:
    """A model behind the batch API. `answered` picks the keys that the journal has answers of."""

    def __init__(
        self,
        provider: Provider,
        shelf: Shelf,
        answered: Callable[[Iterable[str]], set[str]],
        *,
        limits: BatchConfig,
        concurrency: int = CONCURRENCY,
        max_retries: int = 6,
        structured: bool = True,
    ) -> None:
        self.concurrency = concurrency
        self._provider, self._shelf, self._answered = provider, shelf, answered
        self._limits, self._max_retries = limits, max_retries
        self._dialect = Dialect(structured=structured)
        self._collector = Collector(shelf, limits, self._send)
        self._under_way: dict[str, Parcel] = {}
        self._arrived: dict[str, Place] = {}
        self._waiting: dict[str, asyncio.Future[Place]] = {}
        self._fetched: list[Parcel] = []
        self._carrying: set[asyncio.Task[None]] = set()
        self._enqueued = 0
        self._room = asyncio.Condition()
        self._recovered: asyncio.Task[None] | None = None
        self._error: Exception | None = None

    @property
    def flow(self) -> Flow:
        """Requests at the provider, as many as may be, and those that are being collected."""
        collected = len(self._collector)
        return Flow(len(self._waiting) - collected, self.concurrency, collected)

    async def complete(self, prompt: Prompt) -> Completion:
        """The answer to one prompt, in minutes to a day. Raises LLMError or RequestFailed."""
        if self._recovered is None:
            self._recovered = asyncio.create_task(self._recover())
        if not self._recovered.done():
            await asyncio.shield(self._recovered)
        self._recovered.result()
        tries = 0
        while True:
            sent = self._refusable()
            is_old = prompt.key in self._arrived or prompt.key in self._under_way
            place = await self._answer(prompt)
            try:
                return read_line(place[0].read(place[1]) if place else None)
            except FAILURES as exc:
                if isinstance(exc, openai.APIStatusError) and self._dialect.learn(exc, sent):
                    continue
                tries += not is_old  # an earlier process has sent it
                if tries > self._max_retries or not worth_another(exc):
                    raise final(exc, "the batch API") from exc

    def _refusable(self) -> bytes:
        """What a server might refuse of a request that is sent now, as it stands in the body."""
        has_format = b'"response_format":' if self._dialect.structured else b""
        return has_format + f'"{self._dialect.max_tokens}":'.encode()

    async def _answer(self, prompt: Prompt) -> Place:
        if self._error is not None:
            raise self._error
        key = prompt.key
        if key in self._arrived:
            return self._arrived.pop(key)
        if key not in self._under_way:
            body = self._dialect.body(prompt)
            self._under_way[key] = self._collector.add(key, body, prompt_tokens(prompt))
        self._waiting[key] = asyncio.get_running_loop().create_future()
        try:
            return await self._waiting[key]
        finally:
            del self._waiting[key]

    def _send(self, parcel: Parcel) -> None:
        try:
            parcel.seal()
        except OSError as exc:
            self._fail(exc)
        else:
            self._carry(parcel)

    def _carry(self, parcel: Parcel) -> None:
        task = asyncio.create_task(self._carried(parcel))
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)

    async def _carried(self, parcel: Parcel) -> None:
        try:
            await self._enter(parcel)
            try:
                batch = await self._ended(parcel)
            finally:
                await self._leave(parcel)
            await self._provider.fetch(batch, parcel.answers)
            parcel.requests.unlink()
            await self._give_out(parcel)
        except Exception as exc:  # noqa: BLE001 - all that wait raise it
            is_gone = isinstance(exc.__cause__, openai.NotFoundError)
            self._fail(_gone(parcel, exc) if is_gone and parcel.batch_id else exc)

    async def _ended(self, parcel: Parcel) -> Any:
        """The batch at its end; one that the provider had no room for is sent again later."""
        wait_s = self._limits.poll_s
        while True:
            if parcel.batch_id is None:
                await self._provider.submit(parcel)
            batch = await self._provider.ended(str(parcel.batch_id), self._limits)
            if batch.status != "failed":
                return batch
            errors = [*(batch.errors.data or [])] if batch.errors else []
            if not any(error.code == _NO_ROOM for error in errors):
                said = "; ".join(f"{error.code}: {error.message}" for error in errors[:3])
                parcel.remove()  # as a whole: nothing of it was answered
                raise LLMError(
                    f"the batch API refused a batch: {said or 'it does not say why'}",
                    hint="-m MODEL, or smaller ones: --set llm.batch.max_requests=1000",
                )
            parcel.batch_id = None
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, max(self._limits.max_poll_s, self._limits.poll_s))

    async def _enter(self, parcel: Parcel) -> None:
        """Wait until the provider's queue has room for the parcel's tokens, if it is not there."""
        most = self._limits.max_enqueued_tokens
        async with self._room:
            if parcel.batch_id is None and most is not None:
                limit = most
                await self._room.wait_for(
                    lambda: not self._enqueued or self._enqueued + parcel.tokens <= limit
                )
            self._enqueued += parcel.tokens

    async def _leave(self, parcel: Parcel) -> None:
        async with self._room:
            self._enqueued -= parcel.tokens
            self._room.notify_all()

    async def _give_out(self, parcel: Parcel) -> None:
        """Answer all that wait; what nobody has asked for yet is kept for when they do."""
        self._fetched.append(parcel)
        lines = dict(parcel.lines())
        for number, key in enumerate(parcel.keys, start=1):
            self._under_way.pop(key, None)
            place = (parcel, lines[key]) if key in lines else None
            future = self._waiting.get(key)
            if future is None or future.done():
                self._arrived[key] = place
            else:
                future.set_result(place)
            if number % _SLICE == 0:
                await asyncio.sleep(0)
                await asyncio.sleep(0)

    def _fail(self, exc: Exception) -> None:
        """Nothing will work any more: all that wait raise this."""
        self._error = self._error or exc
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(exc)

    async def _recover(self) -> None:
        """Take up what an earlier process of the run has left."""
        parcels = self._shelf.found()
        lost = [p for p in parcels if p.batch_id is None and not p.answers.is_file()]
        ids = await self._provider.find(lost)
        for parcel in parcels:
            if parcel in lost:
                parcel.batch_id = ids.get(parcel.name)
                parcel.note()
            done = self._answered(parcel.keys)
            parcel.keys = [key for key in parcel.keys if key not in done]
            if parcel.answers.is_file():
                await self._give_out(parcel)
            elif parcel.batch_id is None or not parcel.keys:
                # It never got there, and its requests come again; or nobody needs it any more.
                await self._provider.forget([parcel.file_id])
                parcel.remove()
            else:
                for key in parcel.keys:  # an earlier batch has failed to answer these
                    self._arrived.pop(key, None)
                    self._under_way[key] = parcel
                self._carry(parcel)

    async def aclose(self) -> None:
        """Close the connections. Batches go on without us; what the journal has is deleted."""
        self._collector.drop()
        if self._recovered is None:  # nothing was asked: only what an earlier process left to do
            self._fetched = [p for p in self._shelf.found() if p.answers.is_file()]
        tasks = [*self._carrying, *([self._recovered] if self._recovered else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for parcel in self._fetched:
            parcel.close()
            if self._answered(parcel.keys) >= set(parcel.keys):
                await self._provider.forget([parcel.file_id])
                parcel.remove()
        self._shelf.tidy()
        await self._provider.aclose()


def _gone(parcel: Parcel, exc: Exception) -> LLMError:
    """It is not sent again unasked: with another account's key it would be paid for twice."""
    files = shlex.quote(str(parcel.folder / parcel.name))
    return LLMError(
        f"{exc} (batch {parcel.batch_id})",
        hint=f"use the key of the account that sent it, or give it up: rm {files}.*",
    )


def open_batches(config: ModelConfig, key: str | None, journal: Path) -> BatchLLM:
    """The batch back end of one model; its batches lie beside its journal. Raises LLMError."""

    def answered(keys: Iterable[str]) -> set[str]:
        with Journal(journal) as known:
            return {key for key in keys if known.get(key) is not None}

    return BatchLLM(
        Provider(
            api_key=key,
            base_url=config.base_url,
            timeout_s=config.timeout_s,
            max_retries=config.max_retries,
        ),
        Shelf(journal.parent / "batches" / content_id(config.model)[:12]),
        answered,
        limits=config.batch,
        concurrency=config.concurrency or CONCURRENCY,
        max_retries=config.max_retries,
        structured=config.structured,
    )
