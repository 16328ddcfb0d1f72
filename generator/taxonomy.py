"""`tasks.yaml` → a `Taxonomy`. All problems are found at once, each with its place.

Knows named lists and the references between the parts. Does not know what templates hold
(`prompts.py` checks that) nor filter rules (`filters` checks those).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from generator.errors import InputError, TaxonomyError
from generator.families import Axis, Family, Frozen, Language, Taxonomy
from generator.nearest import keys_at, nearest
from generator.yamlfile import read_yaml

Model = TypeVar("Model", bound=Frozen)


def load_taxonomy(path: Path, prompts: Path) -> Taxonomy:
    """The taxonomy in `path`; lists in files are read relative to `prompts`.

    Raises TaxonomyError with every problem, or InputError where the file cannot be read.
    """
    taxonomy, problems = examine(path, prompts)
    if problems:
        raise taxonomy_error(path, problems)
    return taxonomy


def examine(path: Path, prompts: Path) -> tuple[Taxonomy, list[str]]:
    """As much of the taxonomy as holds together, and every problem of the rest.

    Raises InputError where the file cannot be read, TaxonomyError where it holds no mapping.
    """
    raw = read_yaml(path)
    if not isinstance(raw, dict):
        raise TaxonomyError(f"{path}: not a mapping", hint="see docs/taxonomy.md")
    raw = dict(raw)
    problems: list[str] = []
    lists = dict(_lists(raw.pop("lists", None), prompts, problems))
    resolved = _resolved(raw, lists, (), problems)
    try:
        taxonomy = Taxonomy.model_validate(resolved)
    except ValidationError as exc:
        problems += validation_problems(exc, Taxonomy)
        taxonomy = _sound_part(resolved)
    problems += _references(taxonomy)
    return taxonomy, problems


def _sound_part(raw: Mapping[str, Any]) -> Taxonomy:
    """The languages and families that are valid each by itself."""
    return Taxonomy.model_construct(
        languages=dict(_valid(Language, raw.get("languages"))),
        families=dict(_valid(Family, raw.get("families"))),
        filters={},
    )


def _valid(kind: type[Model], raw: Any) -> Iterator[tuple[str, Model]]:
    for name, value in raw.items() if isinstance(raw, dict) else ():
        with suppress(ValidationError):
            yield str(name), kind.model_validate(value)


def validation_problems(exc: ValidationError, kind: type[BaseModel] | None = None) -> list[str]:
    """One line per problem: `families > sts > share: Input should be …`.

    Of a `kind`, the key that is nearest to an unknown one is told, too.
    """
    lines = []
    for error in exc.errors(include_url=False):
        place = " > ".join(str(part) for part in error["loc"] if not _is_internal(part))
        message = error["msg"].removeprefix("Value error, ")
        if error["type"] == "extra_forbidden":
            *above, own = error["loc"]
            message = "unknown key" + (nearest(str(own), keys_at(kind, above)) if kind else "")
        elif error["type"] not in {"missing", "value_error"}:
            message = f"{message} (found {error['input']!r})"[:200]
        lines.append(f"{place}: {message}")
    return list(dict.fromkeys(lines))


def _is_internal(part: int | str) -> bool:
    """Whether pydantic put this part of a place there to name a branch of a union."""
    return isinstance(part, str) and ("[" in part or part in {"tuple", "literal"})


def taxonomy_error(path: Path, problems: list[str]) -> TaxonomyError:
    """The error that tells all problems of a taxonomy."""
    count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
    return TaxonomyError(
        f"{path}: {count}", hint="trine tasks check (docs/taxonomy.md)", problems=tuple(problems)
    )


def _lists(
    raw: Any, prompts: Path, problems: list[str]
) -> Iterator[tuple[str, list[str] | dict[str, float]]]:
    if raw is not None and not isinstance(raw, dict):
        problems.append("lists: not a mapping of names to lists")
        return
    for name, value in (raw or {}).items():
        if isinstance(value, dict) and set(value) == {"file"}:
            try:
                text = (prompts / str(value["file"])).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as exc:
                problems.append(f"lists > {name}: {exc}")
                continue
            yield name, [line.strip() for line in text.splitlines() if line.strip()]
        elif isinstance(value, list | dict):
            yield name, value
        else:
            problems.append(f"lists > {name}: neither a list nor {{file: …}}")


def _resolved(
    value: Any, lists: Mapping[str, Any], place: tuple[str, ...], problems: list[str]
) -> Any:
    """The same YAML with `{list: name}` of every axis replaced by that list's values."""
    if not isinstance(value, dict):
        return value
    # Of a family, of a form, of its brainstorming: anything else may bear the name `axes`.
    if place and place[-1] == "axes" and len(place) in {3, 5, 6}:
        return {
            name: _axis(axis, lists, " > ".join((*place, str(name))), problems)
            for name, axis in value.items()
        }
    return {
        key: _resolved(item, lists, (*place, str(key)), problems) for key, item in value.items()
    }


def _axis(axis: Any, lists: Mapping[str, Any], place: str, problems: list[str]) -> Any:
    if not isinstance(axis, dict) or "list" not in axis:
        return axis
    rest = {key: item for key, item in axis.items() if key != "list"}
    if "values" in axis:
        problems.append(f"{place}: either a list or values, not both")
    if str(axis["list"]) not in lists:
        problems.append(f"{place}: no list is called {axis['list']!r}")
        return {**rest, "values": ["-"]}
    return {**rest, "values": lists[str(axis["list"])]}


def _references(taxonomy: Taxonomy) -> Iterator[str]:
    for code in taxonomy.languages:
        if "-" in code:
            yield f"languages > {code}: a hyphen joins the codes of a pair; write {_joined(code)}"
    for name, family in taxonomy.families.items():
        place = f"families > {name}"
        if isinstance(family.languages, tuple):
            unknown = set(family.languages) - set(taxonomy.languages)
            yield from (f"{place} > languages: {code!r} is not listed" for code in sorted(unknown))
        for form_name, form in family.forms.items():
            yield from _axis_references(family.axes_of(form_name), f"{place} > forms > {form_name}")
            if form.brainstorm:
                yield from _axis_references(
                    form.brainstorm.axes, f"{place} > forms > {form_name} > brainstorm"
                )


def _axis_references(axes: Mapping[str, Axis], place: str) -> Iterator[str]:
    """An axis may only look at axes that stand before it (they are drawn in order)."""
    before: dict[str, Axis] = {}
    for name, axis in axes.items():
        where = f"{place} > axes > {name}"
        for other in (*([axis.distinct_from] if axis.distinct_from else []), *axis.when):
            if other not in before:
                yield f"{where}: no axis {other!r} stands before it"
        if axis.distinct_from and len(axis.values) < 2:
            yield f"{where}: one value alone cannot differ from {axis.distinct_from!r}"
        for other, options in axis.when.items():
            strange = sorted(set(options) - set(before[other].values)) if other in before else []
            yield from (f"{where} > when > {other}: it is never {value!r}" for value in strange)
        before[name] = axis


def _joined(code: str) -> str:
    return code.replace("-", "_")


def family_of(taxonomy: Taxonomy, name: str) -> Family:
    """The family of that name. Raises InputError with the names there are."""
    if name not in taxonomy.families:
        known = ", ".join(taxonomy.families)
        meant = nearest(name, taxonomy.families)
        raise InputError(f"unknown family {name!r}{meant}", hint=f"one of: {known}")
    return taxonomy.families[name]
