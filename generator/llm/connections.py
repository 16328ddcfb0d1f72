"""The connections to one server: opened as they are needed, used again while the server lets them.

How many are open at once is the gate's decision. Knows no request's meaning and no retry.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections import deque
from collections.abc import Sequence

from aiohappyeyeballs import AddrInfoType, start_connection

from generator.llm.connection import Answer, Connection

CONNECT_TIMEOUT_S = 5.0
_KEEPALIVE_S = 60.0
_NAME_HOLDS_S = 10.0
_OTHER_FAMILY_AFTER_S = 0.25  # Happy Eyeballs (RFC 8305)


class NotConnectedError(OSError):
    """No connection was made: nobody there, no such name, or no certificate to trust."""


class Connections:
    """To `host` and `port`, with TLS where there is a context. Opens nothing by itself."""

    def __init__(self, host: str, port: int, secure: ssl.SSLContext | None) -> None:
        self._host, self._port, self._secure = host, port, secure
        self._all: set[Connection] = set()
        self._free: deque[tuple[float, Connection]] = deque()
        self._resolving = asyncio.Lock()
        self._known: Sequence[AddrInfoType] = ()
        self._known_until = float("-inf")

    async def exchange(self, request: bytes, timeout_s: float) -> Answer:
        """Send the bytes of a request. Raises TimeoutError or OSError."""
        connection, left_s = self._used_before(), timeout_s
        if connection is None:
            start = time.monotonic()
            connection = await self._connect(min(timeout_s, CONNECT_TIMEOUT_S))
            left_s = max(0.0, timeout_s - (time.monotonic() - start))
        try:
            answer = await connection.exchange(request, left_s)
        except TimeoutError:
            raise TimeoutError(f"no answer within {timeout_s:g} s") from None
        if connection.is_open:
            self._free.append((time.monotonic(), connection))
        return answer

    async def aclose(self) -> None:
        """Close them all."""
        for connection in self._all:
            connection.abort()
        while self._all:  # noqa: ASYNC110 - see below
            await asyncio.sleep(0)  # the event loop tells each of them in a turn of its own

    def _used_before(self) -> Connection | None:
        """The one that was used last; those that were not for long are closed."""
        long_ago = time.monotonic() - _KEEPALIVE_S
        while self._free and self._free[0][0] < long_ago:
            self._free.popleft()[1].abort()
        while self._free:
            _, connection = self._free.pop()
            if connection.is_open:
                return connection
        return None

    async def _connect(self, timeout_s: float) -> Connection:
        place = f"{self._host}:{self._port}"
        try:
            async with asyncio.timeout(timeout_s):
                connection = await self._connected()
        except TimeoutError as exc:
            raise NotConnectedError(f"no connection to {place} within {timeout_s:g} s") from exc
        except (OSError, ValueError) as exc:  # ValueError: a name that cannot be one
            raise NotConnectedError(f"no connection to {place}: {exc}") from exc
        if connection.is_open:  # else it was lost at once
            self._all.add(connection)
        return connection

    async def _connected(self) -> Connection:
        plain = await start_connection(
            await self._addresses(), happy_eyeballs_delay=_OTHER_FAMILY_AFTER_S
        )
        try:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: Connection(self._all.discard),
                sock=plain,
                ssl=self._secure,
                server_hostname=self._host if self._secure else None,
            )
        except BaseException:
            plain.close()
            raise
        return connection

    async def _addresses(self) -> Sequence[AddrInfoType]:
        """What the name stands for, asked once in a while and not for each of many connections."""
        async with self._resolving:
            now = time.monotonic()
            if now > self._known_until:
                self._known = await asyncio.get_running_loop().getaddrinfo(
                    self._host, self._port, type=socket.SOCK_STREAM
                )
                self._known_until = now + _NAME_HOLDS_S
        return self._known
