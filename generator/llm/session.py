"""The general way to a server, through aiohttp: proxies, passwords in an address, redirects."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

import aiohttp
import yarl

from generator.llm.connection import Answer
from generator.llm.connections import CONNECT_TIMEOUT_S, NotConnectedError

_KEEPALIVE_S = 60.0
_REPEATED = frozenset({301, 302, 307, 308})
_MOST_REDIRECTS = 10
# What a server is told that the user has not named: any other header may hold a key.
_PUBLIC = frozenset({"accept", "accept-encoding", "content-type", "user-agent"})
_KEYS = frozenset({"authorization", "api-key"})


class Session:
    """Sends to any address what a `Connection` cannot. Opens nothing before the first request."""

    def __init__(
        self,
        headers: Mapping[str, str],
        proxy: str | None,
        secure: ssl.SSLContext | None,
        timeout_s: float,
    ) -> None:
        # How many are open at once is the gate's decision; a closed one is not waited for.
        connector = aiohttp.TCPConnector(
            limit=0, keepalive_timeout=_KEEPALIVE_S, ssl=True if secure is None else secure
        )
        connect_s = min(timeout_s, CONNECT_TIMEOUT_S)
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=timeout_s, connect=None, sock_connect=connect_s),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._headers, self._proxy = headers, proxy

    async def post(self, url: yarl.URL, body: bytes) -> Answer:
        """Send a body, on to where it is sent from there. Raises TimeoutError or OSError.

        Another server than the one that was named is told no key.
        """
        first, headers = url, self._headers
        for _ in range(_MOST_REDIRECTS):
            answer = await self._posted(url, body, headers)
            if answer.status not in _REPEATED or "location" not in answer.headers:
                return answer
            url = url.join(yarl.URL(answer.headers["location"]))
            headers = self._headers if _is_same(first, url) else _only(_PUBLIC, self._headers)
        raise ConnectionError(f"more than {_MOST_REDIRECTS} redirects")

    async def _posted(self, url: yarl.URL, body: bytes, headers: Mapping[str, str]) -> Answer:
        asking = self._session.post(
            url, data=body, proxy=self._proxy, headers=headers, allow_redirects=False
        )
        try:
            async with asking as reply:
                content = await reply.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as exc:
            raise NotConnectedError(str(exc)) from exc
        except aiohttp.ClientError as exc:
            raise ConnectionError(str(exc) or type(exc).__name__) from exc
        found = {name.lower(): value for name, value in reply.headers.items()}
        return Answer(reply.status, found, content)

    async def get(self, url: str) -> str | None:
        """The text at an address of the same server, without the key; None where there is none."""
        try:
            bare = {k: v for k, v in self._headers.items() if k.lower() not in _KEYS}
            asking = self._session.get(url, proxy=self._proxy, headers=bare, allow_redirects=False)
            async with asking as reply:
                return await reply.text(errors="replace") if reply.status == 200 else None
        except (TimeoutError, aiohttp.ClientError, OSError):
            return None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._session.close()


def _is_same(named: yarl.URL, url: yarl.URL) -> bool:
    """Whether an address is on the server that was named, or the same with TLS."""
    secured = (named.host, named.scheme, url.scheme) == (url.host, "http", "https")
    return named.origin() == url.origin() or (
        secured and named.is_default_port() and url.is_default_port()
    )


def _only(names: frozenset[str], headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() in names}
