"""A configuration and a taxonomy → the plan of a run: which draws, from which templates.

Everything wrong with either is found here, before anything is spent: `tasks.yaml`, templates and
filter rules are checked together. Calls no model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from generator import sampling
from generator.config import RunConfig, find_taxonomy
from generator.errors import ConfigError, TaxonomyError
from generator.families import Family, FilterSpec, Form, Taxonomy
from generator.filters import Chain, compile_rules
from generator.prompts import Renderer
from generator.records import Draw, content_id
from generator.sampling import Quota
from generator.taxonomy import examine, taxonomy_error

_FORM_ORDER = {"transformers": ("staged", "single")}


@dataclass(frozen=True)
class Plan:
    """What a run will draw, and all it needs to write it.

    `languages` maps codes to weights; `notes` tells what was left out and why.
    """

    config: RunConfig
    taxonomy: Taxonomy
    tasks_path: Path
    renderer: Renderer
    quotas: tuple[Quota, ...]
    languages: Mapping[str, float]
    chains: Mapping[str, Chain]
    notes: tuple[str, ...]

    def draws(self, count: int | None = None) -> Iterator[Draw]:
        """The first `count` draws (the configuration's `count` when None)."""
        endless = sampling.draws(self.quotas, self.languages, self.config.seed)
        return islice(endless, self.config.count if count is None else count)

    def form(self, draw: Draw) -> Form:
        """The form that a draw is written in."""
        return self.taxonomy.families[draw.family].forms[draw.form]

    def template_hashes(self) -> dict[str, str]:
        """Hash by template, of every template that the run's forms name."""
        return {name: self.renderer.hash(name) for name in self._templates()}

    def writing_key(self) -> str:
        """A hash of all that decides the draws and the requests (not where they are sent)."""
        config = self.config
        llm = config.llm.model_dump(include={"model", "temperature", "top_p", "max_tokens"})
        quotas = [
            (quota.name, quota.form, quota.share, quota.family.model_dump_json(exclude={"filters"}))
            for quota in self.quotas
        ]
        parts = (config.seed, llm, config.llm.max_attempts, dict(self.languages), quotas)
        names = {code: self.taxonomy.languages[code].name for code in self.languages}
        return content_id(repr(parts), repr(names), repr(self.template_hashes()))

    def filter_spec(self, family: str) -> FilterSpec:
        """The rules for one family: the taxonomy's, the family's own, then the run's."""
        own = self.taxonomy.families.get(family)
        merged = {**self.taxonomy.filters, **(own.filters if own else {}), **self.config.filters}
        return dict(merged)

    def _templates(self) -> list[str]:
        names = []
        for quota in self.quotas:
            form = quota.family.forms[quota.form]
            names += [form.brainstorm.template] if form.brainstorm else []
            names += [step.template for step in form.steps.values()]
        return list(dict.fromkeys(names))


def make_plan(config: RunConfig) -> Plan:
    """The plan of a run. Raises TaxonomyError, ConfigError or InputError with every problem."""
    taxonomy, renderer, tasks_path = load_checked(config)
    languages = _languages(config, taxonomy)
    quotas, notes = _quotas(config, taxonomy, languages)
    plan = Plan(
        config=config,
        taxonomy=taxonomy,
        tasks_path=tasks_path,
        renderer=renderer,
        quotas=quotas,
        languages=languages,
        chains={},
        notes=notes,
    )
    return _with_chains(plan)


def load_checked(config: RunConfig) -> tuple[Taxonomy, Renderer, Path]:
    """The taxonomy and its templates, checked together. Raises TaxonomyError with every problem."""
    tasks_path, prompts_path = find_taxonomy(config)
    taxonomy, problems = examine(tasks_path, prompts_path)
    renderer = Renderer(prompts_path)
    problems += renderer.check(taxonomy)
    specs = [("filters", taxonomy.filters)]
    specs += [(f"families > {name} > filters", f.filters) for name, f in taxonomy.families.items()]
    for place, spec in specs:
        problems += _rule_problems(spec, place)
    if problems:
        raise taxonomy_error(tasks_path, problems)
    return taxonomy, renderer, tasks_path


def _rule_problems(spec: FilterSpec, place: str) -> list[str]:
    try:
        compile_rules(spec, where=place)
    except TaxonomyError as exc:
        return list(exc.problems)
    return []


def _with_chains(plan: Plan) -> Plan:
    try:
        chains = {quota.name: compile_rules(plan.filter_spec(quota.name)) for quota in plan.quotas}
    except TaxonomyError as exc:
        raise ConfigError(
            "filters of this run", hint="docs/filters.md", problems=exc.problems
        ) from exc
    return replace(plan, chains=chains)


def _languages(config: RunConfig, taxonomy: Taxonomy) -> dict[str, float]:
    if config.languages is None:
        return {code: language.weight for code, language in taxonomy.languages.items()}
    unknown = sorted(set(config.languages) - set(taxonomy.languages))
    if unknown:
        raise ConfigError(
            f"languages: unknown {', '.join(unknown)}",
            hint=f"one of: {', '.join(taxonomy.languages)}",
        )
    return {
        code: taxonomy.languages[code].weight if weight is None else weight
        for code, weight in config.languages.items()
    }


def _quotas(
    config: RunConfig, taxonomy: Taxonomy, languages: Mapping[str, float]
) -> tuple[tuple[Quota, ...], tuple[str, ...]]:
    shares = config.families or {n: f.share for n, f in taxonomy.families.items() if f.share > 0}
    unknown = sorted(set(shares) - set(taxonomy.families))
    if unknown:
        raise ConfigError(
            f"families: unknown {', '.join(unknown)}",
            hint=f"one of: {', '.join(taxonomy.families)}",
        )
    quotas, notes = [], []
    for name, share in shares.items():
        family = taxonomy.families[name]
        if not sampling.language_keys(family, languages):
            notes.append(f"{name} is left out: none of its languages is asked for")
            continue
        quotas.append(Quota(name, family, _form(config, name, family, set(languages)), share))
    if not quotas:
        raise ConfigError(
            "no family is left to draw from",
            hint="a family of language pairs needs two languages: --set languages=[en,ja]",
            problems=tuple(notes),
        )
    return tuple(quotas), tuple(notes)


def _form(config: RunConfig, name: str, family: Family, languages: set[str]) -> str:
    fitting = [
        form_name
        for form_name, form in family.forms.items()
        if not form.languages or languages <= set(form.languages)
    ]
    if config.form in fitting:
        return config.form
    if config.form not in {"auto", *family.forms}:
        raise ConfigError(
            f"family {name} has no form {config.form!r}",
            hint=f"--set form=auto, or one of: {', '.join(family.forms)}",
        )
    if config.form != "auto" or not fitting:
        raise ConfigError(
            f"family {name} has no form {config.form!r} for {', '.join(sorted(languages))}",
            hint="--set form=auto, or the languages of the form: docs/taxonomy.md",
        )
    wanted = _FORM_ORDER.get(config.llm.backend, ("single", "staged"))
    return next((form for form in wanted if form in fitting), fitting[0])
