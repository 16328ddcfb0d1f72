"""The servers that a back end sends to, and which of them takes the next request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from generator.llm.bodies import Dialect
from generator.llm.health import Health
from generator.llm.meters import Charge, Meters
from generator.llm.pace import Pace
from generator.llm.window import Window
from generator.llm.wire import Wire


@dataclass(eq=False, slots=True)
class Endpoint:
    """One server: its connections, what it takes, how much of it, and whether it is there."""

    wire: Wire
    window: Window
    meters: Meters
    dialect: Dialect
    weight: float = 1.0
    health: Health = field(default_factory=Health)
    pace: Pace = field(default_factory=Pace)
    reached: bool | None = None  # None: nothing has come back yet
    has_answered: bool = False  # the prompt, and not only with an error
    heard_at: float = 0.0  # when something came back last
    turn: float = 0.0  # requests sent, over the weight
    left_alone_until: float = 0.0  # as it has asked, where others can do its work


@dataclass(eq=False, slots=True)
class Ticket:
    """A request's place at an endpoint, from its sending until its outcome is known."""

    endpoint: Endpoint
    sent_at: float
    level: int
    tries: bool
    request: Charge
    tokens: Charge


def choose(
    endpoints: Sequence[Endpoint], tokens: int, now: float
) -> tuple[Endpoint | None, float | None]:
    """The endpoint whose turn it is among those with room, and how long until there is one.

    No endpoint and no wait: something has to come back first.
    """
    free: list[Endpoint] = []
    waits: list[float] = []
    for endpoint in endpoints:
        resting = endpoint.health.wait_s(now)
        if resting is None or endpoint.window.in_flight >= endpoint.window.size:
            continue
        pace = endpoint.pace.wait_s(endpoint.window.in_flight, now)
        alone = endpoint.left_alone_until - now
        wait = max(resting, pace, alone, endpoint.meters.wait_s(tokens, now))
        if wait > 0:
            waits.append(wait)
        else:
            free.append(endpoint)
    if free:
        return min(free, key=lambda endpoint: endpoint.turn), None
    return None, min(waits, default=None)


def take(endpoint: Endpoint, others: Sequence[Endpoint], tokens: int, now: float) -> Ticket:
    """A place for a request at an endpoint.

    One that was away takes its share from now on; it does not catch up.
    """
    least = max(other.turn for other in others) - 2 / min(other.weight for other in others)
    endpoint.turn = max(endpoint.turn, least) + 1 / endpoint.weight
    level = endpoint.window.sent()
    endpoint.pace.sent(endpoint.window.in_flight, now)
    return Ticket(
        endpoint,
        now,
        level,
        endpoint.health.sent(),
        endpoint.meters.requests.charge(1, now),
        endpoint.meters.tokens.charge(tokens, now),
    )
