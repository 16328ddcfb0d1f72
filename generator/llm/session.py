"""The general way to a server, through aiohttp: proxies, passwords in an address, redirects."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

import aiohttp
import yarl

from generator.llm.connection import Answer
from generator.llm.connections import CONNECT_TIMEOUT_S, NotConnectedError

_KEEPALIVE_S = 60.0


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
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=timeout_s, connect=None, sock_connect=connect_s),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._proxy = proxy

    async def post(self, url: yarl.URL, body: bytes) -> Answer:
        """Send a body. Raises TimeoutError or OSError."""
        try:
            async with self._session.post(url, data=body, proxy=self._proxy) as reply:
                content = await reply.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as exc:
            raise NotConnectedError(str(exc)) from exc
        except aiohttp.ClientError as exc:
            raise ConnectionError(str(exc) or type(exc).__name__) from exc
        headers = {name.lower(): value for name, value in reply.headers.items()}
        return Answer(reply.status, headers, content)

    async def get(self, url: str) -> str | None:
        """The text at an address of the same server, without the key; None where there is none."""
        try:
            bare = dict.fromkeys(("Authorization", "api-key"), "")
            async with self._session.get(url, proxy=self._proxy, headers=bare) as reply:
                return await reply.text(errors="replace") if reply.status == 200 else None
        except (TimeoutError, aiohttp.ClientError, OSError):
            return None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._session.close()
