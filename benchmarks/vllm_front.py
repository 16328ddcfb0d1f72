"""CPU time a request of everything but the model: a run on vLLM whose engine core is a stand-in.

    python benchmarks/vllm_front.py -n 1000 --rows 1024 --step-s 0.06 --set form=staged
    python benchmarks/vllm_front.py -n 800 --rows 32 --step-s 0.02 --recipe e5-mistral \
        --set form=single --set 'languages=[en]'

vLLM's own front end (validation, request states, outputs) runs as always; its engine core is
replaced by one in this process that gives every row one token of a ready reply a step. The CPU time
of the stand-in is taken off. Rows are what it had to run, on average over the middle 80 % of its
steps: what the run's dependencies and its number in flight leave of `--rows`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections import deque
from pathlib import Path
from random import Random
from typing import Any

from generator import generation, pipeline
from generator.config import load_config
from generator.llm.vllm import VllmLLM
from generator.records import Prompt

WORDS = "river garden teacher engine market village doctor bridge window library farmer".split()
END = 2


class Core:
    """Stands in for the client of an engine's process; its messages are packed as for a wire."""

    def __init__(self, rows: int, step_s: float) -> None:
        from vllm.v1.engine import EngineCoreOutputs
        from vllm.v1.serial_utils import MsgpackDecoder, MsgpackEncoder

        self._rows, self._step_s = rows, step_s
        self._encoder, self._decoder = MsgpackEncoder(), MsgpackDecoder(EngineCoreOutputs)
        self._waiting: deque[tuple[str, list[int]]] = deque()
        self._outputs: asyncio.Queue[Any] = asyncio.Queue()
        self._work: asyncio.Task[None] | None = None
        self.resources = argparse.Namespace(engine_dead=False)
        self.replies: dict[int, list[int]] = {}  # by the request's seed
        self.running: list[int] = []
        self.own_s = 0.0
        self.requests = 0

    async def get_supported_tasks_async(self) -> tuple[str, ...]:
        return ("generate",)

    async def add_request_async(self, request: Any) -> None:
        self._encoder.encode(request)
        self.requests += 1
        reply = self.replies.pop(request.sampling_params.seed)
        self._waiting.append((request.request_id, reply))
        if self._work is None:
            self._work = asyncio.create_task(self._steps())

    async def get_output_async(self) -> Any:
        return await self._outputs.get()

    async def abort_requests_async(self, ids: list[str]) -> None:
        """Nothing is ever aborted here."""

    def shutdown(self, **_: Any) -> None:
        if self._work is not None:
            self._work.cancel()

    async def _steps(self) -> None:
        rows: list[tuple[str, deque[int]]] = []
        while True:
            await asyncio.sleep(self._step_s)
            begun = time.thread_time()
            while self._waiting and len(rows) < self._rows:
                name, reply = self._waiting.popleft()
                rows.append((name, deque(reply)))
            if rows:
                self.running.append(len(rows))
                packed = self._encoder.encode(self._step(rows))
                rows = [row for row in rows if row[1]]
                self.own_s += time.thread_time() - begun
                self._outputs.put_nowait(self._decoder.decode(packed))

    def _step(self, rows: list[tuple[str, deque[int]]]) -> Any:
        from vllm.v1.engine import EngineCoreOutput, EngineCoreOutputs, FinishReason

        outputs = [
            EngineCoreOutput(
                name, [left.popleft()], finish_reason=None if left else FinishReason.STOP
            )
            for name, left in rows
        ]
        return EngineCoreOutputs(outputs=outputs)


class Model(VllmLLM):
    """The back end; tells the stand-in what to answer."""

    core: Core

    async def _answer(self, engine: Any, tokens: list[int], prompt: Prompt) -> Any:
        begun = time.thread_time()
        text = json.dumps(reply_of(json.loads(prompt.schema), Random(prompt.key)))
        encoded = engine.get_tokenizer().backend_tokenizer.encode(text, add_special_tokens=False)
        self.core.replies[prompt.params.seed] = [*encoded.ids, END]
        self.core.own_s += time.thread_time() - begun
        return await super()._answer(engine, tokens, prompt)

    async def ready(self) -> None:
        """Start what there is to start."""
        await self._started()


def reply_of(schema: dict[str, Any], random: Random) -> Any:
    """A short reply that fits a schema."""
    if "enum" in schema:
        return random.choice(schema["enum"])
    if schema["type"] == "object":
        return {name: reply_of(inner, random) for name, inner in schema["properties"].items()}
    if schema["type"] == "array":
        return [reply_of(schema["items"], random) for _ in range(schema.get("maxItems", 20))]
    return " ".join(random.choices(WORDS, k=14)).capitalize() + "."


def run(options: argparse.Namespace, work: Path) -> None:
    """The run, and what it took."""
    from vllm.v1.engine.core_client import EngineCoreClient

    core = Core(options.rows, options.step_s)
    EngineCoreClient.make_async_mp_client = staticmethod(lambda *_, **__: core)
    overrides = ["llm.backend=vllm", f"llm.model={options.model}", "train=null", *options.set]
    overrides += [f"llm.vllm.max_num_seqs={options.rows}"]
    config = load_config(
        options.recipe, overrides, environ={}, count=options.count, output=str(work)
    )
    made: list[Model] = []
    took: list[float] = []
    write = generation.write

    def open_model() -> Model:
        made.append(Model(config.llm.model, config.llm.vllm, structured=config.llm.structured))
        made[0].core = core
        return made[0]

    async def timed(*arguments: Any, **more: Any) -> None:
        await made[0].ready()
        begun = time.perf_counter(), time.thread_time(), time.process_time()
        await write(*arguments, **more)
        ended = time.perf_counter(), time.thread_time(), time.process_time()
        took.extend(b - a for a, b in zip(begun, ended, strict=True))

    generation.write = timed
    pipeline.generate(config, open_model=open_model)
    seconds, loop, process = took
    tenth = len(core.running) // 10
    rows = core.running[tenth : len(core.running) - tenth]
    requests = core.requests
    print(f"{requests:,} requests in {seconds:.1f} s; CPU of the event loop's thread"
          f" {(loop - core.own_s) / requests * 1e3:.2f} ms a request, of all threads"
          f" {(process - core.own_s) / requests * 1e3:.2f}; {sum(rows) / len(rows):,.1f} of"
          f" {options.rows:,} rows in {len(core.running):,} steps")  # fmt: skip


def main() -> None:
    """One run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--recipe", default="quickstart")
    parser.add_argument("-n", "--count", type=int, default=1000)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--rows", type=int, default=1024)
    parser.add_argument("--step-s", type=float, default=0.06, help="seconds of a step")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run(options, Path(folder) / "run")


if __name__ == "__main__":
    main()
