"""The plan: what it refuses, what its key depends on, and the estimate against a counted run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import SMALL_TASKS

from generator.config import RunConfig, load_config
from generator.describe import run_facts
from generator.errors import ConfigError
from generator.estimate import estimate
from generator.judgeguess import Judging
from generator.llm.scripted import ScriptedLLM
from generator.pipeline import generate, run
from generator.plan import Plan, make_plan
from generator.prices import Money
from generator.runs import RunFolder
from generator.text import guessed_tokens

Small = tuple[Path, Path]
PAIR = SMALL_TASKS.replace("description: One text", "languages: pair\n    description: One text")


def config_of(small: Small, **settings: Any) -> RunConfig:
    """A configuration for the small taxonomy; `llm__model` stands for `llm.model`."""
    flags = {key.replace("__", "."): value for key, value in settings.items()}
    defaults = {"tasks": small[0], "prompts": small[1], "llm.backend": "scripted"}
    return load_config(environ={}, **{**defaults, **flags})


def plan_of(small: Small, **settings: Any) -> Plan:
    """The plan of such a configuration."""
    return make_plan(config_of(small, **settings))


@pytest.mark.parametrize(
    ("settings", "message", "hint"),
    [
        ({"families": ["pairs", "pears"]}, "families: unknown pears", "one of: pairs, steps"),
        ({"languages": ["en", "xx", "de"]}, "languages: unknown de, xx", "one of: en, ja, no"),
        ({"form": "single"}, "family steps has no form 'single'", "--set form=auto, or one of: "),
        ({"filters": {"lenght": {}}}, "filters of this run\n  - filters > lenght", "docs/"),
    ],
)
def test_what_the_taxonomy_does_not_have_is_refused(
    small_taxonomy: Small, settings: dict[str, Any], message: str, hint: str
) -> None:
    """With what there is in the hint."""
    with pytest.raises(ConfigError) as caught:
        plan_of(small_taxonomy, **settings)
    assert str(caught.value).startswith(message)
    assert caught.value.hint.startswith(hint)


def test_a_family_of_pairs_is_left_out_where_there_is_one_language(small_taxonomy: Small) -> None:
    """With a note; when nothing is left, with an error."""
    small_taxonomy[0].write_text(PAIR, encoding="utf-8")
    assert [quota.name for quota in plan_of(small_taxonomy).quotas] == ["pairs", "steps"]
    plan = plan_of(small_taxonomy, languages="ja")
    assert [quota.name for quota in plan.quotas] == ["pairs"]
    assert plan.notes == ("steps is left out: none of its languages is asked for",)
    assert {draw.family for draw in plan.draws(20)} == {"pairs"}
    with pytest.raises(ConfigError, match="no family is left") as caught:
        plan_of(small_taxonomy, languages="ja", families="steps")
    assert "two languages" in caught.value.hint


def test_the_form_is_the_first_that_suits_the_back_end(small_taxonomy: Small) -> None:
    """Where a family has one form only, that is it."""
    both = SMALL_TASKS.replace(
        "    forms:\n      staged:",
        "    forms:\n      single:\n        steps:\n          passage: {template: passage.j2, "
        "reply: {passage: string}}\n        record: {task: T, query: q, positives: [p]}\n"
        "      staged:",
    )
    small_taxonomy[0].write_text(both, encoding="utf-8")
    forms = {
        backend: {q.name: q.form for q in plan_of(small_taxonomy, llm__backend=backend).quotas}
        for backend in ("transformers", "openai", "scripted")
    }
    assert forms["transformers"] == {"pairs": "single", "steps": "staged"}
    assert forms["openai"] == forms["scripted"] == {"pairs": "single", "steps": "single"}
    assert plan_of(small_taxonomy, families="steps", form="staged").quotas[0].form == "staged"


def test_weights_are_those_of_the_run_then_those_of_the_taxonomy(small_taxonomy: Small) -> None:
    """For languages and for families."""
    plan = plan_of(small_taxonomy, languages={"en": None, "no": 5}, families={"steps": 2})
    assert plan.languages == {"en": 3.0, "no": 5.0}
    assert [(quota.name, quota.share) for quota in plan.quotas] == [("steps", 2.0)]
    assert plan_of(small_taxonomy).languages == {"en": 3.0, "ja": 1.0, "no": 1.0}


def test_a_rule_of_the_run_replaces_that_of_the_family(small_taxonomy: Small) -> None:
    """And that the one for all; the chains hold what is left."""
    tasks = SMALL_TASKS.replace(
        "  steps:\n    version", "  steps:\n    filters: {empty: false, script: {}}\n    version"
    )
    small_taxonomy[0].write_text(tasks, encoding="utf-8")
    plan = plan_of(small_taxonomy, filters={"refusal": {}})
    assert plan.filter_spec("steps") == {"empty": False, "script": {}, "refusal": {}}
    assert plan.filter_spec("unknown") == {"empty": {}, "refusal": {}}
    names = {family: [name for name, _ in chain.rules] for family, chain in plan.chains.items()}
    assert names == {"pairs": ["empty", "refusal"], "steps": ["refusal", "script"]}


def test_the_writing_key_stays_when_the_requests_stay(small_taxonomy: Small) -> None:
    """Where and how fast they are sent, filters, counts and folders do not change it."""
    key = plan_of(small_taxonomy).writing_key()
    same: list[dict[str, Any]] = [
        {"llm__concurrency": 3},
        {"llm__base_url": "http://127.0.0.1:1/v1"},
        {"llm__max_retries": 1},
        {"llm__timeout_s": 1},
        {"filters": {"empty": False}},
        {"dedupe__near_threshold": 0.5},
        {"dataset__test_fraction": 0.5},
        {"count": 7},
        {"keep": 3},
        {"output": "elsewhere"},
    ]
    assert {plan_of(small_taxonomy, **settings).writing_key() for settings in same} == {key}


def test_the_writing_key_changes_when_draws_or_requests_do(small_taxonomy: Small) -> None:
    """Every such setting gives another key."""
    different: list[dict[str, Any]] = [
        {},
        {"seed": 1},
        {"families": ["pairs"]},
        {"families": {"pairs": 2, "steps": 1}},
        {"languages": ["en"]},
        {"languages": {"en": 1, "ja": 1, "no": 1}},
        {"llm__model": "other"},
        {"llm__temperature": 0.5},
        {"llm__top_p": 0.5},
        {"llm__max_tokens": 100},
        {"llm__max_attempts": 1},
    ]
    keys = [plan_of(small_taxonomy, **settings).writing_key() for settings in different]
    assert len(set(keys)) == len(different)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[plain, formal]", "[plain, solemn]"),
        ("chess]", "chess, tea]"),
        ("name: Norwegian", "name: Bokmål"),
        ("version: 1", "version: 2"),
        ("tasks_per_call: 3", "tasks_per_call: 4"),
        ("decoy: string}", "decoy: {max_chars: 9}}"),
        ("Find the passage.", "Find it."),
        ("weight: 3", "weight: 4"),
    ],
)
def test_the_writing_key_follows_the_taxonomy(small_taxonomy: Small, old: str, new: str) -> None:
    """An axis value, a list, a language's name, a version, a reply, a record's template."""
    key = plan_of(small_taxonomy).writing_key()
    small_taxonomy[0].write_text(SMALL_TASKS.replace(old, new), encoding="utf-8")
    assert plan_of(small_taxonomy).writing_key() != key


def test_the_writing_key_follows_the_templates(small_taxonomy: Small) -> None:
    """Those that the run uses, and only those; the families' filters do not count."""
    key = plan_of(small_taxonomy, families="pairs").writing_key()
    (small_taxonomy[1] / "passage.j2").write_text("Other words on {{ topic }}.")
    assert plan_of(small_taxonomy, families="pairs").writing_key() == key
    filtered = SMALL_TASKS.replace("  pairs:\n", "  pairs:\n    filters: {script: {}}\n")
    small_taxonomy[0].write_text(filtered, encoding="utf-8")
    assert plan_of(small_taxonomy, families="pairs").writing_key() == key
    (small_taxonomy[1] / "write.j2").write_text("Other words on {{ task }}.")
    assert plan_of(small_taxonomy, families="pairs").writing_key() != key


def test_a_plan_draws_as_many_as_asked_for(small_taxonomy: Small) -> None:
    """A longer plan begins with the shorter one."""
    plan = plan_of(small_taxonomy, count=12)
    assert len(list(plan.draws())) == 12
    assert list(plan.draws(5)) == list(plan.draws())[:5]
    assert set(plan.template_hashes()) == {
        "brainstorm.j2", "write.j2", "passage.j2", "question.j2"
    }  # fmt: skip


@pytest.mark.parametrize("count", [1, 7, 40])
def test_the_estimate_counts_the_calls_of_a_run(
    small_taxonomy: Small, tmp_path: Path, count: int
) -> None:
    """Exactly, where every answer parses; its input tokens are near those that were sent."""
    config = config_of(small_taxonomy, count=count, output=tmp_path / "run")
    model = ScriptedLLM()
    counts = generate(config, open_model=lambda: model)
    guess = estimate(make_plan(config))
    assert guess.calls == len(model.asked)
    assert guess.brainstorm_calls == sum(p.step == "brainstorm" for p in model.asked)
    assert guess.draws == count == counts.seen.total()
    assert guess.by_family == dict(counts.seen)
    sent = sum(len(m.content) // 4 + 8 for prompt in model.asked for m in prompt.messages)
    assert 0.5 * sent < guess.input_tokens < 1.8 * sent
    assert 0 < guess.output_tokens_low <= guess.output_tokens_high


def test_the_estimate_of_a_price_follows_the_tokens(small_taxonomy: Small) -> None:
    """Dollars per million, in and out, and half of it through batches; unknown is not 0."""
    prices = {"llm__input_usd_per_million": 2.0, "llm__output_usd_per_million": 8.0}
    hosted = {"llm__backend": "openai", "llm__model": "mock"}
    assert estimate(plan_of(small_taxonomy)).usd == Money(0, 0, 0, 0)  # on this machine
    unknown = estimate(plan_of(small_taxonomy, **hosted))
    assert (unknown.usd, unknown.by_model["mock"].usd) == (None, None)
    guess = estimate(plan_of(small_taxonomy, **hosted, **prices))
    low = (guess.input_tokens * 2 + guess.output_tokens_low * 8) / 1e6
    high = (guess.input_tokens * 2 + guess.output_tokens_high * 8) / 1e6
    assert guess.usd == Money(low, high, low / 2, high / 2)
    assert guess.by_model["mock"].calls == guess.calls
    bare = replace(guess.by_model["mock"], usd=None)
    assert replace(guess, usd=None, by_model={"mock": bare}) == unknown


def test_the_estimate_grows_with_the_count(small_taxonomy: Small) -> None:
    """Beyond the draws that are rendered it is scaled."""
    small, large = (estimate(plan_of(small_taxonomy, count=n)) for n in (200, 2000))
    assert 9 < large.calls / small.calls < 11
    assert 9 < large.input_tokens / small.input_tokens < 11


def test_a_form_is_for_its_languages(small_taxonomy: tuple[Path, Path]) -> None:
    """A form of some languages is taken where they are all of the run's, and refused elsewhere."""
    tasks, prompts = small_taxonomy
    text = tasks.read_text(encoding="utf-8").replace(
        "      staged:\n", "      staged:\n        languages: [en]\n"
    )
    tasks.write_text(text, encoding="utf-8")
    config = {"tasks": tasks, "prompts": prompts, "families": ["steps"]}
    plan = make_plan(load_config(None, environ={}, **config, languages=["en"]))
    assert plan.quotas[0].form == "staged"
    for form in ("auto", "staged"):
        with pytest.raises(ConfigError, match="for en, ja"):
            make_plan(load_config(None, environ={}, **config, form=form, languages=["en", "ja"]))


def test_the_card_tells_the_sampling_of_a_step_of_its_own(
    small_taxonomy: tuple[Path, Path], tmp_path: Path
) -> None:
    """Beside the run's parameters stand those of each step that sets some."""
    tasks, prompts = small_taxonomy
    text = tasks.read_text(encoding="utf-8").replace(
        "{template: passage.j2, ", "{template: passage.j2, temperature: 0.3, max_tokens: 80, "
    )
    tasks.write_text(text, encoding="utf-8")
    plan = make_plan(load_config(None, environ={}, tasks=tasks, prompts=prompts))
    parameters = run_facts(plan, RunFolder(tmp_path)).parameters
    assert parameters["steps, passage"] == "temperature 0.3, max_tokens 80"
    assert parameters["temperature"] == 1.0
    assert "steps, question" not in parameters


JUDGE = {"backend": "openai", "model": "grader", "on": "all", "again": 0.0}


@pytest.mark.parametrize("listwise", [False, True])
def test_the_estimate_of_a_judge_counts_its_calls(
    small_taxonomy: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listwise: bool
) -> None:
    """Exactly where it sees every text; its tokens are between low and high, as the price is."""
    judge = {**JUDGE, "listwise": listwise, "input_usd_per_million": 1.0}
    judge |= {"output_usd_per_million": 3.0}
    refine = {"encoder": None, "judge": judge}
    config = config_of(
        small_taxonomy, count=40, output=tmp_path / "run", refine=refine,
        dedupe={"near_threshold": None},
    )  # fmt: skip
    grader = ScriptedLLM()
    monkeypatch.setattr("generator.refinejudge.open_llm", lambda *_: grader)
    run(config, open_model=ScriptedLLM)
    found = estimate(make_plan(config))
    guess = found.judges["grader"]
    assert guess.calls_low == guess.calls_high == len(grader.asked)
    sent = sum(guessed_tokens(m.content) for prompt in grader.asked for m in prompt.messages)
    assert 0.6 * guess.input_tokens_low < sent < 1.8 * guess.input_tokens_high
    low = (guess.input_tokens_low + 3 * guess.output_tokens_low) / 1e6
    assert guess.usd
    assert guess.usd.low == pytest.approx(low, rel=0.01)
    assert found.usd == guess.usd  # the writer costs nothing by the token
    assert found.most_tokens > found.input_tokens + guess.input_tokens_high


def test_the_estimate_of_a_judge_has_the_range_of_what_may_be_asked(
    small_taxonomy: Small,
) -> None:
    """Flagged texts alone: perhaps none; a strong one perhaps all; mining asks of all it finds."""

    def judges(**keys: Any) -> dict[str, Judging]:
        return estimate(plan_of(small_taxonomy, count=40, families=["pairs"], **keys)).judges

    assert judges() == {}
    all_texts = judges(refine={"encoder": None, "judge": JUDGE})["grader"].calls_high
    assert all_texts == 80  # a positive and a negative each
    strong = {**JUDGE, "on": "flagged", "candidates": 3, "strong": {"model": "better"}}
    found = judges(refine={"encoder": "words", "judge": strong})
    assert [(j.calls_low, j.calls_high) for j in found.values()] == [(0, 200), (0, 200)]
    assert found["grader"].usd is None
    mined = judges(mine={"teacher": "llm", "rank_max": 10})
    assert [j.calls_low for j in mined.values()] == [40 * 12]
