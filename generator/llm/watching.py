"""Asks a server for its queue's depth now and then, where it is vLLM."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from generator.llm.endpoints import Endpoint
from generator.llm.queuedepth import read_depth

_FIRST_S, _EVERY_S = 0.25, 1.0
_FAST_LOOKS = 12
_MISSES = 3


def metrics_url(place: str) -> str:
    """`http://host:8000/v1` → `http://host:8000/metrics`."""
    return place.rstrip("/").removesuffix("/v1") + "/metrics"


async def watch(endpoint: Endpoint, changed: Callable[[], None]) -> None:
    """Tell the endpoint's window of every look; returns where the server has no such metrics."""
    url = metrics_url(endpoint.wire.place)
    looks = misses = 0
    while misses < _MISSES:
        depth = read_depth(await endpoint.wire.get(url))
        if depth is not None:
            misses = 0
            endpoint.window.depth(*depth)
            changed()
        elif endpoint.reached or looks:
            misses += 1
        looks += 1
        await asyncio.sleep(_FIRST_S if looks < _FAST_LOOKS else _EVERY_S)
    endpoint.window.depth_unknown()
