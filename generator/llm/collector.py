"""Requests → parcels: one goes off when it is full, or when nothing was added for a while."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from generator.llm.parcels import Parcel, Shelf
from generator.modelconfig import BatchConfig

PATH = "/v1/chat/completions"


class Collector:
    """Fills parcels, and gives each to `send` once it is sealed."""

    def __init__(self, shelf: Shelf, limits: BatchConfig, send: Callable[[Parcel], None]) -> None:
        self._shelf, self._limits, self._send = shelf, limits, send
        self._parcel: Parcel | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._added_at = 0.0

    def __len__(self) -> int:
        return len(self._parcel.keys) if self._parcel else 0

    def add(self, key: str, body: bytes, tokens: int) -> Parcel:
        """The parcel that a request is in now. Raises OSError."""
        head = json.dumps({"custom_id": key, "method": "POST", "url": PATH})[:-1].encode()
        line = head + b', "body": ' + body + b"}\n"
        if self._parcel is not None and self._is_full(self._parcel, len(line), tokens):
            self._seal()
        if self._parcel is None:
            self._parcel = self._shelf.new()
        self._parcel.add(key, line, tokens)
        loop = asyncio.get_running_loop()
        self._added_at = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(self._limits.linger_s, self._linger)
        return self._parcel

    def _is_full(self, parcel: Parcel, size: int, tokens: int) -> bool:
        limits = self._limits
        most = limits.max_enqueued_tokens
        return (
            len(parcel.keys) >= limits.max_requests
            or parcel.size + size > limits.max_bytes
            or (most is not None and parcel.tokens + tokens > most)
        )

    def _linger(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        left = self._added_at + self._limits.linger_s - loop.time()
        if self._parcel is not None and left > 0:
            self._timer = loop.call_later(left, self._linger)
        else:
            self._seal()

    def _seal(self) -> None:
        parcel, self._parcel = self._parcel, None
        if parcel is not None:
            self._send(parcel)

    def drop(self) -> None:
        """Forget what is being collected."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._parcel is not None:
            self._parcel.remove()
            self._parcel = None
