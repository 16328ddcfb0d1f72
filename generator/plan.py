"""A configuration and a taxonomy → the plan of a run: which draws, from which templates.

Everything wrong with either is found here, before anything is spent: `tasks.yaml`, templates and
filter rules are checked together. Calls no model.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path

from generator import sampling
from generator.config import RunConfig, find_taxonomy
from generator.corpus.build import open_passages
from generator.errors import ConfigError, TaxonomyError
from generator.families import FilterSpec, Form, Taxonomy
from generator.filters import Chain, compile_rules, load
from generator.grounding import Corpus
from generator.modelconfig import Writer
from generator.nearest import nearest
from generator.prices import Prices, read_prices, refuse_unpriced
from generator.progress import Silent, Watch
from generator.prompts import Renderer
from generator.quotas import make_quotas, total_draws, with_at_most
from generator.records import Draw, content_id
from generator.runs import RunFolder
from generator.sampling import Quota
from generator.taxonomy import examine, taxonomy_error


@dataclass(frozen=True)
class Plan:
    """What a run will draw, and all it needs to write it.

    `languages` maps codes to weights; `notes` tells what was left out and why. `rounds` and the
    key of all that decides them are those of a run that keeps shares (`shares.py`).
    """

    config: RunConfig
    taxonomy: Taxonomy
    tasks_path: Path
    renderer: Renderer
    quotas: tuple[Quota, ...]
    languages: Mapping[str, float]
    chains: Mapping[str, Chain]
    notes: tuple[str, ...]
    prices: Prices
    corpus: Corpus | None = None
    rounds: sampling.Rounds = ()
    rounds_key: str = ""

    @property
    def refines_in_rounds(self) -> bool:
        """Whether records that refinement drops are made up for (`rounds.py`)."""
        return self.config.keep is not None and self.config.refine is not None

    def slots(self) -> Iterator[sampling.Slot]:
        """The run's order: without end, or the `rounds` of a run that keeps shares."""
        by = self.config.keep_shares if self.rounds else None
        return sampling.slots(self.quotas, self.languages, self.rounds, by)

    def draws(self, count: int | None = None, start: int = 0) -> Iterator[Draw]:
        """The first `count` draws (the configuration's `count` when None), from `start` on."""
        end = self.config.count if count is None else count
        return (sampling.slot_draw(s, self.config.seed) for s in islice(self.slots(), start, end))

    def draws_but(
        self, done: Container[int], count: int, start: int = 0
    ) -> Iterator[tuple[int, Draw]]:
        """The draws before number `count`, from `start` on, that are not `done`, numbered."""
        for number, slot in enumerate(islice(self.slots(), start, count), start):
            if number not in done:
                yield number, sampling.slot_draw(slot, self.config.seed)

    def form(self, draw: Draw) -> Form:
        """The form that a draw is written in."""
        return self.taxonomy.families[draw.family].forms[draw.form]

    def passage_variables(self, draw: Draw) -> dict[str, str]:
        """What templates see of a draw's passages; nothing where it has none."""
        return self.corpus.variables(draw) if self.corpus and draw.passage else {}

    def writer(self, draw: Draw) -> Writer:
        """The model that writes a draw: by the run's seed and the draw alone, never by load."""
        llm = self.config.llm
        if llm.brainstorm and draw.kind == "brainstorm":
            return llm.brainstorm
        return self.writer_of(draw.id) if llm.writers else llm.mixture[0]

    def writer_of(self, draw_id: str) -> Writer:
        """As `writer`, of an example draw by its id."""
        name = sampling.choose(self._weights, "writer", str(self.config.seed), draw_id)
        return self.config.llm.names[name]

    @cached_property
    def _weights(self) -> dict[str, float]:
        return {name: writer.weight for name, writer in self.config.llm.names.items()}

    def template_hashes(self) -> dict[str, str]:
        """Hash by template, of every template that the run's forms name."""
        return {name: self.renderer.hash(name) for name in self._templates()}

    def load(self) -> None:
        """Have templates and rules load what they need.

        Else the first of each would hold up answers that have arrived meanwhile.
        """
        for name in self._templates():
            self.renderer.load(name)
        for chain in self.chains.values():
            load(chain)

    def writing_key(self) -> str:
        """A hash of all that decides the draws and the requests (not where they are sent)."""
        config = self.config
        llm = [writer.writing() for writer in config.llm.everyone]
        quotas = [
            (quota.name, quota.form, quota.share, quota.family.model_dump_json(exclude={"filters"}))
            for quota in self.quotas
        ]
        corpus = self.corpus.key if self.corpus else ""
        parts = (config.seed, llm, dict(self.languages), quotas, *([corpus] if corpus else []))
        parts += (self.rounds_key, dict(self.rounds[0])) if self.rounds else ()
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


def make_plan(config: RunConfig, watch: Watch | None = None) -> Plan:
    """The plan of a run; its documents, if any, are read into its folder here.

    Raises TaxonomyError, ConfigError or InputError with every problem.
    """
    taxonomy, renderer, tasks_path = load_checked(config)
    languages = _languages(config, taxonomy)
    corpus = _corpus(config, watch or Silent())
    quotas, notes = make_quotas(config, taxonomy, languages, corpus)
    config, lowered = with_at_most(config, total_draws(quotas))
    prices = read_prices(config)
    refuse_unpriced(config, prices)
    plan = Plan(
        config=config,
        taxonomy=taxonomy,
        tasks_path=tasks_path,
        renderer=renderer,
        quotas=quotas,
        languages=languages,
        chains={},
        notes=notes + lowered,
        prices=prices,
        corpus=corpus,
    )
    return _with_chains(plan)


def load_checked(config: RunConfig) -> tuple[Taxonomy, Renderer, Path]:
    """The taxonomy and its templates, checked together. Raises TaxonomyError with every problem."""
    tasks_path, prompts_path = find_taxonomy(config)
    if not prompts_path.is_dir():  # else every template of every family is a problem of its own
        hint = "--prompts names the folder of templates; trine init copies one"
        raise TaxonomyError(f"{prompts_path}: no such folder", hint=hint)
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


def _corpus(config: RunConfig, watch: Watch) -> Corpus | None:
    if config.corpus is None:
        return None
    watch.begin("corpus", None)

    def on_document(documents: int, passages: int) -> None:
        watch.status(f"{documents:,} documents · {passages:,} passages")

    passages, found = open_passages(config.corpus, RunFolder(config.output), on_document)
    return Corpus(config.corpus, passages, found, config.seed)


def _with_examples(plan: Plan, quota: Quota) -> FilterSpec:
    """The family's rules; the one about copies of the prompt is given its templates' texts."""
    spec = dict(plan.filter_spec(quota.name))
    thresholds = spec.get("example_copied", False)
    if isinstance(thresholds, Mapping) and "examples" not in thresholds:
        form = quota.family.forms[quota.form]
        texts = [text for s in form.steps.values() for text in plan.renderer.texts(s.template)]
        spec["example_copied"] = {**thresholds, "examples": texts}
    return spec


def _with_chains(plan: Plan) -> Plan:
    try:
        chains = {quota.name: compile_rules(_with_examples(plan, quota)) for quota in plan.quotas}
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
            f"languages: unknown {', '.join(unknown)}{nearest(unknown[0], taxonomy.languages)}",
            hint=f"one of: {', '.join(taxonomy.languages)}",
        )
    return {
        code: taxonomy.languages[code].weight if weight is None else weight
        for code, weight in config.languages.items()
    }
