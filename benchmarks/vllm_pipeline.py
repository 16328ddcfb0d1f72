"""Output tokens per second of a whole run on vLLM, beside the engine's own `LLM.generate`.

    python benchmarks/vllm_pipeline.py --model smollm2-135m-instruct --recipe quickstart -n 20000

First a run, everything included, with back end `vllm`; then, in a fresh process, `LLM.generate`
on the very prompts that the run sent, as tokens, with the same sampling and engine options. Then
the same prompts without a schema, without seeds, and without prefix caching. Engines are warm
before a clock starts; the tokens of a run are those of the answers in its journal.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from generator import pipeline
from generator.config import RunConfig, cache_folder, load_config
from generator.llm import vllm_engine
from generator.llm.converted import as_folder
from generator.llm.vllm import VllmLLM
from generator.llm.weights import find_weights
from generator.modelconfig import VllmConfig
from generator.records import Completion, Message, Params, Prompt

HELLO = (Message("user", "Say hello."),)


class Recorder(VllmLLM):
    """The back end, noting what it sends, and when it was asked first and answered last."""

    def __init__(self, config: RunConfig) -> None:
        llm = config.llm
        super().__init__(llm.model, llm.vllm, structured=llm.structured)
        self.sent: list[tuple[list[int], Params, str]] = []
        self.prompt_tokens = self.cached = self.tokens = 0
        self.first = self.last = 0.0
        self._ready: asyncio.Future[None] | None = None

    async def complete(self, prompt: Prompt) -> Completion:
        """As the back end; the engine starts, and answers once, before the clock does."""
        if self._ready is None:
            self._ready = asyncio.ensure_future(self._warm(prompt))
        await asyncio.shield(self._ready)
        answer = await super().complete(prompt)
        self.last = time.perf_counter()
        self.prompt_tokens += answer.prompt_tokens
        self.cached += answer.cached_tokens
        self.tokens += answer.completion_tokens
        return answer

    async def _warm(self, prompt: Prompt) -> None:
        for schema in ("", prompt.schema):
            params = Params(max_tokens=4)
            await super().complete(Prompt(prompt.model, "", "", 0, HELLO, params, schema))
        await (await self._started()).reset_prefix_cache()
        self.sent.clear()
        self.first = time.perf_counter()

    async def _answer(self, engine: Any, tokens: list[int], prompt: Prompt) -> Any:
        self.sent.append((tokens, prompt.params, prompt.schema if self._structured else ""))
        return await super()._answer(engine, tokens, prompt)


def run(options: argparse.Namespace, work: Path) -> dict[str, Any]:
    """The pipeline: writing alone, and the whole run."""
    config = configuration(options, work)
    made: list[Recorder] = []

    def open_model() -> Recorder:
        made.append(Recorder(config))
        return made[0]

    start = time.perf_counter()
    summary = pipeline.run(config, open_model=open_model)
    whole = time.perf_counter() - start
    llm = made[0]
    prompts = [(tokens, params, schema) for tokens, params, schema in llm.sent]
    (work / "prompts.pickle").write_bytes(pickle.dumps(prompts))
    seconds = llm.last - llm.first
    after = time.perf_counter() - llm.last
    return {
        "what": "pipeline", "requests": len(llm.sent), "tokens": llm.tokens, "seconds": seconds,
        "prompt_tokens": llm.prompt_tokens, "cached": llm.cached, "kept": summary.kept,
        "drawn": summary.drawn, "whole": whole, "after": after,
        "rejected": dict(summary.rejected.most_common(4)),
    }  # fmt: skip


def configuration(options: argparse.Namespace, work: Path) -> RunConfig:
    """The recipe with this back end."""
    overrides = ["llm.backend=vllm", f"llm.model={options.model}", "train=null", *options.set]
    return load_config(
        options.recipe, overrides, environ={}, count=options.count, output=str(work / "run")
    )


def own_generate(options: argparse.Namespace, work: Path, variants: list[str]) -> None:
    """The engine's own `generate` on the prompts of a run; prints a JSON line a variant."""
    from vllm import LLM

    config = configuration(options, work).llm
    prompts = pickle.loads((work / "prompts.pickle").read_bytes())
    changed = {"enable_prefix_caching": "no prefix caching" not in variants}
    engine = VllmConfig.model_validate({**dict(config.vllm), **changed})
    folder = as_folder(find_weights(config.model), cache_folder())
    llm = LLM(**vllm_engine.engine_arguments(folder, engine))
    for variant in variants:
        asked = [vary(prompt, variant) for prompt in prompts]
        tokens = [{"prompt_token_ids": prompt[0]} for prompt in asked]
        params = [sampling(prompt) for prompt in asked]
        llm.generate(tokens[:4], [sampling(p) for p in asked[:4]], use_tqdm=False)
        llm.reset_prefix_cache()
        start = time.perf_counter()
        outputs = llm.generate(tokens, params, use_tqdm=False)
        seconds = time.perf_counter() - start
        written = sum(len(output.outputs[0].token_ids) for output in outputs)
        cached = sum(output.num_cached_tokens or 0 for output in outputs)
        found = {"what": variant, "requests": len(asked), "tokens": written, "seconds": seconds,
                 "prompt_tokens": sum(len(p[0]) for p in asked), "cached": cached}  # fmt: skip
        print("RESULT " + json.dumps(found), flush=True)


def vary(prompt: tuple[list[int], Params, str], variant: str) -> tuple[list[int], Params, str]:
    """A prompt as a variant sends it."""
    tokens, params, schema = prompt
    if variant == "no schema":
        return tokens, params, ""
    if variant == "no seed":
        body = json.dumps({**json.loads(params.extra or "{}"), "seed": None}, sort_keys=True)
        return tokens, Params(**{**as_dict(params), "extra": body}), schema
    return prompt


def as_dict(params: Params) -> dict[str, Any]:
    """The fields of sampling parameters."""
    return {name: getattr(params, name) for name in params.__dataclass_fields__}


def sampling(prompt: tuple[list[int], Params, str]) -> Any:
    """As a user of `LLM.generate` gives them: text comes back."""
    params = vllm_engine.sampling(prompt[1], prompt[2])
    params.detokenize = True
    return params


def part(options: argparse.Namespace, work: Path, name: str) -> list[dict[str, Any]]:
    """The results of one part, in a process of its own."""
    command = [sys.executable, __file__, "--part", name, "--work", str(work), *sys.argv[1:]]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=False, timeout=options.timeout
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if not lines or done.returncode:
        print(f"{name}: exit {done.returncode}\n{done.stdout[-3000:]}", flush=True)
    return [json.loads(line.removeprefix("RESULT ")) for line in lines]


def main() -> None:
    """Run the parts and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--recipe", default="quickstart")
    parser.add_argument("-n", "--count", type=int, default=2000)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--skip", default="", help="parts to leave out, with commas")
    parser.add_argument("--timeout", type=float, default=1800.0)
    parser.add_argument("--part")
    parser.add_argument("--work", type=Path)
    options = parser.parse_args()
    if options.part:
        work_of(options)
        return
    with tempfile.TemporaryDirectory() as folder:
        results = []
        for name in ("pipeline", "generate", "no prefix caching"):
            if name not in options.skip.split(","):
                results += part(options, Path(folder), name)
                show(options, results)


def work_of(options: argparse.Namespace) -> None:
    """One part, in this process."""
    if options.part == "pipeline":
        print("RESULT " + json.dumps(run(options, options.work)), flush=True)
    elif options.part == "generate":
        own_generate(options, options.work, ["generate", "no seed", "no schema"])
    else:
        own_generate(options, options.work, ["no prefix caching"])


def show(options: argparse.Namespace, results: list[dict[str, Any]]) -> None:
    """The table so far."""
    print(f"\n{options.model}, {options.recipe}, {options.count} draws")
    print(f"{'':20} {'requests':>9} {'tokens':>10} {'seconds':>8} {'tokens/s':>9} {'cached':>7}")
    rates = {}
    for one in results:
        rates[one["what"]] = one["tokens"] / one["seconds"]
        cached = one["cached"] / max(one["prompt_tokens"], 1)
        print(
            f"{one['what']:20} {one['requests']:9,} {one['tokens']:10,} {one['seconds']:8.1f}"
            f" {rates[one['what']]:9,.0f} {cached:7.0%}"
        )
        if "kept" in one:
            print(
                f"  kept {one['kept']:,} of {one['drawn']:,}; "
                f"{one['kept'] / one['seconds'] * 3600:,.0f} accepted records an hour of writing; "
                f"after the last answer {one['after']:.1f} s; all {one['whole']:.1f} s; "
                f"rejected most: {one['rejected']}"
            )
    if "generate" in rates and "pipeline" in rates:
        print(f"pipeline / generate: {rates['pipeline'] / rates['generate']:.3f}", flush=True)


if __name__ == "__main__":
    main()
