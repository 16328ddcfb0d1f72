"""One HTTP connection and its like, against servers of a few lines that speak the bytes."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import pytest

from generator.llm import connections
from generator.llm.connection import Answer
from generator.llm.connections import Connections, NotConnectedError
from generator.llm.handoff import Handoff

T = TypeVar("T")
CUT, HELD = b"|cut|", b"|until a third connection comes|"
REQUEST = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\n{}"


def served(replies: list[list[bytes]], talk: Callable[[Connections, list[int]], Awaitable[T]]) -> T:
    """Talk to a server that has a list of replies for each connection, and then closes it.

    The talk is told, too, how many requests each connection has had so far.
    """
    counts: list[int] = []
    answering: set[asyncio.Task[None] | None] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(counts)
        counts.append(0)
        answering.add(asyncio.current_task())
        with suppress(asyncio.IncompleteReadError, OSError):
            for reply in replies[min(number, len(replies) - 1)]:
                await reader.readexactly(len(REQUEST))
                counts[number] += 1
                if number == 2:
                    third.set()
                for part in reply.split(CUT):  # in pieces, as a network may bring it
                    if part == HELD:
                        await third.wait()
                        continue
                    writer.write(part)
                    await writer.drain()
                    await asyncio.sleep(0)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    third = asyncio.Event()

    async def run() -> T:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        there = Connections("127.0.0.1", server.sockets[0].getsockname()[1], None)
        try:
            return await talk(there, counts)
        finally:
            await there.aclose()
            await asyncio.gather(*filter(None, answering))
            server.close()
            await server.wait_closed()

    return asyncio.run(asyncio.wait_for(run(), 30))


async def two(there: Connections, counts: list[int]) -> tuple[list[Answer], list[int]]:
    """Two answers, one after the other."""
    found = [await there.exchange(REQUEST, 5.0) for _ in range(2)]
    return found, counts


async def one(there: Connections, _: list[int]) -> Answer:
    """One answer."""
    return await there.exchange(REQUEST, 5.0)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel|cut|lo"


def test_a_connection_is_used_again() -> None:
    """Both answers come over the same one."""
    found, counts = served([[OK, OK]], two)
    assert [answer.content for answer in found] == [b"hello", b"hello"]
    assert counts == [2]


@pytest.mark.parametrize("close", [b"Connection: close\r\n", b""])
def test_one_that_the_server_closes_is_not(close: bytes) -> None:
    """Whether it says so or just does it once it has answered."""
    reply = b"HTTP/1.1 200 OK\r\n" + close + b"Content-Length: 2\r\n\r\nok"

    async def apart(there: Connections, counts: list[int]) -> tuple[list[Answer], list[int]]:
        first = await there.exchange(REQUEST, 5.0)
        while any(connection.is_open for _, connection in there._free):  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        return [first, await there.exchange(REQUEST, 5.0)], counts

    found, counts = served([[reply]], apart)
    assert [answer.content for answer in found] == [b"ok", b"ok"]
    assert counts == [1, 1]


@pytest.mark.parametrize(
    ("reply", "content"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n|cut|" + OK, b"hello"),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil |cut|the end", b"until the end"),
        (b"HTTP/1.0 200 OK\r\nX-A: b\r\n\r\nold", b"old"),
        (CHUNKED + b"3\r\nabc\r\n|cut|2\r\nde\r\n0\r\n\r\n", b"abcde"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    ],
)
def test_every_way_to_end_a_reply(reply: bytes, content: bytes) -> None:
    """By length, in chunks, by the connection's end, without a body, behind an interim reply."""
    assert served([[reply]], one).content == content


@pytest.mark.parametrize(
    ("encoding", "squeezed"),
    [
        ("gzip", gzip.compress(b"hello")),
        ("deflate", zlib.compress(b"hello")),
        ("deflate", zlib.compress(b"hello", wbits=-15)),
    ],
)
def test_what_comes_compressed(encoding: str, squeezed: bytes) -> None:
    """In each of the ways that are asked for."""
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(squeezed)}"
    reply = head.encode() + b"\r\n\r\n" + squeezed
    found = served([[reply]], one)
    assert found.content == b"hello"
    assert found.headers["content-encoding"] == encoding


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
        CHUNKED + b"5\r\nhel",
        b"HTTP/1.1 200 OK\r\nConten",
        b"",
        b"no HTTP at all\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\nxx",
    ],
)
def test_what_breaks_off_is_an_error_at_once(reply: bytes) -> None:
    """And the next request goes over another connection."""

    async def broken(there: Connections, _: list[int]) -> bytes:
        with pytest.raises(OSError, match=r"closed|no HTTP|decompressed|reset"):
            await there.exchange(REQUEST, 20.0)
        return (await there.exchange(REQUEST, 5.0)).content

    assert served([[reply], [OK]], broken) == b"hello"


def test_a_request_that_is_given_up_takes_its_connection_along() -> None:
    """Cancelled or too late: what the server sends after all is nobody else's answer."""

    async def given_up(there: Connections, counts: list[int]) -> tuple[bytes, int]:
        with pytest.raises(TimeoutError):
            await there.exchange(REQUEST, 1.0)
        task = asyncio.create_task(there.exchange(REQUEST, 5.0))
        while counts[1:] != [1]:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return (await there.exchange(REQUEST, 5.0)).content, len(counts)

    late = b"HTTP/1.1 200 OK\r\n" + CUT + HELD + CUT + b"Content-Length: 5\r\n\r\nwrong"
    assert served([[late], [late], [OK]], given_up) == (b"hello", 3)


def test_nobody_there_is_told_from_what_breaks_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """No port, no such name, a name that is none, no time."""

    async def refused(host: str, port: int) -> None:
        with pytest.raises(NotConnectedError):
            await Connections(host, port, None).exchange(REQUEST, 5.0)

    for host in ("127.0.0.1", "no-such-host.invalid", "a" * 300):
        asyncio.run(refused(host, 9))
    monkeypatch.setattr(connections, "CONNECT_TIMEOUT_S", 0.0)
    asyncio.run(refused("127.0.0.1", 9))


def test_who_waits_goes_on_within_the_call() -> None:
    """Not a turn later, unless another task runs, which cannot be interrupted."""

    async def run() -> list[str]:
        seen: list[str] = []

        async def wait(place: Handoff[str]) -> None:
            seen.append(await place)

        def give(place: Handoff[str], value: str) -> None:
            place.give(value)
            seen.append(f"{value} was given")

        loop = asyncio.get_running_loop()
        places = [Handoff[str]() for _ in range(3)]
        waiting = [asyncio.create_task(wait(place)) for place in places]
        await asyncio.sleep(0)
        loop.call_soon(give, places[0], "from the loop")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        give(places[1], "from a task")
        waiting[2].cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert waiting[2].cancelled()
        give(places[2], "too late")
        return seen

    assert asyncio.run(run()) == [
        "from the loop", "from the loop was given", "from a task was given", "from a task",
        "too late was given",
    ]  # fmt: skip


def test_a_handoff_may_fail_and_may_be_given_before_anybody_waits() -> None:
    """As with any future."""

    async def run() -> str:
        failed, given = Handoff[str](), Handoff[str]()
        asyncio.get_running_loop().call_soon(failed.fail, ValueError("so"))
        with pytest.raises(ValueError, match="so"):
            await failed
        given.give("value")
        given.fail(ValueError("ignored"))
        assert given.is_given
        assert not failed.is_given
        return await given

    assert asyncio.run(run()) == "value"
