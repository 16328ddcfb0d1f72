"""One endpoint's connections: bytes out, bytes in.

The `openai` package decides what is configured (address, key, organisation, project, headers,
query) and what an error is called; it builds no request here, because its own work on a request
costs ten times that of sending it (benchmarks/wire.py). Requests go through connections of the
endpoint's own, or through an aiohttp session where there is a proxy, a password or a redirect.
Knows no prompt and no retry.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.request import getproxies, proxy_bypass

import httpx2
import openai
import yarl
from openai import AsyncOpenAI

from generator.errors import LLMError
from generator.llm.connection import Answer
from generator.llm.connections import Connections, NotConnectedError

if TYPE_CHECKING:
    from generator.llm.session import Session

_SECRET = re.compile("auth|key|token|secret|cookie|password", re.IGNORECASE)
_SHORTEST_KEY = 6  # "none" and the like are words
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_ERRORS: dict[int, type[openai.APIStatusError]] = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    409: openai.ConflictError,
    422: openai.UnprocessableEntityError,
    429: openai.RateLimitError,
}


class Reply(NamedTuple):
    """An answer of status 200 to 299: its bytes, and its headers by lower-case names."""

    content: bytes
    headers: Mapping[str, str]


class Wire:
    """Sends bodies to `{base_url}/chat/completions`. Opens nothing before the first of them.

    `client` holds what is configured. Loopback replies come uncompressed.
    """

    def __init__(self, client: AsyncOpenAI, *, timeout_s: float) -> None:
        base, query = _parted(str(client.base_url))
        self._url = _chat_url(base, {**query, **client.default_query})
        self._headers = _headers(client, loopback=base.host in {"127.0.0.1", "::1", "localhost"})
        self._head = _head(self._url, self._headers)
        self._secrets = _secrets(client, self._headers)
        self._proxy = _proxy(base)
        self._is_direct = self._proxy is None and base.user is None
        self._timeout_s = timeout_s
        self._request = httpx2.Request("POST", str(self._url))  # errors name it
        self._connections: Connections | None = None
        self._session: Session | None = None
        self.place = str(base).rstrip("/")

    async def post(self, body: bytes) -> Reply:
        """Send one request. Raises openai.APIStatusError or openai.APIConnectionError."""
        try:
            answer = await (self._send(body) if self._is_direct else self._go_round(body))
            if answer.status in _REDIRECTS and self._is_direct:
                answer = await self._go_round(body)
        except TimeoutError as exc:
            raise openai.APITimeoutError(self._request) from exc
        except OSError as exc:
            raise openai.APIConnectionError(request=self._request) from exc
        if 200 <= answer.status < 300:
            return Reply(answer.content, answer.headers)
        raise self._error(answer)

    async def get(self, url: str) -> str | None:
        """The text at an address of the same server, without the key; None where there is none."""
        return await self._opened_session().get(url)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._connections is not None:
            await self._connections.aclose()
        if self._session is not None:
            await self._session.aclose()

    async def _send(self, body: bytes) -> Answer:
        connections = self._connections or self._open()
        length = b"Content-Length: %d\r\n\r\n" % len(body)
        return await connections.exchange(self._head + length + body, self._timeout_s)

    async def _go_round(self, body: bytes) -> Answer:
        return await self._opened_session().post(self._url, body)

    def _open(self) -> Connections:
        host, port = self._url.raw_host, self._url.port
        if not host or port is None or self._url.scheme not in {"http", "https"}:
            message = f"{self.place} is no address of an HTTP server"
            raise NotConnectedError(message)
        self._connections = Connections(host, port, self._secure())
        return self._connections

    def _opened_session(self) -> Session:
        if self._session is None:
            from generator.llm.session import Session  # noqa: PLC0415 - seldom needed

            self._session = Session(self._headers, self._proxy, self._secure(), self._timeout_s)
        return self._session

    def _secure(self) -> ssl.SSLContext | None:
        return _ssl_context() if self._url.scheme == "https" else None

    def _error(self, answer: Answer) -> Exception:
        """The package's error for a status; its text is the server's message."""
        status, headers, content = answer
        text = self._without_keys(content.decode("utf-8", "replace").strip())
        message, body = text[:2000] or f"Error code: {status}", _json(text)
        data = body.get("error", body) if isinstance(body, dict) else None
        if isinstance(data, dict) and isinstance(data.get("message"), str):
            message = data["message"]
        kept = [(k, v) for k, v in headers.items() if k.lower() != "content-encoding"]
        response = httpx2.Response(status, headers=kept, content=text, request=self._request)
        kind = _ERRORS.get(status, openai.InternalServerError if status >= 500 else None)
        return (kind or openai.APIStatusError)(message, response=response, body=data)

    def _without_keys(self, text: str) -> str:
        """A server may repeat what it was sent; an error goes to the journal and into files."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _parted(base_url: str) -> tuple[yarl.URL, Mapping[str, str]]:
    """An address, and the query that stands in it (as Azure's `api-version` does).

    The `openai` package ends addresses with a slash, and puts it behind a query.
    """
    url = yarl.URL(base_url)
    return url.with_query(None), yarl.URL.build(query_string=url.query_string.rstrip("/")).query


def _chat_url(base: yarl.URL, query: Mapping[str, object]) -> yarl.URL:
    return (base / "chat/completions").update_query({k: str(v) for k, v in query.items()})


def _head(url: yarl.URL, headers: Mapping[str, str]) -> bytes:
    """A request's first lines, but for its length. Raises LLMError."""
    host = url.raw_host or ""
    host = f"[{host}]" if ":" in host else host
    where = host if url.is_default_port() else f"{host}:{url.port}"
    lines = [f"POST {url.raw_path_qs} HTTP/1.1"]
    names = {name.lower() for name in headers}
    lines += [] if "host" in names else [f"Host: {where}"]
    for name, value in headers.items():
        if not name.isascii() or {"\r", "\n", "\0"} & {*name, *value}:
            raise LLMError(f"the header {name!r} cannot be sent", hint="see llm.headers")
        lines.append(f"{name}: {value}")
    return "\r\n".join([*lines, ""]).encode()


def _headers(client: AsyncOpenAI, *, loopback: bool) -> dict[str, str]:
    found: dict[str, Any] = {**client.auth_headers, **client.default_headers}
    found.setdefault("Accept-Encoding", "identity" if loopback else "gzip, deflate")
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _secrets(client: AsyncOpenAI, headers: Mapping[str, str]) -> list[str]:
    """The key, and what stands in headers that may hold one, the longest first."""
    kept = {value for name, value in headers.items() if _SECRET.search(name)}
    found = {client.api_key, *kept, *(value.rpartition(" ")[2] for value in kept)}
    return sorted((text for text in found if len(text) >= _SHORTEST_KEY), key=len, reverse=True)


def _proxy(url: yarl.URL) -> str | None:
    """The proxy that HTTP_PROXY and its like name for a host, once and not for each request."""
    proxies = getproxies()
    if not url.host or proxy_bypass(url.host):
        return None
    return proxies.get(url.scheme) or proxies.get("all")


def _ssl_context() -> ssl.SSLContext:
    """The system's certificates and certifi's: a slim container has only the latter."""
    import certifi  # noqa: PLC0415 - of no use without TLS

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
