"""Draws: prefixes, what does not change them, shares, axes and seeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.families import Axis, Brainstorm, Family, Form, RecordTemplate, Step
from generator.records import Draw
from generator.sampling import (
    Quota,
    axis_values,
    brainstorm_draw,
    draws,
    language_keys,
    request_seed,
    task_index,
    uniform,
)

LANGUAGES = {"en": 3.0, "ja": 1.0, "no": 0.5}
STEP = Step.model_validate({"template": "w", "reply": {"q": "string"}})
RECORD = RecordTemplate(task="t", query="q", positives=("p",))


def family(axes: Mapping[str, Any] | None = None, **changes: Any) -> Family:
    """A family with these axes, brainstormed five tasks a call."""
    brainstorm = Brainstorm.model_validate(
        {"template": "b", "tasks_per_call": 5, "axes": {"topic": {"values": list("abcdefgh"),
         "order": "cycle"}}}
    )  # fmt: skip
    form = Form(steps={"w": STEP}, record=RECORD, brainstorm=brainstorm)
    raw = {"version": 1, "description": "d", "axes": axes or {"x": ["1", "2", "3"]}, **changes}
    return Family.model_validate({**raw, "forms": {"single": form}})


QUOTAS = (
    Quota("one", family(), "single", 5.0),
    Quota("two", family(languages="pair"), "single", 2.0),
)


def first(
    count: int,
    quotas: Sequence[Quota] = QUOTAS,
    languages: Mapping[str, float] | None = None,
    seed: int = 42,
) -> list[Draw]:
    """The first draws of a run."""
    return list(islice(draws(quotas, languages or LANGUAGES, seed), count))


def by_id(found: Sequence[Draw]) -> dict[str, Draw]:
    """Draws by their identity."""
    return {draw.id: draw for draw in found}


def test_one_more_adds_one_draw() -> None:
    """Every run begins with the shorter ones, and no draw comes twice."""
    long = first(200)
    for count in (1, 2, 50, 199):
        assert first(count) == long[:count]
    assert len(by_id(long)) == 200


def test_a_draw_depends_on_nothing_but_its_identity_and_the_seed() -> None:
    """More languages, families, weights, rows or axes change no draw that exists."""
    base = by_id(first(300))
    wider = by_id(first(900, languages={"de": 2.0, **LANGUAGES, "fr": 1.0}))
    more = (Quota("zero", family(), "single", 9.0), *QUOTAS)
    reweighted = [replace(QUOTAS[0], share=1.0), QUOTAS[1]]
    for others in (wider, by_id(first(900, more)), by_id(first(900, reweighted))):
        shared = base.keys() & others.keys()
        assert len(shared) > 100
        assert all(base[name] == others[name] for name in shared)
    assert [d.values for d in first(50, seed=1)] != [d.values for d in first(50)]


def test_adding_an_axis_or_a_value_leaves_the_other_axes_alone() -> None:
    """Each axis has randomness of its own."""
    axes = {"x": list("abc"), "y": list("def")}
    more = {"w": list("ghi"), "x": list("abc"), "y": list("defz")}
    before = first(60, [Quota("f", family(axes), "single", 1.0)])
    after = first(60, [Quota("f", family(more), "single", 1.0)])
    assert [d.values["x"] for d in before] == [d.values["x"] for d in after]


def test_another_version_or_form_draws_anew() -> None:
    """A version is raised when a family's meaning changes: its draws are new ones."""
    axes = {"x": [str(n) for n in range(50)]}
    old = first(30, [Quota("f", family(axes), "single", 1.0)])
    new = first(30, [Quota("f", family(axes, version=2), "single", 1.0)])
    assert [d.values for d in old] != [d.values for d in new]
    assert by_id(old).keys().isdisjoint(by_id(new))


@settings(max_examples=60)
@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0.01, 100), min_size=1),
    st.lists(st.floats(0.01, 100), min_size=1, max_size=3),
    st.integers(0, 400),
)
def test_the_share_of_every_key_in_every_prefix_is_bounded(
    weights: dict[str, float], shares: list[float], count: int
) -> None:
    """A key of share s, one of n, is within 1 + s * n draws of its due number."""
    quotas = [Quota(f"f{i}", family(), "single", share) for i, share in enumerate(shares)]
    seen = Counter((d.family, d.language) for d in first(count, quotas, weights))
    keys = [(quota, code) for quota in quotas for code in weights]
    for quota, code in keys:
        share = quota.share / sum(shares) * weights[code] / sum(weights.values())
        due = share * count
        assert abs(seen[quota.name, code] - due) < 1 + share * len(keys) + 1e-6


def test_keys_of_equal_weight_do_not_begin_together() -> None:
    """Phases spread them: a short run is no prefix of the alphabet."""
    codes = [f"l{n:02}" for n in range(40)]
    started = [d.language for d in first(40, QUOTAS[:1], dict.fromkeys(codes, 1.0))]
    assert started != sorted(started)
    assert len(set(started)) > 25


def test_the_languages_of_a_pair_are_never_equal() -> None:
    """All ordered pairs come, with the product of the two weights."""
    keys = language_keys(family(languages="pair"), LANGUAGES)
    assert keys == {"en-ja": 3.0, "en-no": 1.5, "ja-en": 3.0, "ja-no": 0.5, "no-en": 1.5,
                    "no-ja": 0.5}  # fmt: skip
    assert language_keys(family(languages="pair"), {"en": 1.0}) == {}
    assert language_keys(family(languages=["ja", "xx"]), LANGUAGES) == {"ja": 1.0}
    assert language_keys(family(), LANGUAGES) == LANGUAGES


def test_a_cycle_covers_the_list_before_it_repeats() -> None:
    """Every lap holds each value once, in an order of its own."""
    axis = Axis.model_validate({"values": [str(n) for n in range(20)], "order": "cycle"})
    found = [axis_values({"a": axis}, ("k",), index)["a"] for index in range(60)]
    laps = [found[start : start + 20] for start in (0, 20, 40)]
    assert all(sorted(lap) == sorted(axis.values) for lap in laps)
    assert laps[0] != laps[1] != laps[2]
    other = [axis_values({"a": axis}, ("l",), index)["a"] for index in range(20)]
    assert other != laps[0]


@pytest.mark.parametrize("order", ["random", "cycle"])
def test_distinct_axes_never_agree(order: str) -> None:
    """With two values too, where the other value is the only one left."""
    for values in (["a", "b"], ["a", "b", "c"]):
        axes = {
            "x": Axis.model_validate(values),
            "y": Axis.model_validate({"values": values, "distinct_from": "x", "order": order}),
        }
        found = [axis_values(axes, ("k",), index) for index in range(200)]
        assert all(v["x"] != v["y"] for v in found)
        assert {v["y"] for v in found} == set(values)


def test_a_condition_decides_whether_an_axis_is_drawn() -> None:
    """The empty string stands where it does not hold, in chains too."""
    axes = {
        "x": Axis.model_validate(["a", "b"]),
        "y": Axis.model_validate({"values": ["c", "d"], "when": {"x": ["a"]}}),
        "z": Axis.model_validate({"values": ["e"], "when": {"x": ["a"], "y": ["c"]}}),
    }
    found = {tuple(axis_values(axes, ("k",), i).values()) for i in range(200)}
    assert found == {("a", "c", "e"), ("a", "d", ""), ("b", "", "")}


def test_weights_are_kept() -> None:
    """A value of three times the weight comes three times as often."""
    axes = {"x": Axis.model_validate({"values": {"often": 3, "seldom": 1}})}
    seen = Counter(axis_values(axes, ("k",), i)["x"] for i in range(4000))
    assert abs(seen["often"] - 3000) < 120  # over four standard deviations


def test_examples_share_a_brainstorming_call() -> None:
    """Example k uses item k mod m of call k div m; a short list wraps."""
    quota = QUOTAS[0]
    examples = [d for d in first(400) if d.family == "one" and d.language == "ja"][:15]
    calls = [brainstorm_draw(draw, quota.family, 42) for draw in examples]
    assert [call.index for call in calls] == [k // 5 for k in range(15)]
    assert [call.id for call in calls[:2]] == ["one@1/single/ja#b0"] * 2
    assert calls[0] == calls[4]
    assert len({call.values["topic"] for call in calls}) == 3
    assert [task_index(d, quota.family, 5) for d in examples[:7]] == [0, 1, 2, 3, 4, 0, 1]
    assert [task_index(d, quota.family, 3) for d in examples[:7]] == [0, 1, 2, 0, 1, 0, 1]
    assert [task_index(d, quota.family, 1) for d in examples[:7]] == [0] * 7


def test_every_request_has_a_seed_of_its_own() -> None:
    """It differs by run, draw, step and attempt, and fits 31 bits."""
    base = (1, "d", "s", 0)
    others = [(2, "d", "s", 0), (1, "e", "s", 0), (1, "d", "t", 0), (1, "d", "s", 1)]
    seeds = {request_seed(*args) for args in (base, *others)}
    assert len(seeds) == 5
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert request_seed(*base) == request_seed(*base)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_uniform_stays_below_one(parts: list[str]) -> None:
    """Whatever it depends on."""
    assert 0 <= uniform(*parts) < 1


def test_draws_are_those_of_earlier_versions() -> None:
    """A run that goes on after an update finds its answers: draws may not change."""
    assert [(d.id, *d.values.values()) for d in first(6)] == [
        ("one@1/single/en#0", "3"),
        ("one@1/single/en#1", "3"),
        ("one@1/single/ja#0", "1"),
        ("two@1/single/en-ja#0", "1"),
        ("two@1/single/ja-no#0", "1"),
        ("one@1/single/no#0", "2"),
    ]
    assert request_seed(42, "one@1/single/en#0", "write", 0) == 1659901225
