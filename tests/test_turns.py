"""A few sends a turn of the event loop."""

import asyncio

from generator.llm.turns import Turns


async def admitted_in_each_turn(callers: int, sends: int) -> list[int]:
    """How many callers went on in each turn of the loop until all had."""
    turns, went = Turns(sends), []
    count = 0

    async def caller() -> None:
        nonlocal count
        await turns.wait()
        count += 1

    tasks = [asyncio.create_task(caller()) for _ in range(callers)]
    while not all(task.done() for task in tasks):
        before = count
        await asyncio.sleep(0)
        went.append(count - before)
    return [number for number in went if number]


def test_no_turn_admits_more_than_its_number() -> None:
    """Ten callers at three a turn take four turns."""
    assert asyncio.run(admitted_in_each_turn(10, 3)) == [3, 3, 3, 1]


def test_a_cancelled_caller_holds_up_nobody() -> None:
    """The others go on."""

    async def run() -> int:
        turns = Turns(1)
        tasks = [asyncio.create_task(turns.wait()) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        return sum(item is None for item in done)

    assert asyncio.run(run()) == 2
