"""A bare loop over the openai client's ordinary `create`, on its aiohttp transport and uvloop.

COUNT CONCURRENCY PORT
"""

import asyncio
import json
import sys

try:
    import httpx2 as httpx
except ImportError:
    import httpx
from common import PROMPT, Clock
from openai import AsyncOpenAI, DefaultAioHttpClient

try:
    import uvloop

    uvloop.install()
except ImportError:
    pass

count, concurrency, port = map(int, sys.argv[1:4])


async def main():
    limits = httpx.Limits(
        max_connections=concurrency + 44, max_keepalive_connections=concurrency + 44
    )
    client = AsyncOpenAI(
        base_url=f"http://127.0.0.1:{port}/v1", api_key="x",
        http_client=DefaultAioHttpClient(limits=limits),
    )
    left = iter(range(count))

    async def worker():
        for i in left:
            messages = [{"role": "user", "content": PROMPT.format(i=i)}]
            reply = await client.chat.completions.create(model="mock", messages=messages)
            json.loads(reply.choices[0].message.content)

    await asyncio.gather(*(worker() for _ in range(concurrency)))


with Clock() as clock:
    asyncio.run(main())
clock.tell(count)
