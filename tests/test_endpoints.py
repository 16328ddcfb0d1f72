"""Faults and several servers, over sockets: fail-over, keys, compressed, cut and reset replies."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest

from generator.config import RunConfig, validated
from generator.errors import ConfigError, LLMError, RequestFailed, Unreachable
from generator.llm import failures, health, patience, wire
from generator.llm.addresses import Address, addresses
from generator.llm.openai import OpenAILLM
from generator.llm.watching import metrics_url
from generator.records import Completion, Message, Params, Prompt
from tests.conftest import MockServer, StartServer

GOOD = json.dumps(
    {"choices": [{"message": {"content": "hello"}}], "usage": {"completion_tokens": 3}}
).encode()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "backoff_s", lambda _: 0.005)
    monkeypatch.setattr(health, "FIRST_REST_S", 0.01)


def prompt(number: int = 0) -> Prompt:
    messages = (Message("user", f"write {number}"),)
    return Prompt("mock", f"d#{number}", "write", 0, messages, Params(), "")


def ask(llm: Callable[[], OpenAILLM], count: int) -> list[Completion | BaseException]:
    """The outcomes of so many requests, eight at a time."""

    async def run() -> list[Completion | BaseException]:
        model, left = llm(), iter(range(count))
        found: list[Completion | BaseException] = []

        async def worker() -> None:
            for number in left:
                found.extend(
                    await asyncio.gather(model.complete(prompt(number)), return_exceptions=True)
                )

        await asyncio.gather(*(worker() for _ in range(8)))
        await model.aclose()
        return found

    return asyncio.run(run())


def at(*servers: MockServer, **options: object) -> Callable[[], OpenAILLM]:
    """A back end for these servers, the first with three times the weight."""
    places = [
        Address(server.base_url, concurrency=8, weight=3.0 if not number else 1.0)
        for number, server in enumerate(servers)
    ]
    return lambda: OpenAILLM(addresses=places, **options)  # type: ignore[arg-type]


@contextmanager
def serving(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that has this talk on every connection, one after another."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            talk(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


@contextmanager
def raw(*replies: bytes) -> Iterator[str]:
    """A server that writes these bytes, one a connection, the last one again and again.

    b"RESET" resets the connection before, and with what stands before it, in the reply.
    """
    left = list(replies)

    def answer(connection: socket.socket) -> None:
        with connection:
            while b"}" not in (connection.recv(65536) or b"}"):
                pass
            reply = left[0] if len(left) == 1 else left.pop(0)
            connection.sendall(reply.removesuffix(b"RESET"))
            if reply.endswith(b"RESET"):
                linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    with serving(answer) as url:
        yield url


def http(body: bytes, status: int = 200, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def test_servers_share_by_weight_and_answer_all(mock_server: StartServer) -> None:
    """Three to one, each request once."""
    first, second = mock_server("--latency", "0.005"), mock_server("--latency", "0.005")
    found = ask(at(first, second), 80)
    assert all(isinstance(answer, Completion) for answer in found)
    counts = (first.stats()["requests"], second.stats()["requests"])
    assert sum(counts) == 80
    assert 50 <= counts[0] <= 70


def test_the_other_server_takes_over(mock_server: StartServer) -> None:
    """One says 503 all along, one is not there at all: the third answers everything."""
    away = mock_server("--latency", "0", "--outage", "0", "1000")
    well = mock_server("--latency", "0.002")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        gone = MockServer(taken.getsockname()[1])
        found = ask(at(away, gone, well), 100)
    assert all(isinstance(answer, Completion) for answer in found)
    assert well.stats()["by_status"] == {"200": 100}
    assert away.stats()["by_status"]["503"] < 30


def test_a_server_that_is_not_there_stops_nothing_before_the_others_had_time(
    mock_server: StartServer,
) -> None:
    """All that is known at first is that one is away; the other one has yet to say a word."""
    well = mock_server("--latency", "0.3")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        gone = MockServer(taken.getsockname()[1])
        found = ask(at(gone, well), 16)
    assert all(isinstance(answer, Completion) for answer in found)


def test_a_server_that_is_not_there_fails_nothing_where_another_is(
    mock_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even without patience: a request that met nobody goes to the one that is rate limited."""
    monkeypatch.setattr(patience, "OUTAGE_S", 0.0)
    monkeypatch.setattr(health, "LONGEST_REST_S", 0.01)
    limited = mock_server("--latency", "0.002", "--rate-429", "0.5", "--retry-after", "0.01")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        gone = MockServer(taken.getsockname()[1])
        found = ask(at(gone, limited, max_retries=1), 60)
    assert [answer for answer in found if not isinstance(answer, Completion)] == []


def test_a_long_retry_after_leaves_the_work_to_the_others(
    mock_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that asks to be left alone for a minute gets nothing; no request waits for it."""
    waits: list[float] = []
    sleep = asyncio.sleep

    def note(seconds: float) -> Awaitable[None]:
        waits.append(seconds)
        return sleep(0)

    monkeypatch.setattr(asyncio, "sleep", note)
    well = mock_server("--latency", "0.002")
    with raw(http(b"{}", 429, "Retry-After: 3600")) as url:
        places = [Address(url, concurrency=8, weight=3.0), Address(well.base_url, concurrency=8)]
        found = ask(lambda: OpenAILLM(addresses=places), 100)
    assert all(isinstance(answer, Completion) for answer in found)
    assert max(waits, default=0) == 0
    assert well.stats()["by_status"] == {"200": 100}


def test_where_all_are_away_the_run_stops(
    mock_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When patience is over: an error that keeps the answers, not a heap of rejections."""
    monkeypatch.setattr(patience, "OUTAGE_S", 0.1)
    monkeypatch.setattr(health, "LONGEST_REST_S", 0.01)
    server = mock_server("--latency", "0", "--outage", "0", "1000")
    found = ask(at(server, max_retries=1), 8)
    assert any(isinstance(error, Unreachable) for error in found)
    first = next(error for error in found if isinstance(error, Unreachable))
    assert "answers are kept" in first.hint


@contextmanager
def hanging(answers: int, but: bytes = b"{}") -> Iterator[str]:
    """A server that takes every request, answers the first ones, and the others never.

    It never answers one that holds the bytes `but` either.
    """
    left, held = iter(range(answers)), []

    def take(connection: socket.socket) -> None:
        held.append(connection)
        asked = b""
        while b"}]" not in asked and (part := connection.recv(65536)):
            asked += part
        if but not in asked and next(left, None) is not None:
            connection.sendall(http(GOOD))
            connection.close()

    try:
        with serving(take) as url:
            yield url
    finally:
        for connection in held:
            connection.close()


def test_a_server_that_hangs_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes all and answers nothing any more: that is an outage, and no fault of the draws."""
    monkeypatch.setattr(patience, "OUTAGE_S", 0.5)
    monkeypatch.setattr(health, "LONGEST_REST_S", 0.01)
    with hanging(2) as url:
        llm = lambda: OpenAILLM(base_url=url, concurrency=8, max_retries=6, timeout_s=0.3)  # noqa: E731
        found = ask(llm, 10)
    failed = [answer for answer in found if not isinstance(answer, Completion)]
    assert len(failed) >= 8
    assert [error for error in failed if not isinstance(error, Unreachable)] == []
    assert any("no answer within 0.3 s" in str(error) for error in failed)


def test_where_one_server_hangs_the_other_takes_over(mock_server: StartServer) -> None:
    """What it holds goes there when its time is over."""
    well = mock_server("--latency", "0.002")
    with hanging(2) as url:
        places = [Address(url, concurrency=8, weight=3.0), Address(well.base_url, concurrency=8)]
        found = ask(lambda: OpenAILLM(addresses=places, timeout_s=1.0), 60)
    assert [answer for answer in found if not isinstance(answer, Completion)] == []


def test_the_last_requests_may_take_too_long() -> None:
    """A few that are never answered are no outage: it would stop the run for good."""
    with hanging(1) as url:
        found = ask(lambda: OpenAILLM(base_url=url, concurrency=8, max_retries=1, timeout_s=0.3), 4)
    assert sum(isinstance(answer, Completion) for answer in found) <= 1
    failed = [answer for answer in found if not isinstance(answer, Completion)]
    assert {getattr(error, "reason", error) for error in failed} == {"timeout"}


def test_a_model_that_is_unloaded_may_come_back() -> None:
    """404 after an answer is an outage (a gateway without its server says so), before one not."""
    gone = http(b'{"error": {"message": "no such model"}}', 404)
    with raw(http(GOOD), gone, gone, gone, http(GOOD)) as url:
        found = ask(lambda: OpenAILLM(base_url=url, concurrency=1, max_retries=1), 2)
    assert [getattr(answer, "text", answer) for answer in found] == ["hello", "hello"]
    with raw(gone) as url:
        (error,) = ask(lambda: OpenAILLM(base_url=url, concurrency=1), 1)
    assert isinstance(error, LLMError)


def test_a_model_that_stays_away_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the server's words, when patience is over; another server takes over before that."""
    monkeypatch.setattr(patience, "OUTAGE_S", 0.0)
    gone = http(b'{"error": {"message": "no such model"}}', 404)
    with raw(http(GOOD), gone) as url:
        _, error = ask(lambda: OpenAILLM(base_url=url, concurrency=1, max_retries=1), 2)
        assert isinstance(error, LLMError)
        assert "no such model" in str(error)
    with raw(http(GOOD), gone) as url, raw(http(GOOD)) as well:

        async def run() -> list[Completion]:
            llm = OpenAILLM(addresses=[Address(place, concurrency=4) for place in (url, well)])
            first = await llm.complete(prompt())  # of the server that then has it no more
            more = await asyncio.gather(*(llm.complete(prompt(n)) for n in range(1, 20)))
            await llm.aclose()
            return [first, *more]

        assert len(asyncio.run(run())) == 20


def test_a_request_that_takes_too_long_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is never answered while others are is no outage, and not even patience's."""
    monkeypatch.setattr(patience, "OUTAGE_S", 3600.0)
    with hanging(10_000, but=b"write 0") as url:

        async def run() -> tuple[BaseException | Completion, int]:
            llm = OpenAILLM(base_url=url, concurrency=4, max_retries=1, timeout_s=1.0)
            slow = asyncio.ensure_future(
                asyncio.wait_for(asyncio.gather(llm.complete(prompt()), return_exceptions=True), 60)
            )
            others = 0
            while not slow.done():
                await asyncio.gather(llm.complete(prompt(1 + others)), return_exceptions=True)
                others += 1
            await llm.aclose()
            return slow.result()[0], others

        error, others = asyncio.run(run())
    assert isinstance(error, RequestFailed)
    assert error.reason == "timeout"
    assert others > 0


def test_a_429_delays_its_own_request_alone() -> None:
    """With one place in flight, a request that waits out its Retry-After holds up nobody."""

    async def run(url: str) -> tuple[Completion, bool, int]:
        llm = OpenAILLM(base_url=url, concurrency=1)
        delayed = asyncio.create_task(llm.complete(prompt()))
        await asyncio.sleep(0)  # it comes first
        answer = await llm.complete(prompt(1))
        waits, in_flight = not delayed.done(), llm.flow.in_flight
        delayed.cancel()
        await asyncio.gather(delayed, return_exceptions=True)
        await llm.aclose()
        return answer, waits, in_flight

    with raw(http(b"{}", 429, "Retry-After: 50"), http(GOOD)) as url:
        answer, waits, in_flight = asyncio.run(run(url))
    assert (answer.text, waits, in_flight) == ("hello", True, 0)


def test_limits_that_are_learnt_are_kept(mock_server: StartServer) -> None:
    """Headers of the first reply are enough: not one 429 in 40 of 1,000 requests a minute."""
    server = mock_server("--latency", "0", "--limits", "1000")
    assert len(ask(at(server), 40)) == 40
    assert server.stats()["by_status"] == {"200": 40}


@pytest.mark.parametrize(
    "first",
    [
        b"RESET",
        http(GOOD)[:-30] + b"RESET",
        http(GOOD)[:-30],
        b'HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"cho\r\n',
        b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
        b"no HTTP at all\r\n\r\n",
        http(b""),
        http(b"\xff\xfe{}"),
        http(GOOD[:40]),
        http(b"<html>busy</html>", 200, "Content-Type: text/html"),
        http(b"not gzip", 200, "Content-Encoding: gzip"),
        http(b"{}", 500),
        http(b"", 502),
        http(b"x", 408),
    ],
)
def test_what_breaks_on_the_way_is_asked_again(first: bytes) -> None:
    """Resets at any point, cut, wrong and empty replies: the next one is the answer."""
    with raw(http(GOOD), first, http(GOOD)) as url:
        llm = lambda: OpenAILLM(base_url=url, concurrency=1, max_retries=2)  # noqa: E731
        found = ask(llm, 2)
    assert [getattr(answer, "text", answer) for answer in found] == ["hello", "hello"]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (http(GOOD)[:-30] + b"RESET", "connection_lost"),
        (http(b"not gzip", 200, "Content-Encoding: gzip"), "connection_lost"),
        (http(b"\xff"), "bad_response"),
        (http(b"{}", 422), "http_422"),
    ],
)
def test_what_stays_broken_fails_its_request_alone(reply: bytes, reason: str) -> None:
    """By name, after all retries, once the server has answered."""
    with raw(http(GOOD), reply) as url:
        found = ask(lambda: OpenAILLM(base_url=url, concurrency=1, max_retries=1), 2)
    assert isinstance(found[1], RequestFailed)
    assert found[1].reason == reason


def test_replies_may_come_compressed_and_in_any_type() -> None:
    """gzip, and a text/plain that holds JSON."""
    zipped = http(gzip.compress(GOOD), 200, "Content-Encoding: gzip", "Content-Type: text/plain")
    with raw(zipped) as url:
        found = ask(lambda: OpenAILLM(base_url=url, concurrency=1), 2)
    assert all(isinstance(answer, Completion) for answer in found)


def test_the_clock_on_the_wall_may_jump(
    mock_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour back and a year on between two answers: no wait and no latency shows it."""
    jumps = iter([0.0, -3600.0, 3e7] * 1000)
    wall = time.time
    monkeypatch.setattr(time, "time", lambda: wall() + next(jumps))
    server = mock_server("--latency", "0.002", "--rate-429", "0.2", "--retry-after", "0.01")
    found = ask(at(server), 60)
    assert all(isinstance(answer, Completion) and 0 < answer.latency_s < 60 for answer in found)


@pytest.mark.parametrize(
    ("place", "url"),
    [
        ("http://host:8000/v1", "http://host:8000/metrics"),
        ("http://host/proxy/v1/", "http://host/proxy/metrics"),
        ("http://host", "http://host/metrics"),
    ],
)
def test_metrics_lie_beside_the_api(place: str, url: str) -> None:
    """As vLLM serves them."""
    assert metrics_url(place) == url


def test_a_vllm_server_is_kept_busy_by_its_queue(mock_server: StartServer) -> None:
    """The window follows the metrics of a server that takes five at a time."""
    server = mock_server("--latency", "0.02", "--capacity", "5")

    async def run() -> int:
        llm = OpenAILLM(base_url=server.base_url)
        left = iter(range(10_000))

        async def worker() -> None:
            for number in left:
                await llm.complete(prompt(number))

        working = [asyncio.create_task(worker()) for _ in range(60)]
        while not 5 <= llm.flow.window <= 8:
            await llm.complete(prompt(-1))
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        await llm.aclose()
        return llm.flow.in_flight

    assert asyncio.run(asyncio.wait_for(run(), 60)) == 0


def config(**llm: object) -> RunConfig:
    return validated({"llm": {"backend": "openai", "model": "m", **llm}}, "test")


def test_keys_come_from_the_variables_that_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each endpoint has its own; none is told another's, nor the general one."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-general")
    monkeypatch.setenv("KEY_A", "sk-a")
    endpoints = [
        {"base_url": "http://a/v1", "api_key_env": "KEY_A", "weight": 2, "concurrency": 3},
        {"base_url": "http://b/v1", "headers": {"api-key": "${KEY_A}", "X-Team": "us"}},
    ]
    first, second = addresses(config(endpoints=endpoints, concurrency=9, rpm=5).llm)
    assert (first.api_key, first.weight, first.concurrency, first.rpm) == ("sk-a", 2.0, 3, 5)
    assert (second.api_key, second.concurrency) == (None, 9)
    assert second.headers == {"api-key": "sk-a", "X-Team": "us"}
    assert "sk-" not in repr([first, second])
    (alone,) = addresses(config().llm)
    assert alone.api_key == "sk-general"
    monkeypatch.delenv("KEY_A")
    with pytest.raises(ConfigError, match="KEY_A is not set"):
        addresses(config(endpoints=endpoints).llm)


def test_an_address_with_a_password_is_refused() -> None:
    """It would end in run.yaml."""
    with pytest.raises(ConfigError) as refused:
        config(endpoints=[{"base_url": "http://me:secret@host/v1"}])
    assert "holds a password" in str(refused.value)
    assert "secret" not in str(refused.value)


def test_what_serves_a_request_decides_no_key() -> None:
    """Endpoints, limits and headers are no part of what is written."""
    plain = config().llm.writing()
    more = config(endpoints=[{"base_url": "http://a/v1"}], rpm=5, headers={"X": "y"}).llm
    assert more.writing() == plain


def test_headers_reach_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Configured ones, the key and the organisation that the environment names."""
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    seen = []
    post = wire.Wire.post

    async def note(self: wire.Wire, body: bytes) -> wire.Reply:
        seen.append(dict(self._headers))
        return await post(self, body)

    monkeypatch.setattr(wire.Wire, "post", note)
    with raw(http(GOOD)) as url:
        address = Address(url, "sk-x", {"api-key": "k"}, concurrency=1)
        ask(lambda: OpenAILLM(addresses=[address]), 1)
    found = {name.lower(): value for name, value in seen[0].items()}
    assert found["authorization"] == "Bearer sk-x"
    assert (found["api-key"], found["openai-organization"]) == ("k", "org-1")
    assert found["content-type"] == "application/json"


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY gets the request for a host that only it knows; NO_PROXY hosts go past it."""
    with raw(http(GOOD)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.removesuffix("/v1"))
        monkeypatch.setenv("no_proxy", "")
        there = Address("http://behind.invalid/v1", concurrency=1)
        found = ask(lambda: OpenAILLM(addresses=[there]), 1)
        assert isinstance(found[0], Completion)
    monkeypatch.setenv("no_proxy", "behind.invalid")
    found = ask(lambda: OpenAILLM(addresses=[there], max_retries=0), 1)
    assert isinstance(found[0], Unreachable)


def test_the_environment_may_name_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """OPENAI_BASE_URL, as the package takes it: no key is needed there."""
    with raw(http(GOOD)) as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        assert isinstance(ask(lambda: OpenAILLM(concurrency=1), 1)[0], Completion)


def test_the_longest_wait_is_bounded() -> None:
    """Whatever a server asks for."""
    assert failures.MAX_WAIT_S == 60.0
    assert all(0 <= patience.backoff_s(n) <= 10 for n in range(1, 100))
