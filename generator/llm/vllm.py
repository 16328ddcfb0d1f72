"""A model in vLLM, on this machine's GPUs or CPU: no server, no wire.

The asynchronous engine computes in processes of its own; prompts go to it as tokens, answers come
back as tokens, so that the run's own work never keeps a step waiting. Four times as many requests
as a step has rows are in flight: a row that ends, early or late, is filled from those that wait. An
answer's random stream depends on its prompt's seed alone; who else is in a step may change the
last bits of the logits.
"""

from __future__ import annotations

import asyncio
import importlib.util
import multiprocessing
import re
import time
from contextlib import suppress
from itertools import count
from typing import Any

from generator.config import cache_folder, hush_engines
from generator.errors import LLMError, MissingExtra, RequestFailed
from generator.llm import vllm_engine
from generator.llm.converted import as_folder
from generator.llm.encoding import Encoder
from generator.llm.enginelog import EngineLog
from generator.llm.lifeline import Lifeline
from generator.llm.loops import LOOPS
from generator.llm.reasoning import without_thinking
from generator.llm.vllm_engine import Answer
from generator.llm.vllm_errors import explained
from generator.llm.weights import EMBEDDED, find_weights
from generator.modelconfig import VllmConfig
from generator.records import Completion, Prompt

# Requests a row: one that runs, one that waits, and as many again because a brainstorming call runs
# longest, and until it ends its twenty draws send nothing. With 2 a fifth of the rows idled.
_IN_FLIGHT = 4
_ANSWERED = frozenset({"stop", "length", LOOPS})
_SCHEMA = re.compile("grammar|schema|structured", re.IGNORECASE)


class VllmLLM:
    """Answers prompts with a model in vLLM; see `weights.find_weights` for its names.

    The configuration is checked here, the weights load with the first request. A prompt's schema
    constrains its answer unless `structured` is false. Raises MissingExtra and LLMError.
    """

    def __init__(
        self,
        model: str = EMBEDDED,
        options: VllmConfig | None = None,
        *,
        structured: bool = True,
        concurrency: int | None = None,
    ) -> None:
        if importlib.util.find_spec("vllm") is None:
            raise MissingExtra("vllm", "vllm")
        self._model, self._structured = model, structured
        self._log = EngineLog(hidden=hush_engines())
        self._config = self._resolved(options or VllmConfig())
        self._context: int = self._config.model_config.max_model_len
        rows = self._config.scheduler_config.max_num_seqs
        rows *= self._config.parallel_config.data_parallel_size
        self.concurrency: int = concurrency or _IN_FLIGHT * rows
        self._engine: asyncio.Future[Any] | None = None
        self._encoder: Encoder | None = None
        self._lifeline: Lifeline | None = None
        self._others = set(multiprocessing.active_children())
        self._numbers = count()

    def _resolved(self, options: VllmConfig) -> Any:
        weights = find_weights(self._model)
        try:
            with self._log.taken():
                folder = as_folder(weights, cache_folder())
                return vllm_engine.engine_config(folder, options)
        except LLMError:
            raise
        except Exception as error:  # vLLM raises whatever its parts raise
            raise explained(f"vLLM cannot run {self._model}", str(error)) from error

    async def complete(self, prompt: Prompt) -> Completion:
        """The answer to one prompt. Raises LLMError or RequestFailed."""
        engine = await self._started()
        begun = time.perf_counter()
        tokenizer = engine.get_tokenizer()
        tokens = await self._tokens(tokenizer, prompt)
        if len(tokens) >= self._context:
            raise RequestFailed(
                "prompt_too_long",
                f"{len(tokens)} tokens leave no room for an answer: the model's context is "
                f"{self._context} (llm.vllm.max_model_len)",
            )
        answer = await self._answer(engine, tokens, prompt)
        if answer.finish_reason not in _ANSWERED:
            raise RequestFailed(f"engine_{answer.finish_reason}", "the engine gave no answer")
        said = answer.text or tokenizer.decode(answer.tokens, skip_special_tokens=True)
        text, thought = without_thinking(said)
        return Completion(
            text=text,
            finish_reason=answer.finish_reason,
            prompt_tokens=len(tokens),
            completion_tokens=len(answer.tokens),
            latency_s=round(time.perf_counter() - begun, 4),
            cached_tokens=answer.cached,
            reasoning_tokens=round(thought * len(answer.tokens)),
        )

    async def _tokens(self, tokenizer: Any, prompt: Prompt) -> list[int]:
        """The prompt under the model's chat template, as vLLM's server makes it."""
        turns = [{"role": message.role, "content": message.content} for message in prompt.messages]
        options = vllm_engine.more_of_body(prompt.params.extra).get("chat_template_kwargs") or {}
        try:
            text = tokenizer.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=True, **options
            )
        except Exception as error:  # templates raise what they like
            raise LLMError(
                f"the chat template of {self._model} refuses the prompt: {error}",
                hint="an instruct model; see llm.system_prompt and llm.chat_template_kwargs",
            ) from error
        if self._encoder is None:
            self._encoder = Encoder(tokenizer)
        return await self._encoder.encode(text)

    async def _answer(self, engine: Any, tokens: list[int], prompt: Prompt) -> Answer:
        params = vllm_engine.sampling(prompt.params, prompt.schema if self._structured else "")
        number = str(next(self._numbers))
        outputs = engine.generate(vllm_engine.prompt_of(tokens), params, number)
        try:
            return await vllm_engine.answer(outputs)
        except Exception as error:
            raise self._meaning(error, prompt) from error

    def _meaning(self, error: Exception, prompt: Prompt) -> LLMError | RequestFailed:
        """What a failure of one request means for the run."""
        cause = _innermost(error)
        if vllm_engine.is_dead(error):
            return explained("vLLM's engine has died", self._log.cause() or str(error))
        if not vllm_engine.is_refused(error):  # nothing of this request: the next would fail too
            return explained("vLLM failed", f"{type(cause).__name__}: {cause}")
        if prompt.schema and _SCHEMA.search(str(cause)):
            return LLMError(
                f"the reply's schema cannot be made a grammar: {cause}",
                hint="see the reply of this step in tasks.yaml",
            )
        return RequestFailed("refused", str(cause)[:500])

    async def _started(self) -> Any:
        if self._engine is None:
            self._engine = asyncio.ensure_future(asyncio.to_thread(self._start))
        return await asyncio.shield(self._engine)

    def _start(self) -> Any:
        try:
            with self._log.taken():
                engine = vllm_engine.start_engine(self._config)
        except Exception as error:  # as above
            cause = self._log.cause() or str(error)
            raise explained(f"vLLM cannot start {self._model}", cause) from error
        self._lifeline = Lifeline(process.pid for process in self._processes() if process.pid)
        return engine

    def _processes(self) -> list[Any]:
        return [p for p in multiprocessing.active_children() if p not in self._others]

    async def aclose(self) -> None:
        """End the engine's processes; requests in flight are dropped."""
        if self._engine is not None:
            if not self._engine.done():  # it is loading: end that at once
                for process in self._processes():
                    process.terminate()
            with suppress(Exception):
                await vllm_engine.stop_engine(await self._engine)
            self._engine = None
        if self._lifeline is not None:
            self._lifeline.cut()
        self._log.close()


def _innermost(error: BaseException) -> BaseException:
    """The first of a chain of errors."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error
