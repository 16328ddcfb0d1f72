"""vLLM's own interfaces, all in one place: what changes with its versions is changed here.

Runs with vLLM 0.24 (CUDA) and 0.32 (CPU build). `vllm` is imported with the first call.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from generator.errors import LLMError
from generator.llm.loops import EVERY, LOOPS, SPAN, loops
from generator.modelconfig import VllmConfig
from generator.records import Params

CPU_KV_CACHE_BYTES = 2 << 30
"""Where nothing is said: vLLM would reserve 92 % of a machine's memory, or refuse to start."""

_APART = frozenset({"chat_template_kwargs"})  # keys of a request's body that are no sampling


def engine_config(model: str, options: VllmConfig) -> Any:
    """The engine's resolved configuration; starts nothing. Raises LLMError and vLLM's own errors.

    Its defaults for offline work are taken: they allow more rows and tokens a step than a
    server's.
    """
    from vllm.engine.arg_utils import AsyncEngineArgs  # noqa: PLC0415
    from vllm.usage.usage_lib import UsageContext  # noqa: PLC0415

    unknown = sorted(options.engine_args.keys() - {field.name for field in fields(AsyncEngineArgs)})
    if unknown:
        raise LLMError(
            f"vLLM's engine has no argument {', '.join(unknown)}",
            hint="vllm serve --help lists them; write _ for -",
        )
    arguments = {"stream_interval": EVERY, **engine_arguments(model, options)}
    return AsyncEngineArgs(**arguments).create_engine_config(UsageContext.LLM_CLASS)


def engine_arguments(model: str, options: VllmConfig) -> dict[str, Any]:
    """The arguments of an engine, as `EngineArgs` and `LLM` name them."""
    from vllm.config import StructuredOutputsConfig  # noqa: PLC0415

    # No blanks between the fields of a reply: they are tokens too.
    outputs = StructuredOutputsConfig(backend="xgrammar", disable_any_whitespace=True)
    return {
        "model": model,
        "structured_outputs_config": outputs,
        "disable_log_stats": True,
        "use_tqdm_on_load": False,
        **_given(options),
        **options.engine_args,
    }


def _given(options: VllmConfig) -> dict[str, Any]:
    """The options that are set, and what suits a CPU where they are not."""
    from vllm.platforms import current_platform  # noqa: PLC0415

    given = {key: value for key, value in options if value is not None and key != "engine_args"}
    if current_platform.is_cpu():
        given.setdefault("enforce_eager", True)  # compiling takes minutes
        # Half of a prompt with a seed would end the engine: "CPU Generator does not use offset".
        given.setdefault("enable_chunked_prefill", False)
        if "gpu_memory_utilization" not in given:
            given.setdefault("kv_cache_memory_bytes", CPU_KV_CACHE_BYTES)
    return given


def start_engine(config: Any) -> Any:
    """The asynchronous engine; it works in processes of its own. Raises what vLLM raises."""
    from vllm.v1.engine.async_llm import AsyncLLM  # noqa: PLC0415

    return AsyncLLM.from_vllm_config(config, disable_log_stats=True)


async def stop_engine(engine: Any) -> None:
    """End the engine's processes. What reads from them ends first: it would report their death."""
    reader = getattr(engine, "output_handler", None)
    if reader is not None:
        reader.cancel()
    await asyncio.to_thread(engine.shutdown)


def is_dead(error: Exception) -> bool:
    """Whether an error means that the engine is gone, not only one request."""
    from vllm.v1.engine.exceptions import EngineDeadError  # noqa: PLC0415

    return isinstance(error, EngineDeadError)


def is_refused(error: Exception) -> bool:
    """Whether an error is about one request; `VLLMClientError` came after 0.24."""
    from vllm import exceptions  # noqa: PLC0415

    return isinstance(error, (ValueError, getattr(exceptions, "VLLMClientError", ValueError)))


def prompt_of(tokens: list[int]) -> Any:
    """A prompt as the engine's own renderer makes it: others go through a thread, one by one."""
    from vllm.inputs import tokens_input  # noqa: PLC0415

    return tokens_input(tokens)


@dataclass(slots=True)
class Answer:
    """What the engine said: tokens, and text where it searched for stop words."""

    tokens: list[int]
    text: str = ""
    finish_reason: str = ""
    cached: int = 0


async def answer(outputs: AsyncGenerator[Any]) -> Answer:
    """One request's answer, ended as soon as it loops. Raises what the engine raises."""
    said = Answer([])
    async with aclosing(outputs):  # which ends the request where it is left
        async for output in outputs:
            part = output.outputs[0]
            said.tokens += part.token_ids
            said.text += part.text
            said.cached = output.num_cached_tokens or said.cached
            said.finish_reason = part.finish_reason or (LOOPS if loops(said.tokens) else "")
            if said.finish_reason:
                break
    return said


def sampling(params: Params, schema: str) -> Any:
    """How a request is sampled; long answers come in parts, as tokens where no text is searched.

    Raises LLMError for a key of `llm.extra_body` that vLLM does not sample by.
    """
    from vllm.sampling_params import (  # noqa: PLC0415
        RequestOutputKind,
        SamplingParams,
        StructuredOutputsParams,
    )

    may_loop = params.max_tokens > SPAN
    options: dict[str, Any] = {
        "temperature": params.temperature,
        "top_p": params.top_p,
        "max_tokens": params.max_tokens,
        "seed": params.seed,
        "stop": list(params.stop),
        "detokenize": bool(params.stop),
        "output_kind": RequestOutputKind.DELTA if may_loop else RequestOutputKind.FINAL_ONLY,
        "skip_clone": True,  # each is used once
        **more_of_body(params.extra),
    }
    options = {
        key: value for key, value in options.items() if value is not None and key not in _APART
    }
    if schema:
        options["structured_outputs"] = StructuredOutputsParams(json=schema)
    try:
        return SamplingParams(**options)
    except (TypeError, ValueError) as error:
        raise LLMError(
            f"vLLM cannot sample so: {error}", hint="see llm.extra_body, llm.temperature, llm.top_p"
        ) from error


@cache
def more_of_body(text: str) -> dict[str, Any]:
    """`Params.extra` as a mapping."""
    found: dict[str, Any] = json.loads(text or "{}")
    return found
