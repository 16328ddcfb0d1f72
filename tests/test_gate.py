"""Who may send, when, and where to: one a turn, by weight, room, limits and health."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import pairwise

from openai import AsyncOpenAI

from generator.llm import health as healths
from generator.llm.bodies import Dialect
from generator.llm.endpoints import Endpoint, Ticket
from generator.llm.gate import Gate
from generator.llm.health import Health
from generator.llm.meters import Meters
from generator.llm.pace import Pace
from generator.llm.window import Window
from generator.llm.wire import Wire


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def endpoint(concurrency: int = 8, *, weight: float = 1.0, rpm: int | None = None) -> Endpoint:
    """An endpoint that is never called."""
    client = AsyncOpenAI(api_key="none", base_url="http://127.0.0.1:9/v1")
    wire = Wire(client, timeout_s=1.0)
    return Endpoint(wire, Window(concurrency), Meters(rpm), Dialect(), weight, pace=Pace(0.0))


async def turns(count: int = 50) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_one_request_a_turn_goes_out() -> None:
    """And no more than the window."""

    async def run() -> list[int]:
        gate = Gate([endpoint(5)])
        asking = [asyncio.create_task(gate.admit(1)) for _ in range(9)]
        counts = []
        for _ in range(12):
            await asyncio.sleep(0)
            counts.append(sum(task.done() for task in asking))
        assert gate.waiting == 4
        for task in asking:
            task.cancel()
        return counts

    counts = asyncio.run(run())
    assert max(after - before for before, after in pairwise(counts)) == 1
    assert counts[-1] == 5


def test_a_place_that_is_given_back_is_taken() -> None:
    """First come, first served; a request that was sent before goes first."""

    async def run() -> list[str]:
        gate, order = Gate([endpoint(1)]), []

        async def ask(name: str, *, again: bool = False) -> None:
            ticket = await gate.admit(1, again=again)
            order.append(name)
            await turns(3)
            gate.leave(ticket)

        asking = [asyncio.create_task(ask(name)) for name in "abc"]
        await turns(2)
        asking.append(asyncio.create_task(ask("again", again=True)))
        await asyncio.gather(*asking)
        return order

    assert asyncio.run(run()) == ["a", "again", "b", "c"]


def test_a_cancelled_request_takes_no_place() -> None:
    """While it waits; and it goes on in the very turn in which it gets its place."""

    async def run() -> tuple[int, int]:
        target = endpoint(1)
        gate = Gate([target])
        first = await gate.admit(1)
        waiting = [asyncio.create_task(gate.admit(1)) for _ in range(2)]
        await turns(3)
        waiting[0].cancel()
        gate.leave(first)
        for _ in range(10):
            await asyncio.sleep(0)
            if target.window.in_flight:
                break
        assert waiting[1].done()
        gate.leave(waiting[1].result())
        await asyncio.gather(*waiting, return_exceptions=True)
        last = await asyncio.wait_for(gate.admit(1), 5)
        gate.leave(last)
        return target.window.in_flight, gate.waiting

    assert asyncio.run(run()) == (0, 0)


async def shares(endpoints: list[Endpoint], count: int) -> Counter[int]:
    """How many requests each endpoint got, each answered before the next is sent."""
    gate, got = Gate(endpoints), Counter[int]()
    for _ in range(count):
        ticket = await gate.admit(1)
        got[endpoints.index(ticket.endpoint)] += 1
        gate.leave(ticket)
    return got


def test_endpoints_share_by_weight() -> None:
    """Three to one."""
    both = [endpoint(weight=3.0), endpoint(weight=1.0)]
    assert asyncio.run(shares(both, 400)) == {0: 300, 1: 100}


def test_a_full_endpoint_leaves_its_turn_to_the_other() -> None:
    """And does not catch up all at once when it has room again."""
    both = [endpoint(1), endpoint(100)]

    async def run() -> tuple[Counter[int], Counter[int]]:
        both[0].window.in_flight = 1
        alone = await shares(both, 50)
        both[0].window.in_flight = 0
        return alone, await shares(both, 50)

    alone, together = asyncio.run(run())
    assert alone == {1: 50}
    assert abs(together[0] - together[1]) <= 2


def test_an_endpoint_that_is_away_gets_nothing_but_a_try() -> None:
    """The other one takes all; after a rest one request tries, and its answer opens the way."""

    async def run() -> None:
        clock, away, well = Clock(), endpoint(8), endpoint(8)
        gate = Gate([away, well], clock)
        for _ in range(healths.FAILURES):
            away.health.failed(0.0, tried=False)
        held = [await gate.admit(1) for _ in range(4)]
        assert all(ticket.endpoint is well for ticket in held)
        clock.now = 1.0
        trying = await gate.admit(1)
        assert (trying.endpoint, trying.tries) == (away, True)
        assert (await gate.admit(1)).endpoint is well
        away.health.answered()
        gate.leave(trying)
        later = [(await gate.admit(1)).endpoint for _ in range(4)]
        assert set(later) == {away, well}

    asyncio.run(run())


def test_the_rests_of_an_endpoint_that_stays_away_grow_to_a_limit() -> None:
    """Each try that fails doubles the rest; a single answer ends it."""
    found, health, now = [], Health(), 0.0
    for _ in range(healths.FAILURES):
        health.failed(now, tried=False)
    for _ in range(8):
        wait = health.wait_s(now)
        assert wait is not None
        found.append(wait)
        now += wait
        assert health.sent()
        assert health.wait_s(now) is None
        health.failed(now, tried=True)
    assert found == sorted(found)
    assert found[-1] == healths.LONGEST_REST_S
    health.answered()
    assert health.wait_s(now) == 0.0


def test_failures_with_answers_between_them_are_no_outage() -> None:
    """Only those in a row count."""
    health = Health()
    for _ in range(100):
        for _ in range(healths.FAILURES - 1):
            health.failed(0.0, tried=False)
        health.answered()
    assert health.is_well


def test_a_limit_a_minute_holds_the_gate() -> None:
    """Two a minute: the third waits, and goes when its minute has come."""

    async def run() -> None:
        clock = Clock()
        gate = Gate([endpoint(8, rpm=2)], clock)
        for _ in range(2):
            gate.leave(await gate.admit(1))
        third: asyncio.Task[Ticket] = asyncio.create_task(gate.admit(1))
        await turns()
        assert not third.done()
        clock.now = 61.5
        gate.look()
        await turns()
        assert third.done()

    asyncio.run(run())


def test_what_is_in_flight_grows_at_a_pace() -> None:
    """One more each 10 ms; whoever replaces an answer goes at once."""

    async def run() -> tuple[list[int], int]:
        clock, target = Clock(), endpoint(4)
        target.pace = Pace(0.01)
        gate = Gate([target], clock)
        asking = [asyncio.create_task(gate.admit(1)) for _ in range(6)]
        counts = []
        for _ in range(3):
            await turns(5)
            counts.append(target.window.in_flight)
            clock.now += 0.01
            gate.look()
        await turns(5)
        gate.leave(asking[0].result())
        await turns(5)
        gone = sum(task.done() for task in asking)
        for task in asking:
            task.cancel()
        return counts, gone

    counts, gone = asyncio.run(run())
    assert counts == [1, 2, 3]
    assert gone == 5
