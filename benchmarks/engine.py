"""Requests per second of the whole pipeline against a loopback mock server, beside rivals.

    python benchmarks/engine.py --count 5000 --rival curator=/path/to/venv/bin/python

Everything is included on trine's side: rendering, sending, parsing, filters, journal,
near-duplicates, Parquet and card. A rival's script in `rivals/` sends as many requests, parses and
stores the replies.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
MOCK = HERE.parent / "tests" / "mock_openai.py"


def main() -> None:
    """Run and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--concurrency", type=int, default=256)
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--port", type=int, default=8931)
    parser.add_argument("--rival", action="append", default=[], metavar="NAME=PYTHON")
    options = parser.parse_args()
    print(f"{'run':28} {'requests':>9} {'requests/s':>11} {'CPU ms/req':>11} {'peak MB':>8}")
    with tempfile.TemporaryDirectory() as work:
        trine(options, Path(work))
    for rival in options.rival:
        name, _, python = rival.partition("=")
        script = str(HERE / "rivals" / f"{name}_bench.py")
        numbers = (str(options.count), str(options.concurrency), str(options.port))
        measure(options, name, [python, script, *numbers])


def trine(options: argparse.Namespace, work: Path) -> None:
    """A run, the same run again, and one more row."""
    command = [
        str(Path(sys.executable).with_name("trine")), "run", "-q", "-c", "e5-mistral", "-m", "mock",
        "-o", str(work / "run"), "--set", f"llm.base_url=http://127.0.0.1:{options.port}/v1",
        "--set", "llm.backend=openai", "--set", f"llm.concurrency={options.concurrency}",
        "--set", "languages=[en]",
    ]  # fmt: skip
    measure(options, "trine, clean", [*command, "-n", str(options.count)])
    measure(options, "trine, the same again", [*command, "-n", str(options.count)])
    measure(options, "trine, one more row", [*command, "-n", str(options.count + 1)])


def measure(options: argparse.Namespace, name: str, command: list[str]) -> None:
    """Run a command against a fresh mock server and print what it took."""
    flags = ("--port", str(options.port), "--latency", str(options.latency))
    server = subprocess.Popen([sys.executable, str(MOCK), *flags], stdout=subprocess.PIPE)
    assert server.stdout is not None
    server.stdout.readline()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    with urllib.request.urlopen(f"http://127.0.0.1:{options.port}/stats") as reply:
        requests = json.load(reply)["requests"]
    server.kill()
    server.wait()
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    each = max(requests, 1)
    # The peak is that of the largest child so far: read it for the first rows of a kind.
    print(
        f"{name:28} {requests:9,} {requests / wall:11,.0f} {1000 * cpu / each:11.2f}"
        f" {after.ru_maxrss / 1024:8,.0f}   {wall:.1f} s"
    )


if __name__ == "__main__":
    main()
