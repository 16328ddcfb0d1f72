"""Draws → records: live and replayed alike, in any order of arrival, whatever the model says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generator import generation
from generator.config import load_config
from generator.errors import LLMError, RequestFailed
from generator.generation import Written
from generator.llm.journal import Journal
from generator.llm.pool import Pool, Traffic
from generator.llm.scripted import ScriptedLLM, plausible
from generator.plan import Plan, make_plan
from generator.records import Completion, Params, Prompt, Record, Rejected, Task
from generator.writing import Outcome

Answer = Callable[[Prompt], str]


def plan_of(small_taxonomy: tuple[Path, Path], count: int = 40, **flags: object) -> Plan:
    """The plan of a run over the small taxonomy."""
    tasks, prompts = small_taxonomy
    keys = {"tasks": tasks, "prompts": prompts, "count": count, "llm.backend": "scripted", **flags}
    return make_plan(load_config(environ={}, **keys))


def live(plan: Plan, journal: Journal, llm: ScriptedLLM) -> tuple[dict[str, Outcome], Traffic]:
    """Write all draws; the outcome of each by its id, and what went through the pool."""
    pool = Pool(llm, journal)
    found = written(plan, pool.ask, limit=2 * pool.concurrency)
    return {done.draw.id: done.outcome for done in found}, pool.traffic


def replayed(plan: Plan, journal: Journal) -> tuple[list[tuple[str, Outcome]], list[Task]]:
    """The outcomes in draw order and the tasks announced, from the journal alone."""
    found = written(plan, generation.from_journal(journal), limit=3)
    tasks = [task for done in found for task in done.tasks]
    return [(done.draw.id, done.outcome) for done in found], tasks


def written(plan: Plan, ask: generation.Ask, *, limit: int) -> list[Written]:
    """All draws, each once, in the run's order, whatever the order in which they were done."""
    found: list[Written] = []
    draws = enumerate(plan.draws())
    asyncio.run(generation.write(plan, draws, ask, found.append, limit=limit))
    found.sort(key=lambda done: done.number)
    assert [done.number for done in found] == list(range(plan.config.count))
    return found


def unruly(prompt: Prompt) -> str:
    """A reply that is good, broken or worse; the same for the same request."""
    kind = Random(prompt.key).randrange(6)
    good = plausible(prompt)
    return [good, good, good, good[: len(good) // 2], "Sure! No JSON here.", "\ud800"][kind]


def test_one_answer_does_for_all_that_ask_the_same() -> None:
    """At once or one after the other: a judge meets a pair again in another record."""
    prompts = [Prompt("m", f"f@1/single/en#{n % 3}", "w", 0, (), Params(), "") for n in range(9)]

    async def run(journal: Journal, llm: ScriptedLLM) -> list[Completion]:
        pool = Pool(llm, journal)
        return await asyncio.gather(*map(pool.ask, prompts))

    llm = ScriptedLLM(lambda prompt: prompt.draw, concurrency=4, jitter=3)
    with Journal(Path(":memory:")) as journal:
        answers = asyncio.run(run(journal, llm))
    assert [answer.text for answer in answers] == [prompt.draw for prompt in prompts]
    assert len(llm.asked) == 3


def test_who_asks_the_same_as_one_that_fails_asks_again() -> None:
    """A failure is no answer."""
    prompts = [
        Prompt("m", "f@1/single/en#1", "w", 0, (), Params(), '{"type": "object", "properties": {}}')
    ] * 3

    async def run(journal: Journal) -> tuple[list[Completion | BaseException], int]:
        pool = Pool(Failing(1.0), journal)
        found = await asyncio.gather(*map(pool.ask, prompts), return_exceptions=True)
        return found, pool.traffic.failed

    with Journal(Path(":memory:")) as journal:
        found, failed = asyncio.run(run(journal))
    assert [type(error) for error in found] == [RequestFailed] * 3
    assert failed == 3


class Failing(ScriptedLLM):
    """Fails some requests for good, the same ones each time."""

    def __init__(self, share: float, *, concurrency: int = 8) -> None:
        super().__init__(unruly, concurrency=concurrency)
        self.share = share

    async def complete(self, prompt: Prompt) -> Completion:
        """An answer or RequestFailed."""
        answer = await super().complete(prompt)
        if Random(prompt.key + "fails").random() < self.share:
            raise RequestFailed("http_500", "the server had an error")
        return answer


class Looping(ScriptedLLM):
    """Is cut off in a loop, at every first attempt or at all of them."""

    def __init__(self, attempts: int) -> None:
        super().__init__()
        self.attempts = attempts

    async def complete(self, prompt: Prompt) -> Completion:
        """An answer, or the beginning of one that loops."""
        if prompt.attempt < self.attempts:
            return Completion('{"query": "on and on and on and on', "repetition")
        return await super().complete(prompt)


@pytest.mark.parametrize(("attempts", "kept"), [(1, 10), (2, 0)])
def test_a_reply_that_loops_is_asked_for_again(
    small_taxonomy: tuple[Path, Path], tmp_path: Path, attempts: int, kept: int
) -> None:
    plan = plan_of(small_taxonomy, 10, **{"llm.max_attempts": 2})
    with Journal(tmp_path / "j.sqlite") as journal:
        outcomes, _ = live(plan, journal, Looping(attempts))
    reasons = [o.reason for o in outcomes.values() if isinstance(o, Rejected)]
    assert set(reasons) <= {"answer_loops", "no_task_list", "list_too_short"}
    assert len(outcomes) - len(reasons) == kept


def test_live_is_replay(small_taxonomy: tuple[Path, Path], tmp_path: Path) -> None:
    """What the run saw and what the journal gives are the same for every draw, in draw order."""
    plan = plan_of(small_taxonomy)
    with Journal(tmp_path / "j.sqlite") as journal:
        outcomes, _ = live(plan, journal, Failing(0.1))
        found, _ = replayed(plan, journal)
        assert [name for name, _ in found] == [draw.id for draw in plan.draws()]
        assert dict(found) == outcomes
        kinds = {type(outcome) for outcome in outcomes.values()}
        assert kinds == {Record, Rejected}


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    concurrency=st.sampled_from([1, 2, 7, 64]),
    jitter=st.integers(0, 20),
    share=st.sampled_from([0.0, 0.2]),
)
def test_the_result_is_the_same_in_any_order_of_arrival(
    small_taxonomy: tuple[Path, Path], concurrency: int, jitter: int, share: float
) -> None:
    """Concurrency and the order of answers change no record, no rejection and no request."""
    plan = plan_of(small_taxonomy, 24)
    results = []
    for llm in (Failing(share, concurrency=1), Failing(share, concurrency=concurrency)):
        llm._jitter = jitter
        with Journal(Path(":memory:")) as journal:
            live(plan, journal, llm)
            keys = sorted(prompt.key for prompt in llm.asked)
            assert len(set(keys)) == len(keys)
            results.append((replayed(plan, journal), keys))
    assert results[0] == results[1]


def test_a_second_run_asks_nothing(small_taxonomy: tuple[Path, Path], tmp_path: Path) -> None:
    """All answers come from the journal, also those that did not parse."""
    plan = plan_of(small_taxonomy)
    with Journal(tmp_path / "j.sqlite") as journal:
        first, sent = live(plan, journal, ScriptedLLM(unruly))
        again = ScriptedLLM(unruly)
        second, traffic = live(plan, journal, again)
    assert second == first
    assert again.asked == []
    assert (traffic.sent, traffic.from_journal) == (0, sent.sent)


def test_more_draws_ask_for_the_new_ones_alone(
    small_taxonomy: tuple[Path, Path], tmp_path: Path
) -> None:
    """A longer run begins with the shorter one and asks what is new, here for two families."""
    with Journal(tmp_path / "j.sqlite") as journal:
        before = ScriptedLLM()
        live(plan_of(small_taxonomy, 30), journal, before)
        short, _ = replayed(plan_of(small_taxonomy, 30), journal)
        after = ScriptedLLM()
        live(plan_of(small_taxonomy, 31), journal, after)
        longer, _ = replayed(plan_of(small_taxonomy, 31), journal)
    assert longer[:30] == short
    name, _ = longer[30]
    assert {prompt.draw.split("#")[0] for prompt in after.asked} == {name.split("#")[0]}
    assert 1 <= len(after.asked) <= 2


def test_a_failed_request_is_asked_again_by_the_next_run(
    small_taxonomy: tuple[Path, Path], tmp_path: Path
) -> None:
    """It is rejected with its reason, logged as an error, and not taken for an answer."""
    plan = plan_of(small_taxonomy)
    with Journal(tmp_path / "j.sqlite") as journal:
        outcomes, traffic = live(plan, journal, Failing(0.3))
        failed = {i: o for i, o in outcomes.items() if isinstance(o, Rejected)}
        reasons = {(o.stage, o.reason) for o in failed.values()}
        assert ("generate", "http_500") in reasons
        errors = journal._db.execute("SELECT count(*) FROM errors").fetchone()[0]
        assert errors == traffic.failed > 0
        again = ScriptedLLM(plausible)
        healed, _ = live(plan, journal, again)
        unanswered = {i for i, o in failed.items() if o.stage == "generate"}
        assert len(again.asked) >= traffic.failed
        assert all(isinstance(healed[name], Record) for name in unanswered)


def test_an_answer_that_does_not_parse_is_asked_for_again(
    small_taxonomy: tuple[Path, Path], tmp_path: Path
) -> None:
    """Attempt follows attempt with another seed, up to `max_attempts`; then it is rejected."""
    plan = plan_of(small_taxonomy, 6, families=["steps"], **{"llm.max_attempts": 4})
    llm = ScriptedLLM(lambda prompt: plausible(prompt) if prompt.attempt == 2 else "no")
    never = ScriptedLLM(lambda prompt: f"no {prompt.attempt}")
    with Journal(tmp_path / "1.sqlite") as journal:
        outcomes, _ = live(plan, journal, llm)
    assert {type(outcome) for outcome in outcomes.values()} == {Record}
    assert sorted({prompt.attempt for prompt in llm.asked}) == [0, 1, 2]
    assert len({prompt.params.seed for prompt in llm.asked}) == len(llm.asked) == 6 * 2 * 3
    with Journal(tmp_path / "2.sqlite") as journal:
        outcomes, _ = live(plan, journal, never)
    found = {(o.stage, o.reason, o.text) for o in outcomes.values() if isinstance(o, Rejected)}
    assert found == {("parse", "no_json_object", "no 3")}
    assert len(never.asked) == 6 * 4


def test_a_brainstorming_call_is_made_once_for_all_its_draws(
    small_taxonomy: tuple[Path, Path], tmp_path: Path
) -> None:
    """Three tasks a call: examples take them in turn, and a shorter list wraps."""
    plan = plan_of(small_taxonomy, 12, families=["pairs"], languages=["en"])

    def script(prompt: Prompt) -> str:
        if prompt.step == "brainstorm":
            return json.dumps({"tasks": ["one", "two"]})
        return plausible(prompt)

    llm = ScriptedLLM(script, concurrency=32)
    with Journal(tmp_path / "j.sqlite") as journal:
        live(plan, journal, llm)
        found, tasks = replayed(plan, journal)
    calls = [prompt for prompt in llm.asked if prompt.step == "brainstorm"]
    assert len(calls) == 4
    written = [outcome.task for _, outcome in found if isinstance(outcome, Record)]
    assert written == ["one", "two", "one"] * 4
    assert [task.text for task in tasks] == ["one", "two"] * 4
    assert [task.request for task in tasks[::2]] == [call.key for call in calls]
    used = [o.provenance.requests[0] for _, o in found if isinstance(o, Record)]
    assert used == [call.key for call in calls for _ in range(3)]


def test_a_failed_brainstorming_call_rejects_its_draws(
    small_taxonomy: tuple[Path, Path], tmp_path: Path
) -> None:
    """Each draw of it is accounted for, with the call's own reason and answer."""
    plan = plan_of(small_taxonomy, 12, families=["pairs"], languages=["en"])
    llm = ScriptedLLM(lambda prompt: "no list" if prompt.step == "brainstorm" else "{}")
    with Journal(tmp_path / "j.sqlite") as journal:
        outcomes, _ = live(plan, journal, llm)
        found, tasks = replayed(plan, journal)
    assert dict(found) == outcomes
    assert tasks == []
    assert {(o.stage, o.reason, o.text) for _, o in found if isinstance(o, Rejected)} == {
        ("brainstorm", "no_task_list", "no list")
    }
    assert len(found) == 12


@pytest.mark.parametrize("fatal", ["brainstorm", "write"])
def test_an_error_of_the_model_stops_the_run_and_keeps_the_answers(
    small_taxonomy: tuple[Path, Path], tmp_path: Path, fatal: str
) -> None:
    """LLMError comes out as it is, nothing stays under way, and what was answered is kept."""
    plan = plan_of(small_taxonomy, 40, families=["pairs"])

    class Dying(ScriptedLLM):
        under_way = 0

        async def complete(self, prompt: Prompt) -> Completion:
            Dying.under_way += 1
            try:
                answer = await super().complete(prompt)
                if len(self.asked) > 10 and prompt.step == fatal:
                    raise LLMError("the key has been withdrawn", hint="ask for another")
                return answer
            finally:
                Dying.under_way -= 1

    llm = Dying(concurrency=4)
    with Journal(tmp_path / "j.sqlite") as journal:
        with pytest.raises(LLMError, match="withdrawn"):
            live(plan, journal, llm)
        kept = journal.usage()["-", False].requests
    assert Dying.under_way == 0
    assert 5 <= kept <= len(llm.asked)


def test_no_more_requests_are_in_flight_than_the_model_takes(
    small_taxonomy: tuple[Path, Path], tmp_path: Path
) -> None:
    """The pool is full and never more than full, and an answer is on disk before its slot frees."""
    plan = plan_of(small_taxonomy, 60)
    peak = 0
    path = tmp_path / "j.sqlite"

    class Counted(ScriptedLLM):
        in_flight = 0
        done = 0

        async def complete(self, prompt: Prompt) -> Completion:
            nonlocal peak
            self.in_flight += 1
            peak = max(peak, self.in_flight)
            with Journal(path) as reader:
                rows = reader._db.execute("SELECT count(*) FROM answers").fetchone()[0]
            assert rows >= self.done - self.concurrency
            answer = await super().complete(prompt)
            self.in_flight -= 1
            self.done += 1
            return answer

    with Journal(path) as journal:
        live(plan, journal, Counted(concurrency=5, jitter=40))
    assert peak == 5


def test_an_empty_journal_gives_unanswered_draws(small_taxonomy: tuple[Path, Path]) -> None:
    """A replay calls nothing: what has no answer and no error is unanswered."""
    plan = plan_of(small_taxonomy, 8)
    with Journal(Path(":memory:")) as journal:
        found, tasks = replayed(plan, journal)
    assert tasks == []
    reasons = [(o.stage, o.reason) for _, o in found if isinstance(o, Rejected)]
    assert reasons == [("generate", "unanswered")] * 8


def test_brainstorms_dropped_from_memory_are_not_asked_again(
    small_taxonomy: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With room for one call, and calls still under way, no request is sent twice."""
    monkeypatch.setattr(generation, "_BRAINSTORMS_HELD", 1)
    plan = plan_of(small_taxonomy, 60, families=["pairs"])
    llm = ScriptedLLM(concurrency=16, jitter=20)
    with Journal(tmp_path / "j.sqlite") as journal:
        outcomes, _ = live(plan, journal, llm)
        found, tasks = replayed(plan, journal)
    keys = [prompt.key for prompt in llm.asked]
    assert len(set(keys)) == len(keys)
    assert dict(found) == outcomes
    texts = [(task.draw, task.text) for task in tasks]
    assert len(set(texts)) == len(texts)
