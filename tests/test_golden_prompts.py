"""Every prompt of the real taxonomy, rendered for a fixed draw, as files to read and review.

A change of a prompt shows here as a diff; it makes a family's examples others, so raise its
`version`. Write the files anew with

    UPDATE_GOLDEN=1 python -m pytest tests/test_golden_prompts.py
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from generator import sampling, writing
from generator.config import load_config
from generator.plan import Plan, make_plan
from generator.records import Completion, Draw, Prompt, Task

ROOT = Path(__file__).parent.parent
GOLDEN = Path(__file__).parent / "golden" / "prompts"
UPDATE = bool(os.environ.get("UPDATE_GOLDEN"))
INDEX = 7
DOCUMENTS = {
    "bees.md": (
        "# Honey bee\n\nA strong colony can hold up to 60,000 bees in summer, almost all of them"
        " female workers.\n\n## Hives\n\nThe entrance of a hive faces south-east, so that bees"
        " begin their work early in the day.\n"
    ),
    "houses.md": (
        "# 養蜂\n\n巣箱は日当たりのよい場所に置き、冬の北風を避けるように林の南側を選ぶとよい。\n\n"
        "## 採蜜\n\n採蜜は夏の初めに行い、巣板の三分の二に蓋がされてから始める。\n"
    ),
}
# Families that are rendered for Japanese, too (pairs: into Japanese).
IN_JAPANESE = {"short-long", "long-short", "sts", "bitext", "reasoning"}


def _plan(families: list[str] | None = None, **keys: object) -> Plan:
    """The plan of the real taxonomy, in the forms of a capable model."""
    return make_plan(
        load_config(
            environ={},
            **{
                "tasks": ROOT / "tasks.yaml",
                "prompts": ROOT / "prompts",
                "llm.backend": "scripted",
                "families": families,
                **keys,
            },
        )
    )


def _prompts(plan: Plan, draw: Draw) -> list[Prompt]:
    """All prompts of a draw in order; `<field>` stands for an earlier answer."""
    family = plan.taxonomy.families[draw.family]
    prompts: list[Prompt] = []
    task = None
    if plan.form(draw).brainstorm:
        call = sampling.brainstorm_draw(draw, family, plan.config.seed)
        prompts.append(next(writing.brainstorm_steps(plan, call)))
        task = Task(draw.family, draw.language, "<task>", call.id, "")
    steps = writing.example_steps(plan, draw, task)
    answer: Completion | None = None
    while True:
        try:
            prompt = next(steps) if answer is None else steps.send(answer)
        except StopIteration:
            return prompts
        prompts.append(prompt)
        fields = plan.form(draw).steps[prompt.step].reply
        reply = {name: f.one_of[0] if f.one_of else f"<{name}>" for name, f in fields.items()}
        answer = Completion(json.dumps(reply))


def _languages(name: str, languages: object) -> list[str]:
    codes = ["en-de" if languages == "pair" else "en"]
    if name in IN_JAPANESE:
        codes.append("en-ja" if languages == "pair" else "ja")
    return codes


def _cases() -> dict[str, tuple[str, str, str]]:
    """File stem → family, form, language, by walking the taxonomy."""
    return {
        f"{name}.{form}.{code}": (name, form, code)
        for name, family in _plan().taxonomy.families.items()
        if family.grounded is None
        for form in family.forms
        for code in _languages(name, family.languages)
    }


def _grounded() -> Iterator[tuple[str, Plan, Draw]]:
    """File stem, plan and first draw of every grounded form that asks a model, by language."""
    with TemporaryDirectory() as folder:
        documents = Path(folder) / "documents"
        documents.mkdir()
        for name, text in DOCUMENTS.items():
            (documents / name).write_text(text, encoding="utf-8")
        pairs = [
            {"query": f"example query {i}", "passage": f"Example passage {i}."} for i in (1, 2)
        ]
        examples = Path(folder) / "examples.jsonl"
        examples.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
        keys = {
            "corpus": {"paths": str(documents), "min_tokens": 0, "examples": str(examples)},
            "output": Path(folder) / "run",
        }
        for name, family in _plan().taxonomy.families.items():
            for form, spec in family.forms.items() if family.grounded else ():
                if spec.steps or spec.brainstorm:
                    plan = _plan([name], form=form, languages=["en", "ja"], **keys)
                    first = {draw.language: draw for draw in reversed(list(plan.draws()))}
                    for code, draw in sorted(first.items()):
                        yield f"{name}.{form}.{code}", plan, draw


def _rendered() -> dict[str, str]:
    """File name → content, of every prompt."""
    taxonomy = _plan().taxonomy
    plan = _plan([name for name, family in taxonomy.families.items() if family.grounded is None])
    files = {}
    for stem, (name, form, code) in _cases().items():
        family = taxonomy.families[name]
        draw = sampling.example_draw(name, family, form, code, INDEX, plan.config.seed)
        files |= _files(stem, plan, draw)
    for stem, plan, draw in _grounded():
        files |= _files(stem, plan, draw)
    return files


def _files(stem: str, plan: Plan, draw: Draw) -> dict[str, str]:
    files = {}
    for prompt in _prompts(plan, draw):
        params = prompt.params
        head = (
            f"# {draw.family} version {draw.version} · {draw.form} · {prompt.step}\n"
            f"# temperature {params.temperature:g} · top_p {params.top_p:g} · "
            f"max_tokens {params.max_tokens}\n# {prompt.schema}\n"
        )
        turns = "".join(f"\n[{m.role}]\n{m.content}\n" for m in prompt.messages)
        files[f"{stem}.{prompt.step}.txt"] = head + turns
    return files


RENDERED = _rendered()
if UPDATE:
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for _old in GOLDEN.glob("*.txt"):
        _old.unlink()
    for _name, _text in RENDERED.items():
        (GOLDEN / _name).write_text(_text, encoding="utf-8")


@pytest.mark.parametrize("name", RENDERED)
def test_a_prompt_is_as_it_was_reviewed(name: str) -> None:
    """If the change is meant: raise the family's version and UPDATE_GOLDEN=1."""
    path = GOLDEN / name
    assert path.is_file(), "a new prompt: UPDATE_GOLDEN=1 writes it"
    assert RENDERED[name] == path.read_text(encoding="utf-8")


def test_no_golden_prompt_is_left_over() -> None:
    """Each file is rendered from the taxonomy."""
    assert sorted(path.name for path in GOLDEN.glob("*.txt")) == sorted(RENDERED)


@pytest.mark.parametrize("name", RENDERED)
def test_a_prompt_has_no_gap(name: str) -> None:
    """No empty value, no leftover of Jinja, no trailing blanks, no two blank lines."""
    text = RENDERED[name].partition("\n[")[2]
    assert "{{" not in text
    assert "{%" not in text
    assert "\n\n\n" not in text
    assert not [line for line in text.splitlines() if line != line.rstrip()]
    for line in text.splitlines():
        assert not line.endswith((" :", ": ;")), line
