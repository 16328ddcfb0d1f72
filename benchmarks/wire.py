"""CPU per request of four ways to send: a bare loop, the `openai` package's two, and trine's.

    python benchmarks/wire.py --count 5000

Each way runs in a process of its own, against the mock server, with 256 requests in flight of
trine's own prompts and their JSON schema. Nothing else is done with the answers. "pool" is
trine's back end under the pool and the journal: with the gate, and each answer committed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

HERE = Path(__file__).parent
MOCK = HERE.parent / "tests" / "mock_openai.py"
CONCURRENCY = 256
Send = Callable[[int], Awaitable[None]]


def main() -> None:
    """Print the median of every way, all of them alternating."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--latency", default="0.05")
    parser.add_argument("--port", type=int, default=8941)
    parser.add_argument("--way", choices=WAYS, help="run this one here and print JSON")
    options = parser.parse_args()
    if options.way:
        print(json.dumps(asyncio.run(timed(options.way, options.count, options.port))))
        return
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    for _ in range(options.repeats):
        for way in WAYS:
            found[way].append(against_a_mock(way, options))
    print(f"{'way':16} {'requests/s':>11} {'CPU ms/request':>15}")
    for way, runs in found.items():
        rate, cpu = (statistics.median(values) for values in zip(*runs, strict=True))
        print(f"{way:16} {rate:11,.0f} {cpu:15.3f}")


def against_a_mock(way: str, options: argparse.Namespace) -> tuple[float, float]:
    """Requests/s and CPU ms/request of one run in a process of its own."""
    flags = ["--port", str(options.port), "--latency", options.latency]
    server = subprocess.Popen([sys.executable, str(MOCK), *flags], stdout=subprocess.PIPE)
    assert server.stdout is not None
    server.stdout.readline()
    numbers = ["--count", str(options.count), "--port", str(options.port)]
    command = [sys.executable, __file__, "--way", way, *numbers]
    try:
        ended = subprocess.run(command, check=True, capture_output=True, text=True)
    finally:
        server.kill()
        server.wait()
    rate, cpu = json.loads(ended.stdout)
    return rate, cpu


async def timed(way: str, count: int, port: int) -> tuple[float, float]:
    """Requests/s and CPU ms/request, imports and the first 256 connections not counted."""
    with tempfile.TemporaryDirectory() as folder:
        send, close = await WAYS[way](f"http://127.0.0.1:{port}/v1", Path(folder))
        await _all(send, range(count, count + CONCURRENCY))
        start, before = time.perf_counter(), _cpu()
        await _all(send, range(count))
        wall, cpu = time.perf_counter() - start, _cpu() - before
        await close()
    return count / wall, 1000 * cpu / count


async def _all(send: Send, numbers: range) -> None:
    left = iter(numbers)

    async def worker() -> None:
        for number in left:
            await send(number)

    await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


SCHEMA = {
    "type": "object",
    "properties": {
        name: {"type": "string"}
        for name in ("user_query", "positive_document", "hard_negative_document")
    },
    "required": ["user_query", "positive_document", "hard_negative_document"],
    "additionalProperties": False,
}
TEXT = "Write one example for a retrieval task as JSON with a query and two documents. " * 8


def _request(number: int) -> dict[str, object]:
    return {
        "model": "mock",
        "messages": [{"role": "user", "content": f"{number}. {TEXT}"}],
        "temperature": 1.0,
        "top_p": 1.0,
        "max_tokens": 2048,
        "seed": number,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "write", "strict": True, "schema": SCHEMA},
        },
    }


Opened = tuple[Send, Callable[[], Awaitable[None]]]


async def bare(url: str, _: Path) -> Opened:
    """An aiohttp session, its JSON in and out."""
    import aiohttp

    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))

    async def send(number: int) -> None:
        async with session.post(f"{url}/chat/completions", json=_request(number)) as reply:
            assert (await reply.json())["choices"][0]["message"]["content"]

    return send, session.close


async def openai_create(url: str, _: Path) -> Opened:
    """The package's ordinary call, on its aiohttp transport."""
    client = _openai_client(url)

    async def send(number: int) -> None:
        reply = await client.chat.completions.create(**_request(number))
        assert reply.choices[0].message.content

    return send, client.close


async def openai_post(url: str, _: Path) -> Opened:
    """The package's lower call: no typed request, no typed reply."""
    import httpx2

    client = _openai_client(url)

    async def send(number: int) -> None:
        reply = await client.post(
            "/chat/completions", body=_request(number), cast_to=httpx2.Response
        )
        assert json.loads(reply.content)["choices"][0]["message"]["content"]

    return send, client.close


def _openai_client(url: str):
    import httpx2
    from openai import AsyncOpenAI, DefaultAioHttpClient

    limits = httpx2.Limits(max_connections=CONCURRENCY, max_keepalive_connections=CONCURRENCY)
    http = DefaultAioHttpClient(limits=limits)
    return AsyncOpenAI(base_url=url, api_key="x", max_retries=0, http_client=http)


async def trine(url: str, _: Path) -> Opened:
    """Trine's back end: retries, the gate, the reply checked."""
    llm, prompt = _trine(url)

    async def send(number: int) -> None:
        assert (await llm.complete(prompt(number))).text

    return send, llm.aclose


async def trine_pool(url: str, folder: Path) -> Opened:
    """The same under the pool, each answer committed to a journal."""
    from generator.llm.journal import Journal
    from generator.llm.pool import Pool

    llm, prompt = _trine(url)
    pool = Pool(llm, Journal(folder / "journal.sqlite"))

    async def send(number: int) -> None:
        assert (await pool.ask(prompt(number))).text

    return send, llm.aclose


def _trine(url: str):
    from generator.llm.openai import OpenAILLM
    from generator.records import Message, Params, Prompt

    schema = json.dumps(SCHEMA)

    def prompt(number: int) -> Prompt:
        messages = (Message("user", f"{number}. {TEXT}"),)
        params = Params(1.0, 1.0, 2048, number)
        return Prompt("mock", f"d#{number}", "write", 0, messages, params, schema)

    return OpenAILLM(api_key="x", base_url=url, concurrency=CONCURRENCY), prompt


WAYS: dict[str, Callable[[str, Path], Awaitable[Opened]]] = {
    "bare aiohttp": bare,
    "openai create": openai_create,
    "openai post": openai_post,
    "trine": trine,
    "trine, pool": trine_pool,
}


if __name__ == "__main__":
    main()
