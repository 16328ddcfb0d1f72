"""One connection to an HTTP/1.1 server: a request out, its reply in, then the next one.

The reply's parser is httptools (llhttp); whoever waits for the reply goes on in the call that reads
its last byte. Knows no address and no retry.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable
from typing import NamedTuple, cast

import httptools

from generator.llm.handoff import Handoff

_CLOSED = "the server closed the connection"
_FIRST_FINAL_STATUS = 200
_ANY_ZLIB, _BARE_DEFLATE = 47, -15  # as `zlib` numbers them


class Answer(NamedTuple):
    """Status, headers by their names in lower case, and the body, decompressed."""

    status: int
    headers: dict[str, str]
    content: bytes


class Connection(asyncio.Protocol):
    """Made by the event loop; `on_lost` is called when it is no more."""

    def __init__(self, on_lost: Callable[[Connection], None]) -> None:
        self._on_lost = on_lost
        self._reply: Handoff[Answer] | None = None
        self.is_open = False
        """Whether it can take a request: nothing is under way, and the server keeps it open."""

    async def exchange(self, request: bytes, timeout_s: float) -> Answer:
        """Send a request; its answer. Raises TimeoutError, or OSError where it breaks off."""
        if not self.is_open:
            raise ConnectionResetError(_CLOSED)
        reply: Handoff[Answer] = Handoff()
        self._reply = reply
        self._expect()
        self.is_open = False
        overdue = TimeoutError(f"no answer within {timeout_s:g} s")
        timer = asyncio.get_running_loop().call_later(timeout_s, reply.fail, overdue)
        self._transport.write(request)
        try:
            return await reply
        finally:
            timer.cancel()
            self._reply = None
            if not self.is_open:  # what may still come belongs to nobody
                self._transport.abort()

    def abort(self) -> None:
        """Close it now."""
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The event loop has connected."""
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        """The event loop has read bytes."""
        if self._reply is None or self._reply.done():
            self.is_open = False
            self._transport.abort()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as exc:
            self.is_open = False
            self._break(f"the reply is no HTTP: {exc}")
        else:
            if self._is_complete:
                self._deliver()

    def connection_lost(self, exc: Exception | None) -> None:
        """The event loop has closed it, or the server."""
        self.is_open = False
        self._on_lost(self)
        if self._ends_with_connection():
            self._deliver()
        self._break(str(exc) if exc else _CLOSED)

    def on_header(self, name: bytes, value: bytes) -> None:
        """The parser has read a header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """The parser has read all of them."""
        self._has_head = True

    def on_body(self, part: bytes) -> None:
        """The parser has read a part of the body."""
        self._parts.append(part)

    def on_message_complete(self) -> None:
        """The parser has read a whole reply."""
        self._is_complete = self._parser.get_status_code() >= _FIRST_FINAL_STATUS
        self._is_kept = self._parser.should_keep_alive()  # it forgets when this returns
        if not self._is_complete:
            self._headers.clear()
            self._has_head = False

    def _expect(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._parts: list[bytes] = []
        self._has_head = self._is_complete = self._is_kept = False

    def _deliver(self) -> None:
        """Hand over the reply, outside of the parser's call."""
        try:
            content = _plain(b"".join(self._parts), self._headers.get("content-encoding", ""))
        except (zlib.error, ValueError) as exc:
            self._break(f"the reply cannot be decompressed: {exc}")
            return
        self.is_open = (
            self._is_kept
            and not self._transport.is_closing()
            and not self._transport.get_write_buffer_size()
        )
        if self._reply is not None:
            self._reply.give(Answer(self._parser.get_status_code(), self._headers, content))

    def _ends_with_connection(self) -> bool:
        """Whether a reply is under way that names no length and comes in no chunks."""
        if self._reply is None or self._reply.done() or not self._has_head:
            return False
        return not {"content-length", "transfer-encoding"} & self._headers.keys()

    def _break(self, message: str) -> None:
        if self._reply is not None:
            self._reply.fail(ConnectionResetError(message))


def _plain(content: bytes, encoding: str) -> bytes:
    """The content decompressed. Raises zlib.error or ValueError."""
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"} or not content:
        return content
    if encoding in {"gzip", "x-gzip"}:
        return zlib.decompress(content, _ANY_ZLIB)
    if encoding != "deflate":
        message = f"its encoding is {encoding!r}"
        raise ValueError(message)
    try:
        return zlib.decompress(content, _ANY_ZLIB)
    except zlib.error:  # as some servers understand the word
        return zlib.decompress(content, _BARE_DEFLATE)
