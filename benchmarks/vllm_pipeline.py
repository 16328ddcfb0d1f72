r"""Output tokens per second of a whole run on vLLM, beside the engine's own `LLM.generate`.

    python benchmarks/vllm_pipeline.py --model smollm2-135m-instruct --recipe quickstart -n 20000
    python benchmarks/vllm_pipeline.py --model qwen2.5-coder-0.5b-instruct-q4_k_m.gguf \
        --recipe e5-mistral --set form=single --set 'languages=[en]' -n 4000

Each part is a process with an engine of its own, warm before the clock starts (`vllm_parts.py`):

    pipeline           a run, everything included, with back end `vllm`
    generate           `LLM.generate` on the very prompts that the run sent, in their order, as
                       tokens, with the same sampling and engine options
    bare loop          the same prompts through the asynchronous engine, as many in flight as in a
                       run, with nothing else to do: what the engine's own process costs or gains
    no seed, no schema `generate` without them
    no prefix caching  `generate` without it
    generate apart     `generate` with the engine in a process of its own
    watched            a run again, with the engine's own count of running requests (counting costs)

`middle` is the rate between the answers that bring 10 % and 90 % of all tokens: without ramp-up and
tail. Rows are requests at the engine, at most `max_num_seqs`, on average over that time.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

PARTS = ("pipeline", "generate", "bare loop", "no seed", "no schema", "no prefix caching")
MORE_PARTS = ("generate apart", "watched")
GRACE_S = 45.0  # for what is in flight, the stages behind it and the engine's end


def main() -> None:
    """Run the parts one after another; the table so far after each."""
    options, rest = parsed()
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        work = options.work or Path(folder)
        for name in options.parts.split(","):
            if name not in options.skip.split(","):
                results += part(name.strip(), work, options.limit_s, rest)
                show(results)


def parsed() -> tuple[argparse.Namespace, list[str]]:
    """The options, and those that the parts take."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", default=",".join(PARTS), help="with commas, in this order")
    parser.add_argument("--skip", default="", help="parts to leave out, with commas")
    parser.add_argument("--limit-s", type=float, default=1800.0, help="seconds of a part")
    parser.add_argument("--work", type=Path, help="keeps the run and its prompts for other parts")
    options, rest = parser.parse_known_args()
    unknown = set(options.parts.split(",")) - {*PARTS, *MORE_PARTS}
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return options, rest


def part(name: str, work: Path, limit_s: float, rest: list[str]) -> list[dict[str, Any]]:
    """The results of one part, printed as they come; after its time it is stopped, then killed."""
    print(f"\n{name} …", flush=True)
    work.mkdir(parents=True, exist_ok=True)
    if name not in {"pipeline", "watched"} and not (work / "prompts.pickle").exists():
        print(f"{name}: left out, since no run has left its prompts in {work}", flush=True)
        return []
    script = Path(__file__).with_name("vllm_parts.py")
    command = [sys.executable, str(script), "--part", name, "--work", str(work), *rest]
    environment = dict(os.environ)
    if name == "generate apart":
        environment["VLLM_ENABLE_V1_MULTIPROCESSING"] = "1"
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )
    timers = [
        threading.Timer(limit_s, process.send_signal, [signal.SIGINT]),
        threading.Timer(limit_s + GRACE_S, os.killpg, [process.pid, signal.SIGKILL]),
    ]
    for timer in timers:
        timer.daemon = True
        timer.start()
    found, last = [], []
    for line in process.stdout or ():
        last = [*last[-20:], line]
        if line.startswith("RESULT "):
            print(line, end="", flush=True)
            found.append(json.loads(line.removeprefix("RESULT ")))
    code = process.wait()
    for timer in timers:
        timer.cancel()
    if code or not found:
        print(f"{name}: exit {code}\n{''.join(last)}", flush=True)
    return found


def show(results: list[dict[str, Any]]) -> None:
    """The table so far."""
    print(f"\n{'':18} {'requests':>8} {'tokens':>9} {'seconds':>8} {'tokens/s':>9} {'middle':>8}"
          f" {'rows':>6} {'cached':>6} {'CPU ms/request':>15} {'engine':>7}")  # fmt: skip
    rates = {}
    for one in results:
        rates[one["what"]] = one["tokens"] / max(one["seconds"], 1e-9), one["middle"]
        cached = one["cached"] / max(one["prompt_tokens"], 1)
        own, engine = (
            1e3 * one[key] / max(one["requests"], 1) for key in ("cpu_s", "engine_cpu_s")
        )
        print(f"{one['what']:18} {one['requests']:8,} {one['tokens']:9,} {one['seconds']:8.1f}"
              f" {rates[one['what']][0]:9,.0f} {one['middle']:8,.0f} {one['rows']:6,.0f}"
              f" {cached:6.0%} {own:15.2f} {engine:7.2f}")  # fmt: skip
        for note in one.get("notes", ()):
            print(f"    {note}")
    for name in ("generate", "bare loop", "generate apart"):
        for run in ("pipeline", "watched"):
            if all(rates.get(name, (0.0,))) and all(rates.get(run, (0.0,))):
                whole, middle = (a / b for a, b in zip(rates[run], rates[name], strict=True))
                print(f"{run} / {name}: {whole:.3f}, in the middle {middle:.3f}", flush=True)


if __name__ == "__main__":
    main()
