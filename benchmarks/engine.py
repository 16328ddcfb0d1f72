r"""Requests/s, CPU, memory and waste of trine and rivals, against one mock server after another.

    python benchmarks/engine.py --count 20000 --rival curator=VENV/bin/python \
        --rival distilabel=VENV/bin/python --rival data_designer=VENV/bin/python \
        --rival openai_create=VENV/bin/python --rival bare_aiohttp=VENV/bin/python

`generation` is a whole process of `trine generate`: start, draws, templates, requests, parsing, the
filters, the journal, the stages' files. `whole run` (with clean traffic) is that and then the
process of `trine run`, which deduplicates, splits and writes Parquet, statistics and card. A rival
(`rivals/NAME_bench.py`, more arguments of it behind a colon: `distilabel:256=…`) is timed by its
own clock around the work alone, without its start; none of them filters. Peak memory is that of the
largest process.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from mockserver import server, stats, trine

HERE = Path(__file__).parent
CASES = {
    "clean": [],
    "stragglers": ["--straggler-rate", "0.01", "--straggler-latency", "3"],
    "refusals": ["--rate-429", "0.02"],
    "saturating": ["--capacity", "64"],
}
LATENCY = {"saturating": "0.5"}


class Took(NamedTuple):
    """One process: seconds, CPU seconds and peak MB."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    out: str = ""


def main() -> None:
    """Every case, every program in it, a line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--concurrency", type=int, default=256)
    parser.add_argument("--port", type=int, default=8931)
    parser.add_argument("--case", action="append", choices=[*CASES, "killed"], default=[])
    parser.add_argument("--rival", action="append", default=[], metavar="NAME[:MORE]=PYTHON")
    parser.add_argument("--no-trine", action="store_true")
    parser.add_argument("--generation-only", action="store_true", help="of trine, no whole run")
    parser.add_argument("--words", type=int, default=0, help="what rivals ask for; 130: as trine")
    options = parser.parse_args()
    print(
        f"{'case':11} {'run':26} {'requests':>9} {'seconds':>8} {'req/s':>7} {'CPU ms':>7}"
        f" {'MB':>5}"
    )
    for case in options.case or [*CASES, "killed"]:
        if case == "killed":
            killed(options)
            continue
        if not options.no_trine:
            trine_case(case, options)
        for rival in options.rival:
            rival_case(case, rival, options)


def flags_of(case: str) -> list[str]:
    """Flags of the mock server."""
    return ["--latency", LATENCY.get(case, "0.05"), *CASES[case]]


def trine_case(case: str, options: argparse.Namespace) -> None:
    """Generation; in the clean case the rest, one more row and the same again too."""
    # Where the server says nothing of its limits, trine finds out by itself how many to send.
    concurrency = None if case == "saturating" else options.concurrency
    with tempfile.TemporaryDirectory() as work, server(options.port, *flags_of(case)):

        def command(verb: str, count: int) -> list[str]:
            return trine(verb, Path(work, "run"), options.port, count, concurrency)

        first = run(command("generate", options.count))
        sent = stats(options.port)["requests"]
        show(case, "trine, generation", sent, first)
        if case != "clean" or options.generation_only:
            return
        rest = run(command("run", options.count))
        both = Took(first.wall_s + rest.wall_s, first.cpu_s + rest.cpu_s, rest.peak_mb)
        show(case, "trine, whole run", sent, both)
        for name, count in (("one more row", 1), ("the same again", 1)):
            before = stats(options.port)["requests"]
            took = run(command("run", options.count + count))
            show(case, f"trine, {name}", stats(options.port)["requests"] - before, took)


def rival_case(case: str, rival: str, options: argparse.Namespace) -> None:
    """One rival's script, by its own clock."""
    name, _, python = rival.partition("=")
    name, _, more = name.partition(":")
    numbers = map(str, (options.count, options.concurrency, options.port))
    with server(options.port, *flags_of(case)):
        command = [python, str(HERE / "rivals" / f"{name}_bench.py"), *numbers, *more.split()]
        environ = {**os.environ, "BENCH_WORDS": str(options.words)}
        took = run(command, timeout_s=1200, environ=environ)
        told = [line for line in took.out.splitlines() if line.startswith("RESULT ")]
        label = f"{name} {more}".strip() + (f", {options.words} words" if options.words else "")
        if not told:
            print(f"{case:11} {label:26} did not finish", flush=True)
            return
        own = json.loads(told[-1].removeprefix("RESULT "))
        show(case, label, own["requests"], Took(own["wall_s"], own["cpu_s"], took.peak_mb))


def killed(options: argparse.Namespace) -> None:
    """SIGKILL when half is answered, then the same again: what is asked for twice."""
    programs = {} if options.no_trine else {"trine": None}
    programs |= {r.partition("=")[0]: r.partition("=")[2] for r in options.rival if "curator" in r}
    for name, python in programs.items():
        with tempfile.TemporaryDirectory() as work, server(options.port, "--latency", "0.05"):
            if python is None:
                command = trine(
                    "generate", Path(work), options.port, options.count, options.concurrency
                )
            else:
                numbers = map(str, (options.count, options.concurrency, options.port))
                command = [python, str(HERE / "rivals" / "curator_bench.py"), *numbers]
            environ = {**os.environ, "CURATOR_CACHE_DIR": work}
            process = subprocess.Popen(
                command, env=environ, start_new_session=True,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            while stats(options.port)["requests"] < options.count // 2:
                time.sleep(0.01)
            in_flight = stats(options.port)["in_flight"]
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            run(command, environ=environ)
            again = stats(options.port)["repeated"]
            print(
                f"{'killed':11} {name:26} {again} asked for twice, {in_flight} in flight",
                flush=True,
            )


def run(
    command: list[str], *, timeout_s: float | None = None, environ: dict[str, str] | None = None
) -> Took:
    """Run a process to its end; its own peak, and its CPU with that of its children."""
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.DEVNULL, env=environ, start_new_session=True
        )
        deadline = None if timeout_s is None else start + timeout_s
        while True:
            pid, _, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if deadline is not None and time.perf_counter() > deadline:
                os.killpg(process.pid, signal.SIGKILL)
                deadline = None
            time.sleep(0.01)
        wall = time.perf_counter() - start
        out.seek(0)
        cpu = usage.ru_utime + usage.ru_stime
        return Took(wall, cpu, usage.ru_maxrss / 1024, out.read())


def show(case: str, name: str, requests: int, took: Took) -> None:
    """A line of the table."""
    each = max(requests, 1)
    print(
        f"{case:11} {name:26} {requests:9,} {took.wall_s:8.1f} {requests / took.wall_s:7,.0f}"
        f" {1000 * took.cpu_s / each:7.2f} {took.peak_mb:5,.0f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
