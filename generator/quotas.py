"""A run's families, each with its form and share, and what it is written from; what is left out.

A run with a corpus draws from the grounded families unless it names some; others from the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from generator import sampling
from generator.config import RunConfig
from generator.errors import ConfigError
from generator.families import Family, Taxonomy
from generator.formorder import form_note, form_order, is_embedded, written
from generator.grounding import Corpus, Grounds
from generator.nearest import nearest
from generator.sampling import Quota

Notes = list[str]


def make_quotas(
    config: RunConfig, taxonomy: Taxonomy, languages: Mapping[str, float], corpus: Corpus | None
) -> tuple[tuple[Quota, ...], tuple[str, ...]]:
    """The quotas of a run, and notes on what is left out. Raises ConfigError."""
    notes: Notes = []
    quotas: list[Quota] = []
    for name, share in _shares(config, taxonomy, corpus).items():
        family = taxonomy.families[name]
        if family.grounded is not None:
            quotas += _grounded(config, name, family, share, languages, corpus, notes)
        elif sampling.language_keys(family, languages):
            form = _form(config, name, family, set(languages))
            quotas.append(Quota(name, family, form, share))
        else:
            notes.append(f"{name} is left out: none of its languages is asked for")
    if not quotas:
        raise ConfigError(
            "no family is left to draw from", hint=_hint(config, corpus), problems=tuple(notes)
        )
    staged = (q.name for q in quotas if q.form == "staged" and len(q.family.forms) > 1)
    return tuple(quotas), (*form_note(config, staged), *notes)


def _hint(config: RunConfig, corpus: Corpus | None) -> str:
    if corpus is None:
        return "a family of language pairs needs two languages: --set languages=[en,ja]"
    if config.families is None:
        return "-c my-documents, or --set families=[grounded-question] (trine tasks)"
    return "trine corpus FOLDER shows the languages of its passages"


def total_draws(quotas: tuple[Quota, ...]) -> int | None:
    """How many draws there are at all; None where some family goes on without end."""
    sizes = [None if quota.grounds is None else len(quota.grounds) for quota in quotas]
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None


def _shares(config: RunConfig, taxonomy: Taxonomy, corpus: Corpus | None) -> Mapping[str, float]:
    shares = config.families or {
        name: family.share
        for name, family in taxonomy.families.items()
        if family.share > 0 and (family.grounded is None) == (corpus is None)
    }
    unknown = sorted(set(shares) - set(taxonomy.families))
    if unknown:
        raise ConfigError(
            f"families: unknown {', '.join(unknown)}{nearest(unknown[0], taxonomy.families)}",
            hint=f"one of: {', '.join(taxonomy.families)}",
        )
    return shares


def _grounded(
    config: RunConfig,
    name: str,
    family: Family,
    share: float,
    languages: Mapping[str, float],
    corpus: Corpus | None,
    notes: Notes,
) -> Iterator[Quota]:
    """The quota of a family that is written from documents, in the form that suits most of them."""
    if corpus is None:
        raise ConfigError(
            f"family {name} is written from documents, and the run has none",
            hint="--set corpus=FOLDER (docs/corpus.md)",
        )
    if family.grounded and family.grounded.needs_examples and not corpus.examples:
        notes.append(f"{name} is left out: it needs examples (--set corpus.examples=FILE)")
        return
    forms = _forms(config, name, family)
    if forms[0] == "staged" and config.form == "auto" and is_embedded(config):
        forms = forms[:1]  # the other languages are those that such a model does not write
    whole = len(corpus.grounds(name, _written_in(family, forms[0], ()), forms[0], languages))
    found = {form: _grounds(config, name, family, form, languages, corpus) for form in forms}
    fitting = (form for form in forms if 2 * len(found[form]) >= whole)
    form = next(fitting, max(forms, key=lambda name: len(found[name])))
    codes = written(config, family.forms[form])
    if found[form]:
        yield Quota(name, family, form, share, found[form])
        if len(found[form]) < whole:
            notes.append(_left_out(name, form, codes, whole - len(found[form])))
        return
    has = ", ".join(f"{n:,} {code}" for code, n in corpus.ingested.languages.most_common(5))
    model = " by this model (-m MODEL --set form=single for others)" if codes else ""
    what = (", ".join(codes) or "the run's languages") + model
    notes.append(f"{name} is left out: it is written in {what}; the corpus has {has}")


def _left_out(name: str, form: str, codes: tuple[str, ...], missing: int) -> str:
    return (
        f"{name} leaves out {missing:,} draws: its form {form} is written in {', '.join(codes)}"
        " alone; a larger model writes all (-m MODEL --set form=single)"
    )


def _grounds(
    config: RunConfig,
    name: str,
    family: Family,
    form: str,
    languages: Mapping[str, float],
    corpus: Corpus,
) -> Grounds:
    """The draws of a form in the languages that the writer writes in it."""
    codes = written(config, family.forms[form])
    return corpus.grounds(name, _written_in(family, form, codes), form, languages)


def _written_in(family: Family, form: str, codes: tuple[str, ...]) -> Family:
    bound = family.forms[form].model_copy(update={"languages": codes})
    return family.model_copy(update={"forms": {**family.forms, form: bound}})


def _forms(config: RunConfig, name: str, family: Family) -> tuple[str, ...]:
    """The forms to try, the best first."""
    if config.form in family.forms:
        return (config.form,)
    if config.form != "auto":
        raise ConfigError(
            f"family {name} has no form {config.form!r}",
            hint=f"--set form=auto, or one of: {', '.join(family.forms)}",
        )
    wanted = [form for form in form_order(config) if form in family.forms]
    return tuple(dict.fromkeys((*wanted, *family.forms)))


def _form(config: RunConfig, name: str, family: Family, languages: set[str]) -> str:
    fitting = [
        form_name
        for form_name, form in family.forms.items()
        if not form.languages or languages <= set(form.languages)
    ]
    forms = _forms(config, name, family)
    if config.form in fitting:
        return config.form
    if config.form != "auto" or not fitting:
        raise ConfigError(
            f"family {name} has no form {config.form!r} for {', '.join(sorted(languages))}",
            hint="--set form=auto, or the languages of the form: docs/taxonomy.md",
        )
    return next(form for form in forms if form in fitting)


def with_at_most(config: RunConfig, total: int | None) -> tuple[RunConfig, tuple[str, ...]]:
    """The configuration with `count` lowered to what there is, and a note where it was."""
    if total is None or config.count <= total:
        return config, ()
    note = f"the corpus gives {total:,} draws: count is lowered from {config.count:,}"
    return config.model_copy(update={"count": total}), (note,)
