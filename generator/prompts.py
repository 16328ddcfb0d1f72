"""Draw → messages, through a sandboxed and strict Jinja environment.

A template is one user turn, or several with `{{ turn("assistant") }}` between them. `check` finds
every problem of a taxonomy's templates without rendering one. Knows no LLM and no reply.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Literal, get_args

from jinja2 import (
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateError,
    TemplateNotFound,
    TemplateSyntaxError,
    meta,
    nodes,
)
from jinja2.sandbox import SandboxedEnvironment

from generator.errors import TaxonomyError
from generator.families import Family, Form, Language, Taxonomy
from generator.records import Draw, Message, content_id
from generator.templates import optional, phrases, referenced

Role = Literal["system", "user", "assistant"]
# A private-use character: no role mark can come from a drawn value or a reply (see `_render`).
_MARK = "\ue000"
_VARIABLE = re.compile(r"\s*\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}\s*")
_TURN = re.compile(f"{_MARK}(system|user|assistant){_MARK}")
LANGUAGE_VARIABLES = frozenset({"language", "text_language", "language_code", "text_language_code"})
# Of grounded families besides; those of a second passage begin with "second_".
PASSAGE_VARIABLES = frozenset(
    {"passage", "document", "title", "heading", "title_path", "focus", "without_focus"}
)
# What an expression of a template may raise besides Jinja's own errors.
_RENDERING = (
    TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError,
    RecursionError,
)  # fmt: skip


class Renderer:
    """Renders the templates of one prompts folder, and the record templates of `tasks.yaml`."""

    def __init__(self, folder: Path) -> None:
        self._loader = FileSystemLoader(folder)
        self._env = SandboxedEnvironment(
            loader=self._loader,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            autoescape=False,
            auto_reload=False,  # one run, one version of each
        )
        self._env.globals["turn"] = _turn
        self._env.filters["fromjson"] = json.loads
        # Jinja's own `tojson` is for HTML: it would escape every apostrophe.
        self._env.filters["json"] = partial(json.dumps, ensure_ascii=False)
        self.folder = folder
        self._compiled = lru_cache(maxsize=None)(self._env.from_string)
        # The families share many files: each is parsed and looked through once.
        self._tree = lru_cache(maxsize=None)(self._parse)
        self._needs = lru_cache(maxsize=None)(self._needed)

    def load(self, template: str) -> None:
        """Compile a template and what it includes, before it is needed. Raises TaxonomyError."""
        for name in self._closure(template):
            self._get(name)

    def messages(self, template: str, variables: Mapping[str, str]) -> tuple[Message, ...]:
        """The chat turns of a rendered template. Raises TaxonomyError."""
        text = self._render(self._get(template), template, variables)
        first, *rest = _TURN.split(text)
        pairs = [("user", first), *zip(rest[::2], rest[1::2], strict=True)]
        turns = tuple(
            Message(_role(role), content.strip()) for role, content in pairs if content.strip()
        )
        if not turns:
            raise _broken(f"template {template}: it renders to nothing")
        return turns

    def text(self, source: str, variables: Mapping[str, str]) -> str:
        """An inline template (of a family's `record`) rendered. Raises TaxonomyError."""
        if "{" not in source:
            return source.strip()
        name = _alone(source)
        if name in variables and not _holds_mark(variables):
            return variables[name].strip()
        return self._render(self._compiled(source), source, variables).strip()

    @cache  # noqa: B019 - a renderer lives as long as its run
    def hash(self, template: str) -> str:
        """A hash of a template's source and of all that it includes or imports."""
        return content_id(*(self._source(name) for name in self._closure(template)))[:16]

    @cache  # noqa: B019 - see above
    def texts(self, template: str) -> tuple[str, ...]:
        """The sentences that a template and all it includes hold: examples and instructions."""
        found: list[str] = []
        for name in self._closure(template):
            tree = self._parse(name)
            found += phrases(tree)
        return tuple(dict.fromkeys(found))

    def check(self, taxonomy: Taxonomy) -> list[str]:
        """Every problem of the templates that a taxonomy names, each with its place."""
        problems: list[str] = []
        for name, family in taxonomy.families.items():
            for form_name, form in family.forms.items():
                place = f"families > {name} > forms > {form_name}"
                problems += self._check_form(family, form, form_name, place)
        return problems

    def _check_form(self, family: Family, form: Form, form_name: str, place: str) -> Iterator[str]:
        given = {*LANGUAGE_VARIABLES, *_of_passages(family)}
        known = {*given, *family.axes_of(form_name)}
        yield from _taken(family.axes_of(form_name), f"{place} > axes", given)
        if form.brainstorm:
            seen = {*given, "tasks_per_call", *form.brainstorm.axes}
            yield from _taken(form.brainstorm.axes, f"{place} > brainstorm > axes", given)
            yield from self._check_file(form.brainstorm.template, seen, f"{place} > brainstorm")
            known.add("task")
        for step_name, step in form.steps.items():
            yield from _taken(step.reply, f"{place} > steps > {step_name} > reply", given)
            yield from self._check_file(step.template, known, f"{place} > steps > {step_name}")
            known |= set(step.reply)
        record = form.record
        for source in (record.task, record.query, *record.positives, *record.negatives):
            yield from self._check_source(source, known, f"{place} > record")
        yield from self._check_source(record.label or "", known, f"{place} > record > label")

    def _check_file(self, template: str, known: set[str], place: str) -> Iterator[str]:
        """A template, what it includes (that sees its variables) and imports (that does not)."""
        waiting: list[tuple[str, frozenset[str]]] = [(template, frozenset(known))]
        done: set[str] = set()
        while waiting:
            name, names = waiting.pop()
            if name in done:
                continue
            done.add(name)
            try:
                tree = self._tree(name)
            except TaxonomyError as exc:
                yield f"{place}: {exc.message}"
                continue
            yield from self._check_source(
                self._source(name), names, f"{place} > {self.folder / name}"
            )
            waiting += [(other, frozenset(inner)) for other, inner in referenced(tree, names)]
            if None in meta.find_referenced_templates(tree):
                yield f"{place} > {self.folder / name}: name included files in full"

    def _check_source(self, source: str, known: AbstractSet[str], place: str) -> Iterator[str]:
        try:
            names = self._needs(source)
        except TemplateSyntaxError as exc:
            yield f"{place}, line {exc.lineno}: {exc.message}"
            return
        for name in sorted(names - known):
            yield f"{place}: undefined variable {name!r} (known: {', '.join(sorted(known))})"

    def _needed(self, source: str) -> AbstractSet[str]:
        """The variables that a template must be given. Raises TemplateSyntaxError."""
        tree = self._env.parse(source)
        self._env.compile(source)
        return meta.find_undeclared_variables(tree) - set(self._env.globals) - optional(tree)

    def _closure(self, template: str) -> list[str]:
        """The template and all that it includes, extends or imports, in a fixed order."""
        found = [template]
        for name in found:
            tree = self._tree(name)
            found += [
                other
                for other in meta.find_referenced_templates(tree)
                if other is not None and other not in found
            ]
        return [template, *sorted(found[1:])]

    def _parse(self, name: str) -> nodes.Template:
        source = self._source(name)
        try:
            return self._env.parse(source)
        except TemplateSyntaxError as exc:
            raise _broken(f"{self.folder / name}, line {exc.lineno}: {exc.message}") from exc

    def _source(self, name: str) -> str:
        try:
            return self._loader.get_source(self._env, name)[0]
        except TemplateNotFound as exc:
            raise _broken(f"template {name} cannot be read: none in {self.folder}") from exc
        except (OSError, UnicodeDecodeError) as exc:
            raise _broken(f"template {name} cannot be read: {exc}") from exc

    def _get(self, name: str) -> Template:
        try:
            return self._env.get_template(name)
        except TemplateSyntaxError as exc:
            raise _broken(f"{self.folder / name}, line {exc.lineno}: {exc.message}") from exc
        except (TemplateError, OSError, UnicodeDecodeError) as exc:
            raise _broken(f"template {self.folder / name}: {exc}") from exc

    def _render(self, template: Template, name: str, variables: Mapping[str, str]) -> str:
        try:
            if _holds_mark(variables):
                variables = {key: value.replace(_MARK, "") for key, value in variables.items()}
            # As `template.render` does it, without a ChainMap of the globals for each.
            context = template.new_context({**self._env.globals, **variables}, shared=True)
            return "".join(template.root_render_func(context))
        except _RENDERING as exc:
            raise _broken(f"template {name}: {exc}") from exc


def variables_of(draw: Draw, languages: Mapping[str, Language]) -> dict[str, str]:
    """What every template of a draw sees: its axis values and the names of its languages."""
    source, *_, target = draw.language.split("-") * 2
    return {
        **draw.values,
        "language": languages[source].name,
        "text_language": languages[target].name,
        "language_code": source,
        "text_language_code": target,
    }


def _of_passages(family: Family) -> set[str]:
    """The variables of a grounded family's passages."""
    if family.grounded is None:
        return set()
    second = {f"second_{name}" for name in PASSAGE_VARIABLES}
    return {"examples", *PASSAGE_VARIABLES, *(second if family.grounded.passages == 2 else ())}


def _taken(names: Iterable[str], place: str, given: AbstractSet[str]) -> Iterator[str]:
    """A problem for each name that would hide a variable which the template has anyway."""
    for name in names:
        if name in given or name == "turn":
            yield f"{place} > {name}: this name is taken; choose another"


def _turn(role: str) -> str:
    if role not in get_args(Role):
        raise TemplateError(f"turn({role!r}): a role is one of system, user, assistant")
    return f"{_MARK}{role}{_MARK}"


def _role(text: str) -> Role:
    for role in get_args(Role):
        if role == text:
            found: Role = role
            return found
    raise AssertionError(text)  # `_TURN` matches no other


def _holds_mark(variables: Mapping[str, str]) -> bool:
    return _MARK in "".join(variables.values())


@cache
def _alone(source: str) -> str:
    """The variable that a template is nothing but: no engine is needed to fill it in."""
    found = _VARIABLE.fullmatch(source)
    return found[1] if found else ""


def _broken(message: str) -> TaxonomyError:
    return TaxonomyError(message, hint="trine tasks check")
