"""How many requests trine keeps in flight by itself, and at what rate, against mock servers.

    python benchmarks/flow.py saturating --count 6000
    python benchmarks/flow.py clean stragglers refusals --count 20000 --concurrency 256

The back end alone (no taxonomy, no journal), so that flow control is what is seen. `in flight` is
the median of the second half, read every 20 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path
from statistics import median

from generator.errors import RequestFailed
from generator.llm import window as windows
from generator.llm.openai import OpenAILLM
from generator.records import Message, Params, Prompt

MOCK = Path(__file__).parent.parent / "tests" / "mock_openai.py"
TEXT = "Write one example for a retrieval task as JSON with a query and two documents. " * 8
SERVERS = {
    "clean": ["--latency", "0.05"],
    "stragglers": ["--latency", "0.05", "--straggler-rate", "0.01"],
    "refusals": ["--latency", "0.05", "--rate-429", "0.02"],
    "saturating": ["--latency", "0.5", "--capacity", "64"],
    "saturating-stragglers": [
        "--latency", "0.5", "--capacity", "64", "--straggler-rate", "0.01",
    ],
    "limited": ["--latency", "0.05", "--limits", "600"],
    "outage": ["--latency", "0.05", "--outage", "2", "60"],
}  # fmt: skip


def main() -> None:
    """Run each server in turn and print a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("servers", nargs="+", choices=SERVERS)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--concurrency", type=int, default=None)
    parser.add_argument("--rpm", type=int, default=None)
    parser.add_argument("--no-metrics", action="store_true", help="as a server that is not vLLM")
    parser.add_argument("--port", type=int, default=8951)
    options = parser.parse_args()
    print(f"{'server':22} {'concurrency':>11} {'requests/s':>10} {'in flight':>9} {'window':>6}")
    for name in options.servers:
        measure(name, options)


def measure(name: str, options: argparse.Namespace) -> None:
    """One mock server, one back end."""
    if options.no_metrics:
        windows.Window.depth = lambda *_: None  # type: ignore[method-assign, assignment]
    command = [sys.executable, str(MOCK), "--port", str(options.port), *SERVERS[name]]
    server = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert server.stdout is not None
    server.stdout.readline()
    try:
        print(f"{name:22} {options.concurrency or 'auto':>11}", asyncio.run(drive(options)))
        with urllib.request.urlopen(f"http://127.0.0.1:{options.port}/stats") as reply:
            print(f"{'':22} {json.load(reply)['by_status']}")
    finally:
        server.kill()
        server.wait()


async def drive(options: argparse.Namespace) -> str:
    """Send everything; what was seen, as a line."""
    url = f"http://127.0.0.1:{options.port}/v1"
    llm = OpenAILLM(base_url=url, concurrency=options.concurrency)
    left, failed = iter(range(options.count)), Counter[str]()
    seen: list[tuple[float, int, int, int]] = []
    done = 0

    async def worker() -> None:
        nonlocal done
        for number in left:
            messages = (Message("user", f"{number}. {TEXT}"),)
            params = Params(1.0, 1.0, 512, number)
            try:
                await llm.complete(Prompt("mock", f"d#{number}", "write", 0, messages, params, ""))
            except RequestFailed as exc:
                failed[exc.reason] += 1
            done += 1

    async def watch() -> None:
        while True:
            seen.append((time.perf_counter(), done, llm.flow.in_flight, llm.flow.window))
            await asyncio.sleep(0.02)

    watching = asyncio.create_task(watch())
    start, before = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker() for _ in range(llm.concurrency)))
    wall, cpu = time.perf_counter() - start, time.process_time() - before
    watching.cancel()
    await llm.aclose()
    busy = [
        look for look in seen if look[1] >= options.count // 2 and look[1] < 0.97 * options.count
    ]
    rate = (busy[-1][1] - busy[0][1]) / (busy[-1][0] - busy[0][0]) if len(busy) > 1 else 0.0
    middle = median(look[2] for look in busy) if busy else 0
    size = min(look[3] for look in busy) if busy else 0
    return (
        f"{options.count / wall:10,.0f} {middle:9,.0f} {size:6}"
        f"   second half {rate:,.0f}/s, all {wall:.1f} s,"
        f" {1000 * cpu / options.count:.2f} CPU ms/request, failed {dict(failed)}"
    )


if __name__ == "__main__":
    main()
