"""The files and batches of an OpenAI-compatible provider: sent, found again, waited for, fetched.

Every call is repeated while it fails in passing. That a batch is created is found out by its
metadata where the answer was lost: none is ever created twice. Knows no prompt and no journal.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import httpx2
import openai
from openai import AsyncOpenAI

from generator.errors import LLMError, RequestFailed
from generator.llm.failures import FAILURES, is_transient, meaning
from generator.llm.parcels import Parcel
from generator.llm.patience import Patience
from generator.modelconfig import BatchConfig

T = TypeVar("T")
ENDED = frozenset({"completed", "expired", "cancelled", "failed"})
_MARK = "trine"
_GROWTH = 1.5
# A provider's clock may be so much behind ours.
_CLOCKS_DIFFER_S = 3600.0


class Provider:
    """One account at a provider. The key never shows in a repr."""

    def __init__(
        self, *, api_key: str | None, base_url: str | None, timeout_s: float, max_retries: int
    ) -> None:
        if api_key is None and base_url is None:
            raise LLMError("no API key", hint="export OPENAI_API_KEY=… (or --set llm.base_url=…)")
        address, _, query = (base_url or "").partition("?")  # the package would put it into paths
        self._place = address or "https://api.openai.com/v1"
        self._max_retries = max_retries
        self._reached = False
        self._client = AsyncOpenAI(
            api_key=api_key or "none",
            base_url=address or None,
            default_query=dict(parse_qsl(query)),
            max_retries=0,
            timeout=timeout_s,
        )

    def __repr__(self) -> str:
        return f"Provider({self._place!r})"

    async def submit(self, parcel: Parcel) -> None:
        """Upload the parcel and make a batch of it, noting each id as soon as it is known."""
        if parcel.file_id is None:
            files = self._client.files
            sent = await self._asked(lambda: files.create(file=parcel.requests, purpose="batch"))
            parcel.file_id = sent.id
            parcel.note()
        parcel.batch_id = await self._asked(lambda: self._create(parcel))
        parcel.note()

    async def _create(self, parcel: Parcel) -> str:
        try:
            batch = await self._client.batches.create(
                input_file_id=str(parcel.file_id),
                endpoint="/v1/chat/completions",
                completion_window="24h",
                metadata={_MARK: parcel.name},
            )
        except openai.OpenAIError as exc:
            if not is_transient(exc):
                raise
            # It may have been created all the same.
            found = await self.find([parcel])
            if parcel.name in found:
                return found[parcel.name]
            raise
        return batch.id

    async def find(self, parcels: Iterable[Parcel]) -> dict[str, str]:
        """The ids of those batches, by name, that are at the provider and have not failed."""
        wanted = {parcel.name: parcel.requests.stat().st_mtime for parcel in parcels}
        if not wanted:
            return {}
        since = min(wanted.values()) - _CLOCKS_DIFFER_S

        async def look() -> dict[str, str]:
            found: dict[str, str] = {}
            async for batch in self._client.batches.list(limit=100):  # the newest come first
                name = (batch.metadata or {}).get(_MARK)
                if name in wanted and batch.status != "failed":
                    found.setdefault(name, batch.id)
                if len(found) == len(wanted) or batch.created_at < since:
                    break
            return found

        return await self._asked(look)

    async def ended(self, batch_id: str, waits: BatchConfig) -> Any:
        """The batch when the provider has done with it; it is asked less and less often."""
        wait_s = waits.poll_s
        while True:
            batch = await self._asked(lambda: self._client.batches.retrieve(batch_id))
            if batch.status in ENDED:
                return batch
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * _GROWTH, max(waits.max_poll_s, waits.poll_s))

    async def fetch(self, batch: Any, path: Path) -> None:
        """Write the answers of a batch, then its errors, to `path`, whole or not at all."""
        part = path.with_suffix(".part")
        part.write_bytes(b"")
        for file_id in (batch.output_file_id, batch.error_file_id):
            if file_id:
                await self._asked(lambda id_=file_id: self._append(id_, part))  # type: ignore[misc]
        part.replace(path)

    async def _append(self, file_id: str, path: Path) -> None:
        with path.open("r+b") as file:
            start = file.seek(0, 2)
            try:
                async with self._client.files.with_streaming_response.content(file_id) as reply:
                    async for chunk in reply.iter_bytes():
                        file.write(chunk)
                    file.write(b"\n")  # a last line may have none; empty ones are passed over
            except BaseException as exc:
                file.truncate(start)
                if isinstance(exc, httpx2.RequestError):
                    raise openai.APIConnectionError(request=exc.request) from exc
                raise

    async def forget(self, file_ids: Iterable[str | None]) -> None:
        """Delete files; one that cannot be deleted stays."""
        for file_id in file_ids:
            if file_id:
                with suppress(*FAILURES):
                    await self._client.files.delete(file_id)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _asked(self, call: Callable[[], Awaitable[T]]) -> T:
        """What the call returns, repeated while it fails in passing. Raises LLMError."""
        patience = Patience(self._max_retries)
        while True:
            try:
                found = await call()
            except FAILURES as exc:
                self._reached |= isinstance(exc, openai.APIStatusError)
                wait_s = patience.wait_s(exc, time.monotonic(), reached=self._reached)
                if wait_s is None or not is_transient(exc):
                    raise self._meaning(exc) from exc
                await asyncio.sleep(wait_s)
            else:
                self._reached = True
                return found

    def _meaning(self, exc: Exception) -> LLMError:
        found = meaning(exc, self._place, reached=self._reached)
        if isinstance(found, RequestFailed):
            return LLMError(
                f"{self._place}, batches: {found}",
                hint="run the same command again; batches that were sent are found again",
            )
        return found
