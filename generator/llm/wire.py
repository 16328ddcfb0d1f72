"""One endpoint's connections: bytes out, bytes in, on an aiohttp session of its own.

The `openai` package decides what is configured (address, key, organisation, project, headers,
query) and what an error is called; it builds no request here, because its own work on a request
costs several times that of sending it (benchmarks/wire.py). Knows no prompt and no retry.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx2
import openai
import yarl
from openai import AsyncOpenAI

CONNECT_TIMEOUT_S = 5.0
_KEEPALIVE_S = 60.0
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
    """An answer of status 200 to 299: its bytes, decompressed, and its headers."""

    content: bytes
    headers: Mapping[str, str]


class Wire:
    """Sends bodies to `{base_url}/chat/completions`. Opens nothing before the first of them.

    `client` holds what is configured. Loopback replies come uncompressed.
    """

    def __init__(self, client: AsyncOpenAI, *, timeout_s: float) -> None:
        base = yarl.URL(str(client.base_url))
        self._url = _chat_url(base, client.default_query)
        self._headers = _headers(client, loopback=base.host in {"127.0.0.1", "::1", "localhost"})
        self._proxy = _proxy(base)
        self._timeout = aiohttp.ClientTimeout(
            total=timeout_s, connect=None, sock_connect=min(timeout_s, CONNECT_TIMEOUT_S)
        )
        self._request = httpx2.Request("POST", str(self._url))  # errors name it
        self._session: aiohttp.ClientSession | None = None
        self.place = str(base).rstrip("/")

    async def post(self, body: bytes) -> Reply:
        """Send one request. Raises openai.APIStatusError or openai.APIConnectionError."""
        session = self._session or self._open()
        try:
            async with session.post(self._url, data=body, proxy=self._proxy) as reply:
                content = await reply.read()
        except TimeoutError as exc:
            raise openai.APITimeoutError(self._request) from exc
        except (aiohttp.ClientError, OSError) as exc:
            raise openai.APIConnectionError(request=self._request) from exc
        if 200 <= reply.status < 300:
            return Reply(content, reply.headers)
        raise self._error(reply.status, reply.headers, content)

    async def get(self, url: str) -> str | None:
        """The text at an address of the same server, without the key; None where there is none."""
        session = self._session or self._open()
        try:
            bare = dict.fromkeys(("Authorization", "api-key"), "")
            async with session.get(url, proxy=self._proxy, headers=bare) as reply:
                return await reply.text(errors="replace") if reply.status == 200 else None
        except (TimeoutError, aiohttp.ClientError, OSError):
            return None

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        # How many are open at once is the gate's decision; a closed one is not waited for.
        secure = _ssl_context() if self._url.scheme == "https" else True
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE_S, ssl=secure)
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers=self._headers,
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self._session

    def _error(self, status: int, headers: Mapping[str, str], content: bytes) -> Exception:
        """The package's error for a status; its text is the server's message."""
        text = content.decode("utf-8", "replace").strip()
        message, body = text[:2000] or f"Error code: {status}", _json(text)
        data = body.get("error", body) if isinstance(body, dict) else None
        if isinstance(data, dict) and isinstance(data.get("message"), str):
            message = data["message"]
        kept = [(k, v) for k, v in headers.items() if k.lower() != "content-encoding"]
        response = httpx2.Response(status, headers=kept, content=content, request=self._request)
        kind = _ERRORS.get(status, openai.InternalServerError if status >= 500 else None)
        return (kind or openai.APIStatusError)(message, response=response, body=data)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _chat_url(base: yarl.URL, query: Mapping[str, object]) -> yarl.URL:
    return (base / "chat/completions").update_query({k: str(v) for k, v in query.items()})


def _headers(client: AsyncOpenAI, *, loopback: bool) -> dict[str, str]:
    found: dict[str, Any] = {**client.auth_headers, **client.default_headers}
    found.setdefault("Accept-Encoding", "identity" if loopback else "gzip, deflate")
    return {name: value for name, value in found.items() if isinstance(value, str)}


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
