"""Any OpenAI-compatible server, or several: requests go through a gate, failures are repeated.

Transport failures repeat the same request, with `Retry-After` where the server sends it and
exponential waits with jitter otherwise; an outage and a rate limit are waited out. A request that
waits holds no place in flight, and where its server is away it goes to another one. What a server
refuses (`response_format`, `max_tokens`) it is not sent again. Knows no journal, no draw and no
parsing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import httpx2
import openai
from openai import AsyncOpenAI

from generator.errors import LLMError, RequestFailed, Unreachable
from generator.llm.addresses import Address
from generator.llm.base import Flow
from generator.llm.bodies import Dialect
from generator.llm.endpoints import Endpoint, Ticket
from generator.llm.expected import Expected
from generator.llm.failures import (
    FAILURES,
    is_away,
    is_transient,
    is_unconnected,
    meaning,
    retry_after_s,
)
from generator.llm.gate import Gate
from generator.llm.meters import Meters
from generator.llm.outcomes import learn_from_answer, learn_from_failure
from generator.llm.patience import Patience
from generator.llm.replies import read_reply
from generator.llm.watching import watch
from generator.llm.window import Window
from generator.llm.wire import Wire
from generator.records import Completion, Prompt

_OPENAI = "https://api.openai.com/"
# A server that asks for so long a wait is left alone by all requests, where there is another one;
# after a shorter one the refused request alone waits, as refusals at random do not mean much.
_LONG_WAIT_S = 2.0


class OpenAILLM:
    """An LLM behind `base_url`, or behind several `addresses`. No key ever shows in a repr.

    Raises LLMError for OpenAI's own address without a key.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        concurrency: int | None = None,
        addresses: Sequence[Address] = (),
        timeout_s: float = 120.0,
        max_retries: int = 6,
        structured: bool = True,
    ) -> None:
        self._endpoints = [
            _endpoint(address, timeout_s=timeout_s, structured=structured)
            for address in addresses or [Address(base_url, api_key, concurrency=concurrency)]
        ]
        self._gate = Gate(self._endpoints)
        self._expected = Expected()
        self._max_retries = max_retries
        self._watching: list[asyncio.Task[None]] | None = None

    def __repr__(self) -> str:
        places = ", ".join(repr(endpoint.wire.place) for endpoint in self._endpoints)
        return f"OpenAILLM({places})"

    @property
    def concurrency(self) -> int:
        """How many requests to have under way: those in flight, and some that wait to be again."""
        most = sum(endpoint.window.most for endpoint in self._endpoints)
        return most + -(-most // 4)

    @property
    def flow(self) -> Flow:
        """How many requests are in flight, may be, and wait."""
        windows = [endpoint.window for endpoint in self._endpoints if endpoint.health.is_well]
        return Flow(
            in_flight=sum(endpoint.window.in_flight for endpoint in self._endpoints),
            window=sum(window.size for window in windows),
            waiting=self._gate.waiting,
        )

    async def complete(self, prompt: Prompt) -> Completion:
        """The answer to one prompt. Raises LLMError or RequestFailed."""
        if self._watching is None:
            self._watch()
        patience = Patience(self._max_retries)
        tokens, again = self._expected.tokens(prompt), False
        while True:
            ticket = await self._gate.admit(tokens, again=again)
            body = ticket.endpoint.dialect.body(prompt)
            try:
                return await self._send(prompt, body, ticket)
            except FAILURES as exc:
                await self._wait(exc, body, ticket.endpoint, patience)
            again = True

    async def _send(self, prompt: Prompt, body: bytes, ticket: Ticket) -> Completion:
        try:
            reply = await ticket.endpoint.wire.post(body)
            now = time.monotonic()
            answer = read_reply(reply.content, now - ticket.sent_at)
        except FAILURES as exc:
            learn_from_failure(ticket, exc, time.monotonic())
            raise
        else:
            self._expected.learn(prompt, answer.completion_tokens)
            learn_from_answer(ticket, reply, answer, now)
            return answer
        finally:
            self._gate.leave(ticket)

    async def _wait(
        self, exc: Exception, body: bytes, endpoint: Endpoint, patience: Patience
    ) -> None:
        """Return when the request may be tried again. Raises what the failure means otherwise."""
        if isinstance(exc, openai.APIStatusError) and endpoint.dialect.learn(exc, body):
            return
        now = time.monotonic()
        others = [o for o in self._endpoints if o is not endpoint and o.health.is_well]
        if others and is_unconnected(exc):
            return  # it has not been asked of anybody
        wait_s = patience.wait_s(exc, now, reached=self._may_be_reached)
        if wait_s is None or not is_transient(exc):
            raise self._meaning(exc, endpoint) from exc
        if not any(other.left_alone_until <= now for other in others):
            await asyncio.sleep(wait_s)
        elif (retry_after_s(exc) or 0.0) >= _LONG_WAIT_S:
            endpoint.left_alone_until = max(endpoint.left_alone_until, now + wait_s)
        elif not is_away(exc):
            await asyncio.sleep(wait_s)

    @property
    def _may_be_reached(self) -> bool:
        """Whether any server has answered, or has not yet had the time to."""
        return any(endpoint.reached is not False for endpoint in self._endpoints)

    def _meaning(self, exc: Exception, endpoint: Endpoint) -> LLMError | RequestFailed:
        found = meaning(exc, endpoint.wire.place, reached=self._may_be_reached)
        all_away = not any(other.health.is_well for other in self._endpoints)
        if isinstance(found, RequestFailed) and is_away(exc) and all_away:
            return Unreachable(
                f"{endpoint.wire.place} is away: {found.detail}",
                hint="run the same command again when the server is back: answers are kept",
            )
        return found

    def _watch(self) -> None:
        self._watching = [
            asyncio.create_task(watch(endpoint, self._gate.look))
            for endpoint in self._endpoints
            if endpoint.window.is_found_out
        ]

    async def aclose(self) -> None:
        """Close the connections."""
        for task in self._watching or ():
            task.cancel()
        await asyncio.gather(*(self._watching or ()), return_exceptions=True)
        for endpoint in self._endpoints:
            await endpoint.wire.aclose()


def _endpoint(address: Address, *, timeout_s: float, structured: bool) -> Endpoint:
    client = AsyncOpenAI(
        api_key=address.api_key or "none",
        base_url=address.base_url,  # None: OPENAI_BASE_URL, else OpenAI's own
        default_headers=dict(address.headers),
        max_retries=0,
        timeout=timeout_s,
        http_client=httpx2.AsyncClient(trust_env=False),  # never used, so never set up
    )
    if address.api_key is None and str(client.base_url).startswith(_OPENAI):
        raise LLMError("no API key", hint="export OPENAI_API_KEY=… (or --set llm.base_url=…)")
    return Endpoint(
        wire=Wire(client, timeout_s=timeout_s),
        window=Window(address.concurrency),
        meters=Meters(address.rpm, address.tpm),
        dialect=Dialect(structured=structured),
        weight=address.weight,
    )
