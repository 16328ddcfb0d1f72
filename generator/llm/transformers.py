"""A model on this machine, through `transformers`: the embedded default and other small ones.

One worker thread owns the model; `complete` queues its prompt and waits. The worker keeps a batch
going (see `decoding`): a row that is finished gives its place to a prompt that waits. An answer's
random stream depends on its prompt's seed alone; who else is in the batch may change the last bits
of the logits.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from random import Random
from threading import Thread
from typing import TYPE_CHECKING, Any

from generator.errors import LLMError, RequestFailed
from generator.llm.threads import ThreadChooser
from generator.llm.weights import EMBEDDED, find_weights, load, require_packages
from generator.records import Completion, Message, Prompt

if TYPE_CHECKING:
    from generator.llm.attention import Head
    from generator.llm.decoding import Row

_HEADS = 32  # shared heads kept; a head of 600 tokens of the embedded model is 27 MB
_SEEN = 10_000  # heads remembered by name: one that comes again is worth keeping
_PREFILL = 4096  # tokens of new rows computed at once


@dataclass(eq=False, slots=True)
class _Request:
    prompt: Prompt
    answer: Future[Completion] = field(default_factory=Future)
    arrived: float = field(default_factory=time.monotonic)
    row: Row | None = None


class TransformersLLM:
    """Answers prompts with a model in this process; see `weights.find_weights` for its names.

    `device` is a torch device; a CUDA device is taken when there is one. Sampling looks at the 64
    likeliest tokens. A prompt's schema constrains its answer, token by token (xgrammar); without
    one the answer is free text. Raises MissingExtra and LLMError; the weights load with the first
    request (about 15 s for the embedded model on a CPU).
    """

    def __init__(
        self, model: str = EMBEDDED, *, batch_size: int = 64, device: str | None = None
    ) -> None:
        require_packages()
        self._weights = find_weights(model)
        self._device = device
        self._batch_size = batch_size
        self._queue: SimpleQueue[_Request | None] = SimpleQueue()
        self._worker: Thread | None = None
        self._failure: Exception | None = None

    @property
    def concurrency(self) -> int:
        """Prompts to keep in flight: a full batch, and enough waiting to keep it full."""
        return 4 * self._batch_size

    async def complete(self, prompt: Prompt) -> Completion:
        """The answer to one prompt. Raises LLMError or RequestFailed."""
        if self._worker is None:
            self._worker = Thread(target=self._work, name="trine-transformers", daemon=True)
            self._worker.start()
        request = _Request(prompt)
        self._queue.put(request)
        if self._failure is not None:  # set before the queue was emptied for the last time
            raise self._failure
        return await asyncio.wrap_future(request.answer)

    async def aclose(self) -> None:
        """Stop the worker and free the model; requests in flight are cancelled."""
        if self._worker is not None:
            self._queue.put(None)
            await asyncio.to_thread(self._worker.join)

    def _work(self) -> None:
        waiting: list[_Request] = []
        running: list[_Request] = []
        try:
            engine = _Engine(*self._load(), batch_size=self._batch_size)
            while self._receive(waiting, idle=not running and not waiting):
                engine.admit(waiting, running)
                engine.step(running)
            engine.close()
        except Exception as error:  # noqa: BLE001  raised where the answers are awaited
            self._failure = _explained(error)
            self._receive(waiting, idle=False)
        for request in (*waiting, *running):
            if self._failure is None:
                request.answer.cancel()
            elif not request.answer.done():
                request.answer.set_exception(self._failure)

    def _load(self) -> tuple[Any, Any]:
        import torch  # noqa: PLC0415

        from generator.llm.attention import ATTENTION  # noqa: PLC0415

        device = self._device or ("cuda" if torch.cuda.is_available() else "cpu")
        return load(self._weights, device=device, attention=ATTENTION)

    def _receive(self, waiting: list[_Request], *, idle: bool) -> bool:
        """Move what has come to `waiting`, blocking when `idle`. False: stop."""
        while True:
            try:
                request = self._queue.get(block=idle)
            except Empty:
                return True
            if request is None:
                return False
            if idle:
                time.sleep(0.02)  # the others of the first batch are on their way
            idle = False
            waiting.append(request)


class _Engine:
    """Requests to rows and back: chat template, tokens, grammars, shared heads."""

    def __init__(self, model: Any, tokenizer: Any, *, batch_size: int) -> None:
        import torch  # noqa: PLC0415
        import xgrammar  # noqa: PLC0415

        from generator.llm.decoding import Decoder  # noqa: PLC0415

        self._tokenizer = tokenizer
        self._context: int = model.config.max_position_embeddings
        ends = model.generation_config.eos_token_id
        stop = {tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])} - {None}
        self._decoder = Decoder(model, stop=frozenset(stop), batch_size=batch_size)
        info = xgrammar.TokenizerInfo.from_huggingface(
            tokenizer, vocab_size=model.config.vocab_size, stop_token_ids=sorted(stop)
        )
        self._compiler = xgrammar.GrammarCompiler(info)  # keeps what it compiled
        self._heads: OrderedDict[str, Head] = OrderedDict()
        most = torch.get_num_threads() if model.device.type == "cpu" else 1
        self._threads = ThreadChooser(most, torch.set_num_threads)
        self._seen: Counter[str] = Counter()  # how often each head was asked with

    def admit(self, waiting: list[_Request], running: list[_Request]) -> None:
        """Start as many waiting requests as there is room for, a few at a time."""
        size = self._decoder.batch_size
        free = size - len(running)
        if not waiting or (running and free < max(1, size // 8)):
            return
        chosen = [request for request in waiting[:free] if not request.answer.cancelled()]
        rendered = [self._render(request.prompt) for request in chosen]
        self._seen.update(head for head, _ in rendered)
        if len(self._seen) > _SEEN:
            self._seen.clear()
        pairs: list[tuple[_Request, Row]] = []
        for request, (head, tail) in zip(chosen, rendered, strict=True):
            try:
                row = self._row(request.prompt, head, tail, share=self._seen[head] > 1)
            except RequestFailed as error:
                request.answer.set_exception(error)
            else:
                pairs.append((request, row))
        pairs.sort(key=lambda pair: len(pair[1].tokens))
        for chunk in _chunks(pairs):
            self._decoder.add([row for _, row in chunk])
            for request, row in chunk:
                request.row = row
                running.append(request)
        del waiting[:free]  # last: a failure before this still finds them

    def step(self, running: list[_Request]) -> None:
        """Answer what is finished, forget what was cancelled, sample a token for the rest."""
        gone = [r for r in running if r.answer.cancelled() or (r.row and r.row.finish_reason)]
        for request in gone:
            row = request.row
            assert row is not None  # noqa: S101
            self._decoder.drop([row])
            if not request.answer.cancelled():
                with suppress(InvalidStateError):  # cancelled this very moment
                    request.answer.set_result(self._completion(request, row))
        if gone:
            running[:] = [request for request in running if request not in gone]
        elif running:
            self._threads.run(self._decoder.step)

    def close(self) -> None:
        """Leave PyTorch's threads as they were."""
        self._threads.close()

    def _completion(self, request: _Request, row: Row) -> Completion:
        return Completion(
            text=row.lead + self._tokenizer.decode(row.out, skip_special_tokens=True),
            finish_reason=row.finish_reason,
            prompt_tokens=row.head.length + len(row.tokens),
            completion_tokens=len(row.out),
            latency_s=time.monotonic() - request.arrived,
        )

    def _render(self, prompt: Prompt) -> tuple[str, str]:
        """The text of all turns but the last, and the rest with the start of the answer."""
        whole = self._template(prompt.messages, answer=True)
        head = self._template(prompt.messages[:-1], answer=False) if prompt.messages[1:] else ""
        return (head, whole[len(head) :]) if whole.startswith(head) else ("", whole)

    def _template(self, messages: tuple[Message, ...], *, answer: bool) -> str:
        turns = [{"role": message.role, "content": message.content} for message in messages]
        text: str = self._tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=answer
        )
        return text

    def _tokens(self, text: str) -> list[int]:
        tokens: list[int] = self._tokenizer(text, add_special_tokens=False).input_ids
        return tokens

    def _row(self, prompt: Prompt, head: str, tail: str, *, share: bool) -> Row:
        from generator.llm.decoding import Row  # noqa: PLC0415

        matcher, lead = self._matcher(prompt.schema) if prompt.schema else (None, "")
        shared = self._head(head, share=share)
        tokens = self._tokens(tail if shared.length else head + tail) + self._tokens(lead)
        params = prompt.params
        if shared.length + len(tokens) + params.max_tokens > self._context:
            raise RequestFailed(
                "prompt_too_long",
                f"{shared.length + len(tokens)} tokens and an answer of {params.max_tokens} are "
                f"more than the model's {self._context}",
            )
        return Row(
            head=shared,
            tokens=tokens,
            lead=lead,
            temperature=params.temperature,
            top_p=params.top_p,
            max_tokens=params.max_tokens,
            random=Random(params.seed),  # noqa: S311
            matcher=matcher,
        )

    def _matcher(self, schema: str) -> tuple[Any, str]:
        """A matcher of the schema's grammar, and the text it had to begin with."""
        import xgrammar  # noqa: PLC0415

        try:
            grammar = self._compiler.compile_json_schema(schema, any_whitespace=False)
        except RuntimeError as error:
            raise LLMError(
                f"the reply's schema cannot be made a grammar: {error}",
                hint="see the reply of this step in tasks.yaml",
            ) from error
        matcher = xgrammar.GrammarMatcher(grammar, terminate_without_stop_token=True)
        lead: str = matcher.find_jump_forward_string()
        if not matcher.accept_string(lead) or matcher.is_terminated():
            return xgrammar.GrammarMatcher(grammar, terminate_without_stop_token=True), ""
        return matcher, lead

    def _head(self, text: str, *, share: bool) -> Head:
        """Keys and values of a head: kept ones, or computed when requests `share` it."""
        from generator.llm.attention import Head  # noqa: PLC0415

        if text in self._heads:
            self._heads.move_to_end(text)
            return self._heads[text]
        if not share or not text:
            return Head()
        self._heads[text] = self._decoder.head(self._tokens(text))
        if len(self._heads) > _HEADS:
            self._heads.popitem(last=False)
        return self._heads[text]


def _chunks(pairs: list[tuple[_Request, Row]]) -> Iterator[list[tuple[_Request, Row]]]:
    """Runs of similar length (little padding), of at most _PREFILL tokens where possible."""
    chunk: list[tuple[_Request, Row]] = []
    for pair in pairs:
        size = len(pair[1].tokens)
        if chunk and (
            size > 1.5 * len(chunk[0][1].tokens) + 8 or size * (len(chunk) + 1) > _PREFILL
        ):
            yield chunk
            chunk = []
        chunk.append(pair)
    if chunk:
        yield chunk


def _explained(error: Exception) -> Exception:
    import torch  # noqa: PLC0415

    if isinstance(error, torch.OutOfMemoryError):
        return LLMError("the model does not fit into the device's memory", hint="a smaller batch")
    return error
