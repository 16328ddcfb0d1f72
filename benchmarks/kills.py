"""SIGKILL at random moments of one run, again and again: what is lost, and what is paid for twice.

    python benchmarks/kills.py --count 20000 --kills 100

Three conditions: no answered request is lost (as many answers in the journal as the server has
different requests), the requests asked for twice are at most those that the server had in flight
just before each kill, and `records.jsonl` is that of a run that nobody killed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mockserver import server, stats, trine

QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def main() -> None:
    """Run, kill, run again; exit 1 where a condition fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--concurrency", type=int, default=256)
    parser.add_argument("--latency", default="0.05")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--port", type=int, default=8933)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work, server(options.port, "--latency", options.latency):
        command = trine(
            "generate", Path(work, "killed"), options.port, options.count, options.concurrency
        )
        in_flight = [one_kill(command, moment, options) for moment in moments(options)]
        subprocess.run(command, check=True, **QUIET)
        seen = stats(options.port)
        whole = trine("run", Path(work, "killed"), options.port, options.count, options.concurrency)
        subprocess.run(whole, check=True, **QUIET)
        answers = count_answers(Path(work, "killed", "journal.sqlite"))
        unbroken = trine(
            "run", Path(work, "whole"), options.port, options.count, options.concurrency
        )
        subprocess.run(unbroken, check=True, **QUIET)
        names = ("records.jsonl", "rejected.jsonl", "tasks.jsonl")
        same = all(
            Path(work, "killed", name).read_bytes() == Path(work, "whole", name).read_bytes()
            for name in names
        )
    print(f"kills {len(in_flight)}, in flight before them {sum(in_flight):,}")
    print(f"asked for twice {seen['repeated']:,}")
    different = seen["requests"] - seen["repeated"]
    print(f"answers in the journal {answers:,}, different requests {different:,}")
    print(f"the same files as a run that nobody killed: {same}")
    lost = different - answers
    sys.exit(int(bool(lost) or seen["repeated"] > sum(in_flight) or not same))


def moments(options: argparse.Namespace) -> list[int]:
    """After how many different answered requests to kill, in order."""
    chooser = random.Random(options.seed)
    return sorted(chooser.sample(range(1, options.count), options.kills))


def one_kill(command: list[str], moment: int, options: argparse.Namespace) -> int:
    """Start, wait for the moment, kill; how many requests the server had in flight just before."""
    with socket.create_connection(("127.0.0.1", options.port)) as line:
        process = subprocess.Popen(command, **QUIET)
        while True:
            found = ask(line)
            if found["requests"] - found["repeated"] >= moment:
                os.kill(process.pid, signal.SIGSTOP)  # it sends no more while the server is asked
                found = ask(line)
                os.kill(process.pid, signal.SIGKILL)
                break
            time.sleep(0.002)
        process.wait()
    return found["in_flight"]


def ask(line: socket.socket) -> dict[str, int]:
    """The server's counts, on an open connection: a new one would take too long."""
    line.sendall(b"GET /stats HTTP/1.1\r\nHost: mock\r\n\r\n")
    reply = b""
    while b"\r\n\r\n" not in reply or not reply.endswith(b"}"):
        reply += line.recv(65536)
    counts: dict[str, int] = json.loads(reply.partition(b"\r\n\r\n")[2])
    return counts


def count_answers(path: Path) -> int:
    """How many answers a journal holds."""
    db = sqlite3.connect(path)
    try:
        found: int = db.execute("SELECT count(*) FROM answers").fetchone()[0]
        return found
    finally:
        db.close()


if __name__ == "__main__":
    main()
