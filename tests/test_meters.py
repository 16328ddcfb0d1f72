"""Requests and tokens a minute: configured, learnt, corrected."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from generator.llm.expected import Expected, prompt_tokens
from generator.llm.meters import Meter, Meters
from generator.records import Message, Params, Prompt


def sent_at(meter: Meter, amounts: list[int]) -> list[tuple[float, int]]:
    """When each of these charges goes out, one after the other."""
    now, sent = 0.0, []
    for amount in amounts:
        while (wait := meter.wait_s(amount, now)) > 0:
            now += wait
        meter.charge(amount, now)
        sent.append((now, amount))
    return sent


@given(st.lists(st.integers(1, 40), max_size=200), st.integers(40, 200))
def test_no_minute_gets_more_than_the_limit(amounts: list[int], limit: int) -> None:
    """Wherever the minute begins."""
    sent = sent_at(Meter(limit), amounts)
    for start, _ in sent:
        assert sum(amount for at, amount in sent if start <= at < start + 60) <= limit


def test_the_limit_is_used() -> None:
    """1,000 requests at 100 a minute take nine minutes, not ten."""
    assert sent_at(Meter(100), [1] * 1000)[-1][0] < 9.2 * 61


def test_more_than_the_limit_goes_alone() -> None:
    """A request above the limit waits for an empty minute and is not held for ever."""
    assert [at for at, _ in sent_at(Meter(10), [5, 50, 5])] == [0.0, 61.0, 122.0]


def test_no_limit_no_wait() -> None:
    """Nothing was configured and nothing told."""
    assert sent_at(Meter(), [10**9] * 3)[-1][0] == 0.0


def test_what_a_reply_tells_is_kept() -> None:
    """Limit and remaining requests: the use of others counts, and comes free within a minute."""
    meters = Meters()
    headers = {"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "0"}
    meters.learn(headers, 0.0)
    assert meters.wait_s(1, 0.0) > 0
    assert meters.wait_s(1, 1.1) == 0.0
    assert meters.requests.wait_s(30, 20.0) > 0
    assert meters.requests.wait_s(60, 61.0) == 0.0


def test_a_reply_that_tells_nonsense_teaches_nothing() -> None:
    """Absent, empty or no numbers."""
    meters = Meters()
    meters.learn({}, 0.0)
    meters.learn({"x-ratelimit-limit-tokens": "many", "x-ratelimit-remaining-tokens": "1"}, 0.0)
    meters.learn({"x-ratelimit-limit-tokens": "0", "x-ratelimit-remaining-tokens": "0"}, 0.0)
    assert meters.wait_s(10**9, 0.0) == 0.0


def test_what_is_configured_goes_before_a_higher_limit_that_is_told() -> None:
    """The lower one of both counts."""
    meter = Meter(10)
    meter.told(100, 100, 0.0)
    assert meter.limit == 10
    meter.told(5, 5, 0.0)
    assert meter.limit == 5


def test_our_own_requests_are_not_taken_for_those_of_others() -> None:
    """A reply tells of what we sent ourselves: it is not counted twice."""
    meter = Meter()
    for number in range(50):
        meter.charge(1, 0.0)
        meter.told(100, 100 - number - 1, 0.1)
    assert meter.used == 50


def test_tokens_are_put_right_by_the_answer() -> None:
    """An estimate that was too high gives the rest back, one too low takes more."""
    meter = Meter(1000)
    charge = meter.charge(900, 0.0)
    assert meter.wait_s(500, 1.0) > 0
    meter.correct(charge, 100)
    assert (meter.wait_s(500, 1.0), meter.used) == (0.0, 100)
    assert meter.wait_s(1, 62.0) == 0.0
    meter.correct(charge, 5000)  # its minute is over
    assert meter.used == 0


def test_the_sum_is_the_sum_of_the_charges() -> None:
    """After any order of charges, corrections, headers and times."""
    random, meter, now = Random(2), Meter(500), 0.0
    charges = []
    for _ in range(3000):
        now += random.random()
        charges.append(meter.charge(random.randrange(20), now))
        meter.correct(random.choice(charges), random.randrange(20))
        if random.random() < 0.2:
            meter.told(500, random.randrange(500), now)
        meter.wait_s(1, now)
        assert meter.used == sum(charge.amount for charge in meter._charges)


def prompt(text: str, step: str = "write") -> Prompt:
    """A request with a reply of at most 1,000 tokens."""
    messages = (Message("user", text),)
    return Prompt("m", "d", step, 0, messages, Params(max_tokens=1000), "")


def test_tokens_are_estimated() -> None:
    """English about three characters a token, Japanese one; the reply's limit, then its mean."""
    assert 300 <= prompt_tokens(prompt("abc " * 250)) <= 360
    assert 90 <= prompt_tokens(prompt("川" * 100)) <= 130
    expected = Expected()
    before = expected.tokens(prompt("x"))
    assert before >= 1000
    for _ in range(10):
        expected.learn(prompt("x"), 100)
    assert expected.tokens(prompt("x")) < 150
    assert expected.tokens(prompt("x", "other")) == before
