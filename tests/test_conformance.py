"""`tasks.yaml` against the paper (Wang et al. 2024, arXiv 2401.00368), and its files against it.

Read as plain YAML, not through the loader: what the file says is tested, not what trine makes of
it. The value sets are those of the paper's prompt tables (8 to 13 in v3).
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import FileSystemLoader, StrictUndefined, meta
from jinja2.sandbox import SandboxedEnvironment

ROOT = Path(__file__).parent.parent
PROMPTS = ROOT / "prompts"
TAXONOMY: dict[str, Any] = yaml.safe_load((ROOT / "tasks.yaml").read_text(encoding="utf-8"))
LANGUAGES: dict[str, Any] = TAXONOMY["languages"]
FAMILIES: dict[str, Any] = TAXONOMY["families"]
LIST_FILES = sorted((PROMPTS / "lists").glob("*.txt"))
TEMPLATES = sorted(path.relative_to(PROMPTS).as_posix() for path in PROMPTS.rglob("*.j2"))
ENVIRONMENT = SandboxedEnvironment(
    loader=FileSystemLoader(PROMPTS),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.filters |= {"json": json.dumps, "fromjson": json.loads}

# XLM-R's list without the five romanised variants and Zawgyi, Chinese once.
_CODES = (
    "af am ar as az be bg bn br bs ca cs cy da de el en eo es et eu fa fi fr fy ga gd gl gu ha he "
    "hi hr hu hy id is it ja jv ka kk km kn ko ku ky la lo lt lv mg mk ml mn mr ms my ne nl no om "
    "or pa pl ps pt ro ru sa sd si sk sl so sq sr su sv sw ta te th tl tr ug uk ur uz vi xh yi zh"
)
CODES = _CODES.split()
WEIGHTS = {
    "en": 0.431,
    "pl": 0.030,
    **dict.fromkeys(["ja", "it", "ru", "id", "de", "fa"], 0.029),
    **dict.fromkeys(["es", "zh", "fr", "pt", "nl"], 0.028),
    "ar": 0.027,
}
SHARES = {
    "short-long": 167,
    "long-short": 122,
    "sts": 99,
    "bitext": 89,
    "long-long": 17,
    "short-short": 13,
}
BRAINSTORMED = ["short-long", "long-short", "long-long", "short-short"]

DIFFICULTY = {"high school", "college", "PhD"}
SCHOOL_DIFFICULTY = {"elementary school", "high school", "college"}
CLARITY = {"clear", "understandable with some effort", "ambiguous"}
UNIT = {"sentence", "phrase", "passage"}
HIGH_SCORE = {"4", "4.5", "5"}
VALUE_SETS: dict[str, dict[str, set[str]]] = {
    "short-long": {
        "query_type": {"extremely long-tail", "long-tail", "common"},
        "query_length": {"less than 5 words", "5 to 15 words", "at least 10 words"},
        "difficulty": DIFFICULTY,
        "clarity": CLARITY,
        "num_words": {"50", "100", "200", "300", "400", "500"},
    },
    "long-short": {
        "num_words": {"less than 10", "at least 10", "at least 50", "at least 100", "at least 200"},
        "difficulty": DIFFICULTY,
        "clarity": CLARITY,
    },
    "short-short": {},
    "long-long": {},
    "sts": {
        "unit": UNIT,
        "high_score": HIGH_SCORE,
        "low_score": {"2.5", "3", "3.5"},
        "difficulty": SCHOOL_DIFFICULTY,
    },
    "bitext": {
        "unit": UNIT,
        "high_score": HIGH_SCORE,
        "low_score": {"1.5", "2", "2.5"},
        "difficulty": SCHOOL_DIFFICULTY,
    },
}
REPLY_KEYS = {
    "short-long": ["user_query", "positive_document", "hard_negative_document"],
    "long-short": ["input_text", "label", "misleading_label"],
    "short-short": ["input", "positive_document"],
    "long-long": ["input", "positive_document"],
    "sts": ["S1", "S2", "S3"],
    "bitext": ["S1", "S2", "S3"],
}


# A summary that is easier to ask about than the passage; instructions, as all others are.
WRITTEN_IN_ENGLISH = {"grounded/summary.j2", "grounded/task.j2"}


def single(family: str) -> Any:
    return FAMILIES[family]["forms"]["single"]


def named_templates() -> Iterator[tuple[str, str]]:
    for family, spec in FAMILIES.items():
        for form, body in spec["forms"].items():
            steps = [*body.get("steps", {}).values()]
            steps += [body["brainstorm"]] if "brainstorm" in body else []
            yield from ((f"{family}/{form}", step["template"]) for step in steps)


def language_names_in(text: str) -> list[str]:
    names = {name for language in LANGUAGES.values() for name in _names(language["name"])}
    return [name for name in names if re.search(rf"\b{name}\b", text, re.IGNORECASE)]


def _names(name: str) -> list[str]:
    return [name, name.rsplit(maxsplit=1)[-1]]  # "Western Frisian" is Frisian too


def test_languages_are_the_93_of_the_paper() -> None:
    """The codes are exactly XLM-R's without romanised variants and Zawgyi, Chinese once."""
    assert len(CODES) == 93
    assert sorted(LANGUAGES) == CODES


def test_language_weights_are_the_shares_of_the_paper() -> None:
    """Published shares are met exactly and the other languages split the rest equally."""
    assert {code: LANGUAGES[code]["weight"] for code in WEIGHTS} == WEIGHTS
    assert len({LANGUAGES[code]["weight"] for code in set(CODES) - set(WEIGHTS)}) == 1
    assert sum(language["weight"] for language in LANGUAGES.values()) == pytest.approx(1, abs=1e-6)


def test_every_language_has_a_name_and_a_script() -> None:
    """Names are distinct and capitalised, scripts are ISO 15924 codes."""
    assert len({language["name"] for language in LANGUAGES.values()}) == len(LANGUAGES)
    for code, language in LANGUAGES.items():
        assert set(language) == {"name", "weight", "script"}, code
        assert language["name"][0].isupper(), code
        assert re.fullmatch("[A-Z][a-z]{3}", language["script"]), code


def test_shares_are_the_proportions_of_the_paper() -> None:
    """The six families have the paper's counts (in thousands) and the others none."""
    assert {name: f["share"] for name, f in FAMILIES.items() if f["share"]} == SHARES


@pytest.mark.parametrize("family", VALUE_SETS)
def test_value_sets_are_those_of_the_paper(family: str) -> None:
    """Every placeholder is drawn uniformly from the paper's set; only a topic may come on top."""
    axes = dict(FAMILIES[family].get("axes", {}))
    axes.pop("topic", None)
    assert all(isinstance(axis, list) for axis in axes.values())
    assert {name: {str(v) for v in axis} for name, axis in axes.items()} == VALUE_SETS[family]
    assert all(len(axis) == len(set(axis)) for axis in axes.values())


@pytest.mark.parametrize("family", VALUE_SETS)
def test_every_placeholder_reaches_the_writer(family: str) -> None:
    """The template that writes the example reads every axis of its family."""
    template = single(family)["steps"]["write"]["template"]
    source = (PROMPTS / template).read_text(encoding="utf-8")
    read = meta.find_undeclared_variables(ENVIRONMENT.parse(source))
    assert set(FAMILIES[family].get("axes", {})) <= read
    assert ("task" in read) == (family in BRAINSTORMED)
    assert "language" in read


@pytest.mark.parametrize("family", REPLY_KEYS)
def test_a_reply_has_the_keys_of_the_paper(family: str) -> None:
    """One reply holds the whole example, under the paper's keys, in its order."""
    (step,) = single(family)["steps"].values()
    assert list(step["reply"]) == REPLY_KEYS[family]


@pytest.mark.parametrize("family", REPLY_KEYS)
def test_a_record_maps_the_keys_as_the_paper_does(family: str) -> None:
    """The first key is the query, the second the positive, the third (if any) the negative."""
    query, positive, *negatives = [f"{{{{ {key} }}}}" for key in REPLY_KEYS[family]]
    record = single(family)["record"]
    assert record["query"] == query
    assert record["positives"] == [positive]
    assert record.get("negatives", []) == negatives


@pytest.mark.parametrize("family", SHARES)
def test_the_asymmetric_families_alone_brainstorm(family: str) -> None:
    """They ask for 20 tasks a call at T = 1; the symmetric ones have a fixed instruction."""
    brainstorm = single(family).get("brainstorm")
    task = single(family)["record"]["task"]
    if family in BRAINSTORMED:
        assert (brainstorm["tasks_per_call"], brainstorm["temperature"]) == (20, 1.0)
        assert task == "{{ task }}"
    else:
        assert brainstorm is None
        assert "{{" not in task


def test_sts_and_bitext_are_symmetric() -> None:
    """Their instruction goes on both sides, and bitext alone has two languages."""
    assert {name for name in SHARES if FAMILIES[name]["symmetric"]} == {"sts", "bitext"}
    assert {name for name in SHARES if FAMILIES[name]["languages"] == "pair"} == {"bitext"}


def test_labels_of_other_rows_are_no_negatives() -> None:
    """Another row's label may be right too, so long-short trains on its own negative alone."""
    assert FAMILIES["long-short"]["in_batch"] == "none"
    assert single("long-short")["record"]["label"] == "{{ label }}"


def test_the_recipe_has_the_size_of_the_paper() -> None:
    """recipes/e5-mistral.yaml names the six families with the paper's counts."""
    recipe = yaml.safe_load((ROOT / "recipes/e5-mistral.yaml").read_text(encoding="utf-8"))
    assert recipe["families"] == SHARES
    assert recipe["count"] == 1000 * sum(SHARES.values())


@pytest.mark.parametrize("path", LIST_FILES, ids=lambda path: path.stem)
def test_a_list_holds_distinct_values(path: Path) -> None:
    """No value stands twice, in whatever case, and none has space around it or is empty."""
    values = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    assert all(value and value == value.strip() for value in values)
    folded = [value.casefold() for value in values]
    assert sorted(folded) == sorted(set(folded))


@pytest.mark.parametrize("path", LIST_FILES, ids=lambda path: path.stem)
def test_a_list_names_no_language(path: Path) -> None:
    """A prompt names a language only as the draw's, so no value may bring in another."""
    assert language_names_in(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_names_no_language(template: str) -> None:
    """Templates name a language through their variables alone, but for what is to be in English."""
    named = language_names_in((PROMPTS / template).read_text(encoding="utf-8"))
    assert named == (["English"] if template in WRITTEN_IN_ENGLISH else [])


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_parses(template: str) -> None:
    """Every template, with all that it includes and imports, is valid Jinja."""
    ENVIRONMENT.get_template(template)
    tree = ENVIRONMENT.parse((PROMPTS / template).read_text(encoding="utf-8"))
    for name in meta.find_referenced_templates(tree):
        assert name in TEMPLATES


def test_named_templates_and_lists_exist() -> None:
    """Each template and list file that tasks.yaml names is there."""
    assert [pair for pair in named_templates() if pair[1] not in TEMPLATES] == []
    files = [spec["file"] for spec in TAXONOMY["lists"].values() if isinstance(spec, dict)]
    assert [name for name in files if not (PROMPTS / name).is_file()] == []


@pytest.mark.parametrize("family", ["short-short", "sts", "bitext", "clustering"])
def test_short_families_ask_for_no_long_text(family: str) -> None:
    """Their prompts hold no "N words" that a writer could take for a length to reach."""
    for step in single(family)["steps"].values():
        tree = ENVIRONMENT.parse((PROMPTS / step["template"]).read_text(encoding="utf-8"))
        names = [step["template"], *filter(None, meta.find_referenced_templates(tree))]
        source = "\n".join((PROMPTS / name).read_text(encoding="utf-8") for name in names)
        assert re.findall(r"\d+ words", source) == []
