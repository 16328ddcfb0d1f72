"""Several models in one run: who writes what, how each is asked, and what came of it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from generator import sampling, writing
from generator.config import RunConfig, api_key, load_config
from generator.errors import ConfigError
from generator.families import Sampling
from generator.modelconfig import LLMConfig
from generator.plan import Plan, make_plan
from generator.records import Message, Params, Prompt
from tests.command import Trine, recipe
from tests.conftest import SMALL_TASKS, MockServer, StartServer

Small = tuple[Path, Path]
TWO = ("llm.writers=[{model: a, weight: 3}, {model: b, temperature: 0.2}]",)


def config_of(small: Small, *overrides: str, **flags: Any) -> RunConfig:
    """A configuration for the small taxonomy."""
    defaults = {"tasks": small[0], "prompts": small[1], "llm.backend": "openai", "llm.model": "m"}
    return load_config(None, overrides, environ={}, **{**defaults, **flags})


def plan_of(small: Small, *overrides: str, **flags: Any) -> Plan:
    """The plan of such a configuration."""
    return make_plan(config_of(small, *overrides, **flags))


def first_prompts(plan: Plan, count: int) -> list[Prompt]:
    """The first prompt of each draw of the family without brainstorming."""
    draws = (draw for draw in plan.draws(count) if not plan.form(draw).brainstorm)
    return [next(writing.example_steps(plan, draw, None)) for draw in draws]


# Configuration


def test_a_writer_takes_from_llm_what_it_does_not_name() -> None:
    """Keys of its own go before; `llm.brainstorm` is the same."""
    llm = LLMConfig.model_validate(
        {"backend": "openai", "model": "m", "base_url": "http://one/v1", "temperature": 0.7,
         "api_key_env": "ONE", "writers": [{"weight": 2}, {"model": "b", "temperature": 0.1}],
         "brainstorm": {"model": "c", "max_tokens": 99}}
    )  # fmt: skip
    assert [(w.model, w.weight, w.temperature) for w in llm.mixture] == [
        ("m", 2.0, 0.7), ("b", 1.0, 0.1)
    ]  # fmt: skip
    assert llm.brainstorm is not None
    assert (llm.brainstorm.temperature, llm.brainstorm.max_tokens) == (0.7, 99)
    assert {w.api_key_env for w in llm.everyone} == {"ONE"}
    assert llm.models == ("m", "b", "c")


def test_a_configuration_with_writers_survives_run_yaml() -> None:
    """What is stored gives the same writers, however often."""
    raw = {"backend": "openai", "model": "m", "api_key_env": "K",
           "writers": [{"base_url": "http://b/v1", "model": "b"}, {}],
           "brainstorm": {"backend": "scripted"}}  # fmt: skip
    llm = LLMConfig.model_validate(raw)
    again = LLMConfig.model_validate(llm.model_dump(mode="json"))
    assert again == llm
    assert LLMConfig.model_validate(again.model_dump(mode="json")) == llm
    assert again.brainstorm is not None
    assert again.brainstorm.model == "-"


def test_a_key_is_not_told_to_another_server() -> None:
    """A writer with an address of its own has no key but one that it names."""
    llm = LLMConfig.model_validate(
        {"backend": "openai", "model": "m", "api_key_env": "MINE", "headers": {"x-key": "${MINE}"},
         "writers": [{}, {"model": "b", "base_url": "http://b/v1"},
                     {"model": "c", "base_url": "http://c/v1", "api_key_env": "C"}]}
    )  # fmt: skip
    assert [w.api_key_env for w in llm.writers] == ["MINE", "", "C"]
    assert [dict(w.headers) for w in llm.writers][1:] == [{}, {}]
    environ = {"OPENAI_API_KEY": "sk-mine", "C": "sk-c"}
    assert [api_key(environ, name) for name in (None, "", "C")] == ["sk-mine", None, "sk-c"]
    with pytest.raises(ConfigError, match="MINE is not set"):
        api_key(environ, "MINE")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{model: m, writers: [{temprature: 1}]}", "writers > 0 > temprature"),
        ("{model: m, writers: [{weight: 0}]}", "weight"),
        ("{model: m, writers: [3]}", "writers"),
        ("{model: m, brainstorm: {writers: []}}", "brainstorm > writers"),
        (
            "{backend: openai, model: m, writers: [{}, {base_url: 'http://b/v1'}]}",
            "'m' stands twice",
        ),
    ],
)
def test_a_wrong_mixture_is_told(small_taxonomy: Small, text: str, problem: str) -> None:
    """With its place."""
    with pytest.raises(ConfigError) as told:
        load_config(None, [f"llm={text}"], environ={}, tasks=small_taxonomy[0])
    assert problem in "\n".join(told.value.problems)


# Who writes what


def test_the_draw_chooses_the_writer(small_taxonomy: Small) -> None:
    """By weight; the seed decides, the order of writers and the length of the run do not."""
    plan = plan_of(small_taxonomy, *TWO)
    chosen = {draw.id: plan.writer(draw).model for draw in plan.draws(4000)}
    counts = Counter(chosen.values())
    assert 0.72 < counts["a"] / 4000 < 0.78
    turned = plan_of(
        small_taxonomy, "llm.writers=[{model: b, temperature: 0.2}, {model: a, weight: 3}]"
    )
    assert {draw.id: turned.writer(draw).model for draw in turned.draws(4000)} == chosen
    other = plan_of(small_taxonomy, *TWO, seed=1)
    assert {draw.id: other.writer(draw).model for draw in other.draws(4000)} != chosen


def test_one_more_writer_takes_from_all_and_moves_nothing_between_them(
    small_taxonomy: Small,
) -> None:
    """So a mixture that grows asks again only for what the new one takes."""
    two = plan_of(small_taxonomy, *TWO)
    three = plan_of(
        small_taxonomy, "llm.writers=[{model: a, weight: 3}, {model: b}, {model: c, weight: 4}]"
    )
    pairs = [(two.writer(d).model, three.writer(d).model) for d in two.draws(2000)]
    assert all(after in {before, "c"} for before, after in pairs)
    assert 0.45 < sum(after == "c" for _, after in pairs) / 2000 < 0.55


def test_each_writer_is_asked_in_its_own_way(small_taxonomy: Small) -> None:
    """Model and parameters of the draw's writer are in its requests, and in their keys."""
    plan = plan_of(small_taxonomy, *TWO)
    found = {(p.model, p.params.temperature) for p in first_prompts(plan, 60)}
    assert found == {("a", 1.0), ("b", 0.2)}
    alone = plan_of(small_taxonomy, **{"llm.model": "a"})
    keys = {p.draw: p.key for p in first_prompts(alone, 60)}
    assert all(keys[p.draw] == p.key for p in first_prompts(plan, 60) if p.model == "a")


def test_the_brainstorming_model_is_asked_for_tasks_alone(small_taxonomy: Small) -> None:
    """Without one, the brainstorming call chooses among the writers as any draw does."""
    plan = plan_of(small_taxonomy, "llm.brainstorm={model: think}")
    mixed = plan_of(small_taxonomy, *TWO)
    draws = [draw for draw in plan.draws(200) if plan.form(draw).brainstorm]
    calls = [writing.brainstorm_of(plan, draw) for draw in draws]
    assert {next(writing.brainstorm_steps(plan, c)).model for c in calls} == {"think"}
    assert {next(writing.brainstorm_steps(mixed, c)).model for c in calls} == {"a", "b"}
    assert {plan.writer(draw).model for draw in draws} == {"m"}


def test_choosing_is_by_weight_for_many_names() -> None:
    """Also where there is one, and where weights are far apart."""
    assert sampling.choose({"only": 0.1}, "k") == "only"
    weights = {"a": 1.0, "b": 10.0, "c": 89.0}
    counts = Counter(sampling.choose(weights, "k", str(n)) for n in range(20_000))
    for name, weight in weights.items():
        assert counts[name] / 20_000 == pytest.approx(weight / 100, abs=0.01)


# Parameters


def test_the_key_of_a_request_is_what_it_was() -> None:
    """Journals that exist stay good: what is not set does not enter a key."""
    prompt = Prompt("m", "d", "s", 0, (Message("user", "hello"),), Params(0.5, 0.9, 64, 7), "{}")
    assert prompt.key == "7414d15413ffdcc6a67e8830e4f07699"


def test_a_steps_parameters_go_before_the_models() -> None:
    """Null leaves it to the model; a seed may be left out of the body, and is null there."""
    llm = LLMConfig.model_validate(
        {"model": "m", "temperature": 0.7, "stop": "END", "max_tokens": 10,
         "chat_template_kwargs": {"enable_thinking": False}, "extra_body": {"top_k": 5}}
    )  # fmt: skip
    plain = llm.params(Sampling(), 3)
    extra = '{"chat_template_kwargs": {"enable_thinking": false}, "top_k": 5}'
    assert plain == Params(0.7, 1.0, 10, 3, ("END",), extra)
    step = Sampling.model_validate(
        {"temperature": 0, "top_p": 0.5, "max_tokens": 20, "stop": ["a", "b"], "send_seed": False}
    )
    own = llm.params(step, 3)
    assert (own.temperature, own.top_p, own.max_tokens, own.stop) == (0, 0.5, 20, ("a", "b"))
    assert json.loads(own.extra)["seed"] is None
    assert LLMConfig.model_validate({"model": "m"}).params(Sampling(), 3) == Params(
        1.0, 1.0, 2048, 3
    )


def test_every_parameter_enters_the_key() -> None:
    """Another stop or another body is another request."""

    def key(**params: Any) -> str:
        return Prompt("m", "d", "s", 0, (Message("user", "x"),), Params(**params), "").key

    keys = [key(), key(stop=("a",)), key(stop=("b",)), key(extra='{"a": 1}'), key(extra='{"a": 2}'),
            key(stop=("a",), extra='{"a": 1}'), key(temperature=0.1), key(seed=1)]  # fmt: skip
    assert len(set(keys)) == len(keys)


def test_a_step_of_the_taxonomy_names_its_parameters(small_taxonomy: Small) -> None:
    """In tasks.yaml: temperature, top_p, max_tokens, stop, send_seed; they reach the request."""
    tasks = small_taxonomy[0]
    text = SMALL_TASKS.replace(
        "{template: passage.j2, ",
        "{template: passage.j2, temperature: 0.3, stop: END, send_seed: false, ",
    )
    tasks.write_text(text, encoding="utf-8")
    prompt = first_prompts(plan_of(small_taxonomy), 2)[0]
    assert (prompt.params.temperature, prompt.params.stop) == (0.3, ("END",))
    assert json.loads(prompt.params.extra) == {"seed": None}


def test_a_system_prompt_stands_first(small_taxonomy: Small) -> None:
    """Before the user's turn; before what the template's own system turn says."""
    said = "llm.system_prompt=日本語で書いてください。"
    (small_taxonomy[1] / "passage.j2").write_text(
        "{{ turn('system') }}Be brief.{{ turn('user') }}Go."
    )
    prompt = first_prompts(plan_of(small_taxonomy, said), 2)[0]
    assert prompt.messages == (
        Message("system", "日本語で書いてください。\n\nBe brief."), Message("user", "Go.")
    )  # fmt: skip
    (small_taxonomy[1] / "passage.j2").write_text("Go.")
    prompt = first_prompts(plan_of(small_taxonomy, said), 2)[0]
    assert [m.role for m in prompt.messages] == ["system", "user"]


@pytest.mark.parametrize(
    "change",
    [
        "llm.writers=[{model: m}, {model: b}]", "llm.brainstorm={model: b}", "llm.stop=[x]",
        "llm.send_seed=false", "llm.system_prompt=Be kind.", "llm.extra_body={top_k: 5}",
        "llm.chat_template_kwargs={enable_thinking: false}",
    ],
)  # fmt: skip
def test_what_decides_requests_is_in_the_writing_key(small_taxonomy: Small, change: str) -> None:
    """And prices, endpoints and caps are not."""
    key = plan_of(small_taxonomy).writing_key()
    assert plan_of(small_taxonomy, change).writing_key() != key
    same = ("llm.input_usd_per_million=1", "llm.output_usd_per_million=1", "budget.max_tokens=9")
    assert plan_of(small_taxonomy, *same, "llm.api_key_env=X").writing_key() == key


# Real runs


def mixture(one: MockServer, two: MockServer) -> str:
    """A mixture of two models on two servers; a third brainstorms."""
    keys = {
        "backend": "openai", "model": "one", "base_url": one.base_url, "concurrency": 8,
        "input_usd_per_million": 1.0, "output_usd_per_million": 2.0,
        "writers": [{"weight": 2}, {"model": "two", "base_url": two.base_url, "temperature": 0.5}],
        "brainstorm": {"model": "think"},
    }  # fmt: skip
    return json.dumps(keys)


def test_a_mixture_of_two_writers_on_two_servers(
    small_taxonomy: Small, tmp_path: Path, mock_server: StartServer,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Each server gets its draws; yields, tokens and cost by model are in statistics and card."""
    one = mock_server("--latency", "0.001")
    two = mock_server("--latency", "0.02", "--rate-garbage", "0.4", "--key", "sk-two")
    trine = Trine(capsys)
    path = recipe(small_taxonomy, tmp_path, count=90, llm=mixture(one, two))
    refused = trine("run", "-c", path, "-q")
    assert (refused.code, "refused the key" in refused.err) == (2, True)
    one = mock_server("--latency", "0.001")
    two = mock_server("--latency", "0.02", "--rate-garbage", "0.4")
    path = recipe(small_taxonomy, tmp_path, count=90, llm=mixture(one, two))
    shutil.rmtree(tmp_path / "run")
    assert trine("run", "-c", path, "-q").code == 0
    db = sqlite3.connect(tmp_path / "run" / "journal.sqlite")
    answers = dict(db.execute("SELECT model, count(*) FROM answers GROUP BY model").fetchall())
    asked = dict(
        db.execute("SELECT draw, model FROM answers WHERE step != 'brainstorm'").fetchall()
    )
    db.close()
    assert answers["one"] + answers["think"] == one.stats()["by_status"]["200"]
    assert answers["two"] == two.stats()["by_status"]["200"]
    plan = make_plan(load_config(str(path), environ={}))
    assert asked == {draw.id: plan.writer(draw).model for draw in plan.draws()}
    stats = json.loads((tmp_path / "run" / "stats.json").read_text())
    models = stats["models"]
    assert {name: row["requests"] for name, row in models.items()} == answers
    drawn = Counter(asked.values())
    assert {name: models[name]["draws"] for name in ("one", "two")} == drawn
    assert models["think"]["draws"] == models["think"]["kept"] == 0
    assert models["one"]["parsed"] == drawn["one"]
    assert models["two"]["parsed"] < drawn["two"]
    lines = (tmp_path / "run" / "records.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    kept = Counter(row["provenance"]["model"] for row in records)
    assert {name: models[name]["kept"] for name in kept} == kept
    row = models["one"]
    assert row["cost_usd"] == pytest.approx(
        (row["prompt_tokens"] + 2 * row["completion_tokens"]) / 1e6, abs=1e-6
    )
    assert "cost_usd" not in models["two"]  # its price is not known
    assert "cost_usd" not in stats["usage"]
    card = (tmp_path / "run" / "dataset" / "README.md").read_text()
    assert "written by `one` and `two` and `think`" in card
    assert f"| `two` | {drawn['two']} |" in card
    assert "tokens/record" in trine("stats", tmp_path / "run").out
    before = one.stats()["requests"] + two.stats()["requests"]
    (tmp_path / "run" / "stages" / "generate.done.json").unlink()
    assert trine("run", "-c", path, "-q").code == 0
    assert one.stats()["requests"] + two.stats()["requests"] == before
