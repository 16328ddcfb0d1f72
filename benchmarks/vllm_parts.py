"""The parts of `vllm_pipeline.py`, which starts each as a process and reads its RESULT lines."""

from __future__ import annotations

import argparse
import asyncio
import json
import pickle
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from generator import pipeline
from generator.config import RunConfig, cache_folder, load_config
from generator.errors import Interrupted
from generator.llm import vllm_engine
from generator.llm.converted import as_folder
from generator.llm.vllm import VllmLLM
from generator.llm.weights import find_weights
from generator.modelconfig import VllmConfig
from generator.records import Completion, Message, Params, Prompt

HELLO = (Message("user", "Say hello."),)
STOPPED = "stopped after its time: not all prompts"
Asked = tuple[list[int], Params, str]


class Clock:
    """When requests were sent and answered; the CPU seconds of this process and the engine's."""

    def __init__(self) -> None:
        self.sent: list[float] = []
        self.answered: list[tuple[float, int]] = []
        self._engine = [
            child
            for child in psutil.Process().children(recursive=True)
            if "multiprocessing.resource_tracker" not in " ".join(child.cmdline())
        ]
        self.first = self.last = time.perf_counter()
        self._begun = self._cpu()
        self._ended = self._begun

    def send(self) -> None:
        """A request goes to the engine."""
        self.sent.append(time.perf_counter())

    def answer(self, tokens: int) -> None:
        """A request is answered."""
        self.answered.append((time.perf_counter(), tokens))

    def stop(self, *, now: bool = False) -> None:
        """All is answered: with the last answer, or now."""
        with_last = self.answered and not now
        self.last = self.answered[-1][0] if with_last else time.perf_counter()
        self._ended = self._cpu()

    def result(self, what: str, rows: int) -> dict[str, Any]:
        """What was measured, for engines of so many rows."""
        tokens = sum(count for _, count in self.answered)
        begin, end, within = self._middle(tokens)
        own, engine = (b - a for a, b in zip(self._begun, self._ended, strict=True))
        return {
            "what": what, "requests": len(self.answered), "tokens": tokens,
            "seconds": self.last - self.first, "middle": within / max(end - begin, 1e-9),
            "rows": self._rows(rows, begin, end), "cpu_s": own, "engine_cpu_s": engine,
        }  # fmt: skip

    def _middle(self, total: int) -> tuple[float, float, int]:
        """When a tenth and nine tenths of all tokens had come, and how many came between."""
        seen, begin, at_begin = 0, None, 0
        for moment, count in self.answered:
            seen += count
            if begin is None and seen >= total / 10:
                begin, at_begin = moment, seen
            if begin is not None and seen >= total * 9 / 10:
                return begin, moment, seen - at_begin
        return self.first, self.last, total

    def _rows(self, most: int, begin: float, end: float) -> float:
        changes = [(t, 1) for t in self.sent] + [(t, -1) for t, _ in self.answered]
        area, at_engine, before = 0.0, 0, begin
        for moment, change in [*sorted(changes), (end, 0)]:
            now = min(max(moment, begin), end)
            area += min(at_engine, most) * (now - before)
            at_engine, before = at_engine + change, now
        return area / max(end - begin, 1e-9)

    def _cpu(self) -> tuple[float, float]:
        times = [p.cpu_times() for p in self._engine if p.is_running()]
        return time.process_time(), sum(t.user + t.system for t in times)


class Recorder(VllmLLM):
    """The back end, noting what it sends; it has answered before its clock starts."""

    def __init__(self, config: RunConfig) -> None:
        llm = config.llm
        super().__init__(llm.model, llm.vllm, structured=llm.structured)
        self.asked: list[Asked] = []
        self.prompt_tokens = self.cached = 0
        self.clock = Clock()
        self._ready: asyncio.Future[None] | None = None

    @property
    def rows(self) -> int:
        """How many requests all engines run at once."""
        parallel = self._config.parallel_config.data_parallel_size
        return int(self._config.scheduler_config.max_num_seqs * parallel)

    async def complete(self, prompt: Prompt) -> Completion:
        """As the back end."""
        if self._ready is None:
            self._ready = asyncio.ensure_future(self._warm(prompt))
        if not self._ready.done():
            await asyncio.shield(self._ready)
        answer = await super().complete(prompt)
        self.prompt_tokens += answer.prompt_tokens
        self.cached += answer.cached_tokens
        return answer

    async def _warm(self, prompt: Prompt) -> None:
        for schema in ("", prompt.schema):
            params = Params(max_tokens=4)
            await super().complete(Prompt(prompt.model, "", "", 0, HELLO, params, schema))
        await (await self._started()).reset_prefix_cache()
        self.asked.clear()
        self.clock = Clock()

    async def _answer(self, engine: Any, tokens: list[int], prompt: Prompt) -> Any:
        self.asked.append((tokens, prompt.params, prompt.schema if self._structured else ""))
        self.clock.send()
        answer = await super()._answer(engine, tokens, prompt)
        self.clock.answer(len(answer.tokens))
        return answer

    async def feed(self, prompts: list[Asked]) -> None:
        """Ask prompts that were recorded, as many at once as a run does."""
        await self._warm(Prompt("", "", "", 0, HELLO, Params(), prompts[0][2]))
        engine, left = await self._started(), iter(prompts)

        async def worker() -> None:
            for tokens, params, schema in left:
                answer = await self._answer(
                    engine, tokens, Prompt("", "", "", 0, (), params, schema)
                )
                self.prompt_tokens += len(tokens)
                self.cached += answer.cached

        try:
            await asyncio.gather(*(worker() for _ in range(self.concurrency)))
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """As the back end."""
        self.clock.stop()
        await super().aclose()


def run(options: argparse.Namespace) -> None:
    """The pipeline; its prompts stay in the folder for the other parts."""
    watched = options.part == "watched"
    counts: list[int] = []
    if watched:
        vllm_engine.start_engine = lambda config: engine_with_counts(config, counts)
    config = configuration(options)
    made: list[Recorder] = []

    def open_model() -> Recorder:
        made.append(Recorder(config))
        return made[0]

    summary, stopped = None, []
    try:
        summary = pipeline.run(config, open_model=open_model)
    except Interrupted:
        stopped = [STOPPED]
    after = time.perf_counter() - made[0].clock.last
    llm = made[0]
    if not watched:
        (options.work / "prompts.pickle").write_bytes(pickle.dumps(llm.asked))
    found = llm.clock.result(options.part, llm.rows)
    found |= {"prompt_tokens": llm.prompt_tokens, "cached": llm.cached, "notes": stopped}
    if counts:
        tenth = len(counts) // 10
        inner = counts[tenth : len(counts) - tenth] or counts
        running = sum(inner) / len(inner)
        found["notes"].append(
            f"the engine's count, middle of {len(counts):,} steps: {running:,.0f}"
        )
    if summary is not None:
        per_hour = summary.kept / found["seconds"] * 3600
        found["notes"] += [
            f"kept {summary.kept:,} of {summary.drawn:,}: {per_hour:,.0f} an hour of writing",
            f"{after:.1f} s more until the data set",
            f"rejected most: {dict(summary.rejected.most_common(4))}",
        ]
    print("RESULT " + json.dumps(found), flush=True)


def engine_with_counts(config: Any, counts: list[int]) -> Any:
    """The engine, which appends its number of running requests with each step."""
    from vllm.v1.engine.async_llm import AsyncLLM
    from vllm.v1.metrics.loggers import StatLoggerBase

    class Counter(StatLoggerBase):
        def __init__(self, vllm_config: Any, engine_index: int = 0) -> None:
            """Nothing to set up."""

        def record(self, scheduler_stats: Any, *_: Any, **__: Any) -> None:
            if scheduler_stats is not None:
                counts.append(scheduler_stats.num_running_reqs)

        def log_engine_initialized(self) -> None:
            """Nothing to say."""

    return AsyncLLM.from_vllm_config(config, stat_loggers=[Counter], disable_log_stats=True)


def bare_loop(options: argparse.Namespace) -> None:
    """The prompts of a run through the asynchronous engine, with nothing else to do."""
    llm = Recorder(configuration(options))
    notes = []
    try:
        asyncio.run(llm.feed(prompts_of(options)))
    except KeyboardInterrupt:
        notes.append(STOPPED)
    found = llm.clock.result(options.part, llm.rows)
    found |= {"prompt_tokens": llm.prompt_tokens, "cached": llm.cached, "notes": notes}
    print("RESULT " + json.dumps(found), flush=True)


def own_generate(options: argparse.Namespace) -> None:
    """The engine's own `generate` on the prompts of a run."""
    from vllm import LLM

    config = configuration(options).llm
    changed = {"enable_prefix_caching": options.part != "no prefix caching"}
    engine = VllmConfig.model_validate({**dict(config.vllm), **changed})
    folder = as_folder(find_weights(config.model), cache_folder())
    llm = LLM(**vllm_engine.engine_arguments(folder, engine))
    asked = [vary(prompt, options.part) for prompt in prompts_of(options)]
    tokens = [{"prompt_token_ids": prompt[0]} for prompt in asked]
    llm.generate(tokens[:4], [sampling(p) for p in asked[:4]], use_tqdm=False)
    llm.reset_prefix_cache()
    params = [sampling(prompt) for prompt in asked]
    rows = llm.llm_engine.vllm_config.scheduler_config.max_num_seqs
    clock, step, cached, prompt_tokens = Clock(), llm.llm_engine.step, 0, 0

    def noted() -> Any:
        nonlocal cached, prompt_tokens
        outputs = step()
        for output in outputs:
            if output.finished:
                clock.answer(len(output.outputs[0].token_ids))
                cached += output.num_cached_tokens or 0
                prompt_tokens += len(output.prompt_token_ids)
        return outputs

    llm.llm_engine.step = noted
    clock.sent = [clock.first] * len(asked)
    notes = []
    try:
        llm.generate(tokens, params, use_tqdm=False)
    except KeyboardInterrupt:
        notes.append(STOPPED)
    clock.stop(now=True)
    found = clock.result(options.part, rows)
    found |= {"prompt_tokens": prompt_tokens, "cached": cached, "notes": notes}
    print("RESULT " + json.dumps(found), flush=True)


def vary(prompt: Asked, variant: str) -> Asked:
    """A prompt as a variant sends it."""
    tokens, params, schema = prompt
    if variant == "no schema":
        return tokens, params, ""
    if variant == "no seed":
        body = json.dumps({**json.loads(params.extra or "{}"), "seed": None}, sort_keys=True)
        return tokens, Params(**{**asdict(params), "extra": body}), schema
    return prompt


def sampling(prompt: Asked) -> Any:
    """As a user of `LLM.generate` gives them: text comes back."""
    from vllm.sampling_params import RequestOutputKind

    params = vllm_engine.sampling(prompt[1], prompt[2])
    params.detokenize, params.output_kind = True, RequestOutputKind.FINAL_ONLY
    return params


def configuration(options: argparse.Namespace) -> RunConfig:
    """The recipe with this back end."""
    overrides = ["llm.backend=vllm", f"llm.model={options.model}", "train=null", *options.set]
    output = options.work / options.part.replace(" ", "-")
    return load_config(
        options.recipe, overrides, environ={}, count=options.count, output=str(output)
    )


def prompts_of(options: argparse.Namespace) -> list[Asked]:
    """What the run sent."""
    found: list[Asked] = pickle.loads((options.work / "prompts.pickle").read_bytes())
    return found


PARTS: dict[str, Callable[[argparse.Namespace], None]] = {
    "pipeline": run,
    "watched": run,
    "bare loop": bare_loop,
}  # all others are variants of `own_generate`


def main() -> None:
    """One part, in this process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--recipe", default="quickstart")
    parser.add_argument("-n", "--count", type=int, default=2000)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--part", required=True)
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    PARTS.get(options.part, own_generate)(options)


if __name__ == "__main__":
    main()
