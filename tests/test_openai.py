"""The OpenAI back end on the wire: what is asked, what is repeated, how each fault is called."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from functools import partial
from http.client import HTTPMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import openai
import pytest

from generator.errors import LLMError, RequestFailed, Unreachable
from generator.llm import connections, failures, health, patience
from generator.llm.addresses import Address
from generator.llm.openai import OpenAILLM
from generator.records import Completion, Message, Params, Prompt
from tests.conftest import StartServer

SCHEMA = json.dumps({"type": "object", "properties": {"query": {"type": "string"}}})
GOOD = {
    "choices": [{"message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 2},
}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits of milliseconds where the real ones are of seconds."""
    monkeypatch.setattr(patience, "backoff_s", lambda _: 0.01)
    monkeypatch.setattr(patience, "OUTAGE_S", 0.0)
    monkeypatch.setattr(patience, "RATE_LIMITED_S", 0.0)
    monkeypatch.setattr(health, "FIRST_REST_S", 0.01)


def prompt(number: int = 0, **params: Any) -> Prompt:
    """A request that differs from others by its number."""
    messages = (Message("system", "Be brief."), Message("user", f"write {number}"))
    return Prompt("mock", f"f@1/single/en#{number}", "write", 0, messages, Params(**params), SCHEMA)


def ask(base_url: str, *prompts: Prompt, **options: Any) -> list[Completion | BaseException]:
    """The answers or errors of prompts that are asked at once."""

    async def all_of_them() -> list[Completion | BaseException]:
        llm = OpenAILLM(api_key=options.pop("api_key", None), base_url=base_url, **options)
        try:
            return await asyncio.gather(*map(llm.complete, prompts), return_exceptions=True)
        finally:
            await llm.aclose()

    return asyncio.run(all_of_them())


def ask_in_turn(
    base_url: str, *prompts: Prompt, **options: Any
) -> list[Completion | BaseException]:
    """The answers or errors of prompts that are asked one after the other."""

    async def one_by_one() -> list[Completion | BaseException]:
        llm = OpenAILLM(api_key=None, base_url=base_url, **options)
        found: list[Completion | BaseException] = []
        for asked in prompts:
            found += await asyncio.gather(llm.complete(asked), return_exceptions=True)
        await llm.aclose()
        return found

    return asyncio.run(one_by_one())


def reasons(results: list[Completion | BaseException]) -> set[str]:
    """The reasons of requests that failed; "" for an answer, the class's name for another error."""
    return {
        result.reason
        if isinstance(result, RequestFailed)
        else type(result).__name__
        if isinstance(result, BaseException)
        else ""
        for result in results
    }


class Served:
    """A server whose replies a test wrote: (status, headers, body) in order, the last repeated."""

    def __init__(self, replies: list[tuple[int, dict[str, str], bytes]]) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.paths: list[str] = []
        self.headers: list[HTTPMessage] = []
        self.replies = replies
        self.base_url = ""


@contextmanager
def served(*replies: tuple[int, dict[str, str], bytes], port: int = 0) -> Iterator[Served]:
    """Serve these replies on loopback, one a connection."""
    state = Served(list(replies))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            state.keys.append(self.headers["authorization"])
            state.paths.append(self.path)
            state.headers.append(self.headers)
            state.bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            status, headers, body = state.replies[0]
            if len(state.replies) > 1:
                state.replies.pop(0)
            self.send_response(status)
            basic = {"Content-Length": str(len(body)), "Connection": "close"}
            for name, value in (basic | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    state.base_url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def ok(body: object) -> tuple[int, dict[str, str], bytes]:
    """A reply of status 200."""
    return 200, {}, json.dumps(body).encode()


def refused(status: int, message: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """An error as the API writes it."""
    return status, headers, json.dumps({"error": {"message": message, "code": message}}).encode()


def test_the_request_holds_what_the_prompt_holds() -> None:
    """Model, messages, parameters, seed and schema go out; text, reason and tokens come back."""
    with served(ok(GOOD)) as server:
        (answer,) = ask(
            server.base_url,
            prompt(temperature=0.5, top_p=0.9, max_tokens=64, seed=7),
            api_key="sk-test",
        )
    assert isinstance(answer, Completion)
    assert (answer.text, answer.finish_reason) == ("hello", "stop")
    assert (answer.prompt_tokens, answer.completion_tokens) == (5, 2)
    assert server.keys == ["Bearer sk-test"]
    assert server.bodies == [
        {
            "model": "mock",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "write 0"},
            ],
            "temperature": 0.5,
            "top_p": 0.9,
            "max_tokens": 64,
            "seed": 7,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "write", "strict": True, "schema": json.loads(SCHEMA)},
            },
        }
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"usage": None}, Completion("hello")),
        ({"usage": {}}, Completion("hello")),
        ({"usage": {"prompt_tokens": None, "completion_tokens": 1e99}}, Completion("hello")),
        ({"usage": {"prompt_tokens": 2**80, "completion_tokens": -1}}, Completion("hello")),
        ({"usage": "many"}, Completion("hello")),
        ({"choices": [{"message": {"content": None}}]}, Completion("", "stop", 5, 2)),
        (
            {"choices": [{"message": {"content": "a"}, "finish_reason": "length"}]},
            Completion("a", "length", 5, 2),
        ),
    ],
)
def test_what_servers_leave_out_is_no_failure(change: dict[str, Any], expected: Completion) -> None:
    """No usage, a usage of nonsense, no content: the answer counts, with 0 tokens or no text."""
    with served(ok(GOOD | change)) as server:
        (answer,) = ask(server.base_url, prompt(), max_retries=0)
    assert isinstance(answer, Completion)
    fields = (answer.text, answer.finish_reason, answer.prompt_tokens, answer.completion_tokens)
    assert fields == (
        expected.text, expected.finish_reason, expected.prompt_tokens, expected.completion_tokens
    )  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>gateway</html>",
        b'{"choices": [{"message": {"content": "cut',
        b'{"choices": [{"message": {"content": "\xff\xfe"}}]}',
        b"[]",
        b"null",
        b'"text"',
        b'{"choices": []}',
        b'{"choices": null}',
        b'{"choices": [{"message": null}]}',
        b'{"choices": [{"message": {"content": ["parts"]}}]}',
        b'{"error": {"message": "upstream failed"}}',
    ],
)
def test_a_body_that_is_no_completion_fails_its_request_alone(body: bytes) -> None:
    """It is asked again, and then the request fails as bad_response; no body is a bug."""
    with served(ok(GOOD), (200, {}, body)) as server:
        results = ask_in_turn(server.base_url, prompt(), prompt(1), max_retries=2)
        assert [reasons([result]) for result in results] == [{""}, {"bad_response"}]
        assert len(server.bodies) == 1 + 3


def test_a_reply_that_is_no_json_is_shown() -> None:
    """A page of a wrong address or of a gateway, a stream: what came, not where parsing ended."""
    with served((200, {}, b"<html>Welcome</html>")) as server:
        (error,) = ask(server.base_url, prompt(), max_retries=0)
    assert isinstance(error, RequestFailed)
    assert error.detail == "not JSON: <html>Welcome</html>"


@pytest.mark.parametrize(
    ("content", "text", "thought"),
    [
        ([{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}], "hello", 0),
        (
            [
                {"type": "thinking", "thinking": [{"type": "text", "text": "a" * 15}]},
                {"type": "text", "text": "hello"},
            ],
            "hello",
            9,
        ),
        ([{"type": "thinking", "thinking": "all of it"}], "", 12),
        ([{"type": "thinking", "thinking": ["?", {"text": 5}]}, {"text": "a"}], "a", 0),
        ([], "", 0),
    ],
)
def test_a_text_may_come_in_parts(content: list[object], text: str, thought: int) -> None:
    """As Mistral's reasoning models answer: the text is taken, the thinking counted."""
    usage = {"prompt_tokens": 5, "completion_tokens": 12}
    reply = {"choices": [{"message": {"content": content}}], "usage": usage}
    with served(ok(reply)) as server:
        (answer,) = ask(server.base_url, prompt(), max_retries=0)
    assert isinstance(answer, Completion)
    assert (answer.text, answer.reasoning_tokens) == (text, thought)


def test_a_body_that_breaks_off_is_a_lost_connection() -> None:
    """Fewer bytes than promised: repeated; then the request fails, not the run."""
    cut = json.dumps(GOOD).encode()
    with served(ok(GOOD), (200, {"Content-Length": "1000"}, cut)) as server:
        results = ask_in_turn(server.base_url, prompt(), prompt(1), max_retries=1)
    assert reasons(results) == {"", "connection_lost"}


@pytest.mark.parametrize(
    ("flag", "reason"),
    [
        ("--rate-429", "http_429"),
        ("--rate-500", "http_500"),
        ("--rate-bad-bytes", "bad_response"),
    ],
)
def test_each_fault_has_a_reason_of_its_own(
    mock_server: StartServer, flag: str, reason: str
) -> None:
    """A fault that never ends fails its requests by name, after all retries."""
    server = mock_server("--latency", "0", flag, "1", "--retry-after", "0.01")
    results = ask(server.base_url, *map(prompt, range(5)), max_retries=2)
    assert reasons(results) == {reason}
    assert server.stats()["requests"] == 15


@pytest.mark.parametrize(
    "flags", [("--rate-429", "0.3"), ("--rate-500", "0.3"), ("--rate-reset", "0.3")]
)
def test_faults_that_pass_are_repeated(mock_server: StartServer, flags: tuple[str, ...]) -> None:
    """A third of failures costs no answer, and a request that is answered is not sent again."""
    server = mock_server("--latency", "0", "--retry-after", "0.01", *flags)
    results = ask(server.base_url, *map(prompt, range(60)), max_retries=20, concurrency=16)
    assert reasons(results) == {""}
    stats = server.stats()
    assert stats["by_status"]["200"] == 60
    assert stats["requests"] > 60
    assert stats["repeated"] == 0


def test_resets_alone_are_a_lost_connection(mock_server: StartServer) -> None:
    """A server that has answered and then drops every connection fails requests, not the run."""
    server = mock_server("--latency", "0", "--rate-reset", "0.5", "--seed", "3")
    results = ask_in_turn(server.base_url, *map(prompt, range(20)), max_retries=0)
    assert reasons(results) <= {"", "connection_lost", "Unreachable"}
    first = next(i for i, result in enumerate(results) if isinstance(result, Completion))
    assert reasons(results[first:]) == {"", "connection_lost"}


def test_retry_after_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait is the server's; nonsense and dates fall back to the back end's own."""
    waits: list[float] = []
    sleep = asyncio.sleep

    def note(seconds: float) -> Awaitable[None]:
        waits.extend([seconds] if seconds else [])
        return sleep(0)

    monkeypatch.setattr(asyncio, "sleep", note)
    asked = ["7", "0.5", "1e9", "nan", "-3", "Wed, 21 Oct 2026 07:28:00 GMT"]
    limits = [refused(429, "slow down", **{"Retry-After": value}) for value in asked]
    with served(*limits, ok(GOOD)) as server:
        results = ask(server.base_url, prompt(), max_retries=6, concurrency=1)
    assert reasons(results) == {""}
    asked_s = [7.0, 0.5, failures.MAX_WAIT_S, 0.01, 0.01, 0.01]
    assert waits == pytest.approx(asked_s, rel=0.1)
    assert all(wait >= least for wait, least in zip(waits, asked_s, strict=True))


def test_a_rate_limit_is_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """More refusals than `max_retries` are no failure while the server says when to come back."""
    monkeypatch.setattr(patience, "RATE_LIMITED_S", 60.0)
    limit = refused(429, "slow down", **{"Retry-After": "0.001"})
    with served(*[limit] * 12, ok(GOOD)) as server:
        assert reasons(ask(server.base_url, prompt(), max_retries=2)) == {""}


@pytest.mark.parametrize("status", [429, 402])
def test_an_empty_purse_stops_the_run(status: int) -> None:
    """`insufficient_quota` and 402 are not repeated: waiting does not help."""
    with served(refused(status, "insufficient_quota")) as server:
        (error,) = ask(server.base_url, prompt())
        assert isinstance(error, LLMError)
        assert "insufficient_quota" in str(error)
        assert "top up" in error.hint
        assert len(server.bodies) == 1


def test_a_refused_response_format_is_left_out_from_then_on(mock_server: StartServer) -> None:
    """One refusal a request in flight, none after it, and every request is answered."""
    server = mock_server("--latency", "0", "--no-response-format")
    results = ask_in_turn(server.base_url, *map(prompt, range(10)))
    assert reasons(results) == {""}
    assert server.stats()["by_status"] == {"200": 10, "400": 1}


def test_another_400_keeps_the_response_format() -> None:
    """A request that is refused for another reason fails alone; the next one has its schema."""
    with served(refused(400, "the prompt is too long"), ok(GOOD)) as server:
        results = ask_in_turn(server.base_url, prompt(), prompt(1))
    assert [reasons([result]) for result in results] == [{"http_400"}, {""}]
    assert ["response_format" in body for body in server.bodies] == [True, True]


def test_no_response_format_where_none_is_wanted(mock_server: StartServer) -> None:
    """`structured: false` never sends one."""
    server = mock_server("--latency", "0", "--no-response-format")
    results = ask(server.base_url, *map(prompt, range(3)), structured=False)
    assert reasons(results) == {""}
    assert server.stats()["by_status"] == {"200": 3}


def test_a_wrong_key_stops_at_once(mock_server: StartServer) -> None:
    """401 is an LLMError that names the variable, never the key, and is sent once."""
    server = mock_server("--key", "sk-right")
    (error,) = ask(server.base_url, prompt(), api_key="sk-wrong-secret")
    assert isinstance(error, LLMError)
    assert "refused the key (401)" in str(error)
    assert "OPENAI_API_KEY" in error.hint
    assert "sk-wrong-secret" not in f"{error!r} {error} {error.hint} {error.__cause__!r}"
    assert server.stats()["requests"] == 1


def test_no_key_and_no_address_is_an_error_before_any_request() -> None:
    """OpenAI's own endpoint needs a key; the back end's repr shows none."""
    with pytest.raises(LLMError, match="no API key") as caught:
        OpenAILLM(api_key=None)
    assert "OPENAI_API_KEY" in caught.value.hint

    async def opened() -> str:
        llm = OpenAILLM(api_key="sk-secret", concurrency=3)
        await llm.aclose()
        return repr(llm)

    assert asyncio.run(opened()) == "OpenAILLM('https://api.openai.com/v1')"


def test_an_unknown_model_stops_the_run() -> None:
    """404 says what the server says."""
    with served(refused(404, "The model `x` does not exist")) as server:
        (error,) = ask(server.base_url, prompt())
    assert isinstance(error, LLMError)
    assert "The model `x` does not exist" in str(error)
    assert "-m MODEL" in error.hint


def test_nobody_there_is_unreachable() -> None:
    """A refused connection, a name that is none and an address that is none: three tries, told."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        for base_url in (closed, "http://no-such-host.invalid/v1", "localhost:8000/v1"):
            (error,) = ask(base_url, prompt(), max_retries=6)
            assert isinstance(error, Unreachable)
            assert str(error).startswith(f"{base_url} cannot be reached: ")
            assert "base_url" in error.hint


def test_a_server_that_takes_no_connection_fails_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connecting has a limit of its own, far below the time an answer may take."""
    monkeypatch.setattr(connections, "CONNECT_TIMEOUT_S", 0.05)
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):  # fill its queue: further connections get no reply
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        start = time.monotonic()
        (error,) = ask(f"http://127.0.0.1:{full.getsockname()[1]}/v1", prompt(), timeout_s=60.0)
        assert isinstance(error, Unreachable)
        assert time.monotonic() - start < 30


def test_a_503_is_waited_out(mock_server: StartServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once a server has answered, its outage costs no answer, however often it says 503."""
    monkeypatch.setattr(patience, "OUTAGE_S", 60.0)
    server = mock_server("--latency", "0", "--outage-requests", "3", "8")
    results = ask_in_turn(server.base_url, *map(prompt, range(8)), max_retries=2)
    assert reasons(results) == {""}
    assert server.stats()["by_status"] == {"200": 8, "503": 8}


def test_a_server_may_go_away_and_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it has answered, refused connections are waited out."""
    monkeypatch.setattr(patience, "OUTAGE_S", 60.0)

    async def talk(stack: contextlib.ExitStack) -> list[Completion | BaseException]:
        first = stack.enter_context(served(ok(GOOD)))
        port = int(first.base_url.split(":")[2].removesuffix("/v1"))
        llm = OpenAILLM(api_key=None, base_url=first.base_url, max_retries=2)
        before = await asyncio.gather(llm.complete(prompt()), return_exceptions=True)
        stack.close()
        back = partial(stack.enter_context, served(ok(GOOD), port=port))
        asyncio.get_running_loop().call_later(0.3, back)
        after = await asyncio.gather(
            *map(llm.complete, map(prompt, range(1, 5))), return_exceptions=True
        )
        await llm.aclose()
        return before + after

    with contextlib.ExitStack() as stack:
        assert reasons(asyncio.run(talk(stack))) == {""}


def test_a_server_that_stays_away_stops_the_run() -> None:
    """When the patience is over, a refused connection is Unreachable and no rejection."""
    with served(ok(GOOD)) as server:
        base_url = server.base_url

    async def talk() -> BaseException | Completion:
        llm = OpenAILLM(api_key=None, base_url=base_url, max_retries=2)
        llm._reached = True
        (found,) = await asyncio.gather(llm.complete(prompt()), return_exceptions=True)
        await llm.aclose()
        return found

    assert isinstance(asyncio.run(talk()), Unreachable)


def test_a_slow_answer_times_out_by_name(mock_server: StartServer) -> None:
    """A server that has answered before and is too slow fails the request as a timeout."""
    server = mock_server(
        "--latency", "0", "--straggler-rate", "0.5", "--straggler-latency", "5", "--seed", "1"
    )
    results = ask_in_turn(
        server.base_url, *map(prompt, range(12)), timeout_s=0.2, max_retries=0, concurrency=4
    )
    first = next(i for i, result in enumerate(results) if isinstance(result, Completion))
    assert reasons(results[first:]) == {"", "timeout"}


def test_a_server_that_never_answers_is_unreachable(mock_server: StartServer) -> None:
    """Before its first answer a timeout stops the run, after three tries."""
    server = mock_server("--latency", "30")
    (error,) = ask(server.base_url, prompt(), timeout_s=0.1)
    assert isinstance(error, Unreachable)
    assert server.stats()["requests"] == 3


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("/v1", "/v1/chat/completions"),
        ("/v1/", "/v1/chat/completions"),
        ("/v1?api-version=2024-06-01", "/v1/chat/completions?api-version=2024-06-01"),
        ("/v1/?a=1&b=x%20y", "/v1/chat/completions?a=1&b=x+y"),
    ],
)
def test_what_stands_in_the_address_is_sent(given: str, path: str) -> None:
    """A query goes behind the path of each request, as Azure needs it; errors do not show it."""
    with served(refused(404, "no such model"), ok(GOOD)) as server:
        base_url = server.base_url.removesuffix("/v1") + given
        error, answer = ask_in_turn(base_url, prompt(), prompt(1))
    assert isinstance(answer, Completion)
    assert server.paths == [path, path]
    assert str(error) == f"{server.base_url}: no such model"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_followed_and_another_server_is_told_no_key(status: int) -> None:
    """The same request goes on; within one server with its key and headers, elsewhere without."""
    places = ("/elsewhere/chat/completions", "{}/chat/completions")
    for place, shown in zip(places, ([True, True], [True, False]), strict=True):
        with served(ok(GOOD)) as other:
            moved = (status, {"Location": place.format(other.base_url)}, b"")
            # The first one comes over the back end's own connection, then it goes round.
            with served(moved, moved, ok(GOOD)) as first:
                secret = Address(first.base_url, "sk-x", {"X-Team-Key": "k"}, concurrency=1)
                (answer,) = ask(first.base_url, prompt(), addresses=[secret])
        assert isinstance(answer, Completion)
        seen = [*first.headers[1:], *other.headers]
        assert [head["authorization"] == "Bearer sk-x" for head in seen] == shown
        assert [head["x-team-key"] == "k" for head in seen] == shown
        assert [head["content-type"] for head in seen] == ["application/json"] * 2
        assert len({json.dumps(body) for body in (*first.bodies, *other.bodies)}) == 1


def test_redirects_come_to_an_end() -> None:
    """A server that sends round in circles is told as one that cannot be reached."""
    with served((307, {"Location": "/v1/chat/completions"}, b"")) as server:
        (error,) = ask(server.base_url, prompt(), max_retries=0)
        assert len(server.bodies) == 1 + 10
    assert isinstance(error, Unreachable)
    assert "more than 10 redirects" in str(error)


def test_a_403_says_what_the_server_says() -> None:
    """A country, a model or a firewall: the key need not be what is wrong."""
    with served(refused(403, "Country, region, or territory not supported")) as server:
        (error,) = ask(server.base_url, prompt())
    assert isinstance(error, LLMError)
    assert "(403): Country, region, or territory not supported" in str(error)


def test_a_prompt_that_is_moderated_fails_alone() -> None:
    """OpenRouter's 403 with reasons is about one prompt; the run goes on."""
    told = {"reasons": ["violence"], "flagged_input": "…", "provider_name": "OpenAI"}
    flagged = {"error": {"code": 403, "message": "Your input was flagged", "metadata": told}}
    with served((403, {}, json.dumps(flagged).encode()), ok(GOOD)) as server:
        results = ask_in_turn(server.base_url, prompt(), prompt(1))
    assert [reasons([result]) for result in results] == [{"http_403"}, {""}]


@pytest.mark.parametrize("status", [400, 403, 404, 422, 500])
@pytest.mark.parametrize("page", ["<pre>Authorization: Bearer {0}\nX-Team-Key: {1}</pre>", "{0}"])
def test_no_error_repeats_a_key(status: int, page: str) -> None:
    """A debug page shows the request's headers: none of it reaches an error, nor its cause."""
    secrets = ("sk-right-secret", "team-secret")
    with served((status, {}, page.format(*secrets).encode())) as server:
        place = Address(server.base_url, secrets[0], {"X-Team-Key": secrets[1]})
        (error,) = ask(server.base_url, prompt(), addresses=[place], max_retries=0)
    assert isinstance(error, LLMError | RequestFailed)
    cause = error.__cause__
    assert isinstance(cause, openai.APIStatusError)
    shown = f"{error} {error!r} {cause} {cause.body!r} {cause.response.text}"
    assert "***" in shown
    assert not [secret for secret in secrets if secret in shown]


@pytest.mark.parametrize(
    "error",
    [
        {"type": "insufficient_quota", "code": None},
        {"type": "exceeded_current_quota_error"},
        {"code": "billing_not_active"},
    ],
)
def test_an_empty_purse_has_many_names(error: dict[str, object]) -> None:
    """It is not waited for a quarter of an hour for each request."""
    body = json.dumps({"error": {"message": "check your plan", **error}}).encode()
    with served((429, {}, body)) as server:
        (found,) = ask(server.base_url, prompt())
        assert isinstance(found, LLMError)
        assert "top up" in found.hint
        assert len(server.bodies) == 1
