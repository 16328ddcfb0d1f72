"""The numbers and facts of a run → the data set's card, README.md.

Everything comes by argument; no time, host name, path or key enters a card, so the same run always
gives the same one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

import yaml

from generator.cardtexts import FIELDS, LIMITS, LOADING
from generator.dataset.layout import Layout

# Upper bounds (exclusive) of the Hub's `size_categories`.
SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"))
LARGEST = "1M<n<10M"


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a card says of how the data was made.

    `models` wrote the texts, most important first; `parameters` are sampling parameters by name;
    `templates` maps a template's path below `prompts/` to its hash; `families` to a description;
    `license` is an identifier of the Hub; `repo` the name that the snippets load.
    """

    name: str
    version: str
    seed: int
    models: tuple[str, ...] = ()
    parameters: Mapping[str, str | float] = field(default_factory=dict)
    templates: Mapping[str, str] = field(default_factory=dict)
    families: Mapping[str, str] = field(default_factory=dict)
    license: str = "other"
    repo: str | None = None


def card(stats: Mapping[str, Any], facts: RunFacts, layout: Layout) -> str:
    """The card: front matter and Markdown. `stats` is what `generator.statistics` returns."""
    sections = (
        _what(stats, facts, layout),
        _how(stats, facts),
        _yield_table(stats),
        _contents(stats, facts),
        *_contamination(stats),
        FIELDS,
        _loading(facts, layout),
        LIMITS,
    )
    return _front_matter(stats, facts, layout) + "\n" + "\n\n".join(sections) + "\n"


def _front_matter(stats: Mapping[str, Any], facts: RunFacts, layout: Layout) -> str:
    total = sum(layout.rows.values())
    entries = {
        "pretty_name": facts.name,
        "license": facts.license,
        "language": sorted({code for pair in stats["languages"] for code in pair.split("-")}),
        "size_categories": [next((name for bound, name in SIZES if total < bound), LARGEST)],
        "task_categories": ["feature-extraction", "sentence-similarity"],
        "tags": ["synthetic", "sentence-transformers", "embeddings", "trine"],
        "configs": layout.front_matter(),
    }
    return f"---\n{yaml.safe_dump(entries, sort_keys=False, allow_unicode=True)}---\n"


def _what(stats: Mapping[str, Any], facts: RunFacts, layout: Layout) -> str:
    rows = ", ".join(f"{number:,} {split}" for split, number in layout.rows.items())
    unique = stats["unique"]
    return f"""# {facts.name}

Training data for text-embedding models: queries, texts that answer them (positives) and texts that
only look as if they did (hard negatives). {_writers(facts.models)}.

{rows} records; {unique["queries"]:,} different queries, {unique["instructions"]:,} different
instructions, {stats["negatives"]["mean"]} negatives a record on average. Records that share a query
or a positive (class labels aside), or that nearly repeat each other, are in the same split."""


def _writers(models: Sequence[str]) -> str:
    if not models:
        return "The texts were imported, not written by a model"
    return "The texts were written by " + " and ".join(f"`{_public(name)}`" for name in models)


def _public(model: str) -> str:
    """A model's name; of weights in a local folder its last part, as paths say who ran it where."""
    local = model.startswith(("/", "~", ".")) or "\\" in model
    return PurePosixPath(PureWindowsPath(model).as_posix()).name if local else model


def _how(stats: Mapping[str, Any], facts: RunFacts) -> str:
    usage = {name: value for name, value in stats["usage"].items() if value}
    lines = [
        f"Made with trine {facts.version}, seed {facts.seed}, by the method of E5-mistral",
        "(Wang et al. 2024, arXiv 2401.00368): the instructions are drawn from a task taxonomy.",
        "",
        _table(("Sampling", "Value"), facts.parameters.items()),
        _table(("Template", "Hash"), ((path, f"`{h}`") for path, h in facts.templates.items())),
        _table(("Usage", "Value"), ((_words(name), _number(v)) for name, v in usage.items())),
        _models_table(stats.get("models", {})),
        _judges_table(stats.get("judges", {})),
    ]
    return "## How it was made\n\n" + "\n".join(lines).strip()


def _models_table(models: Mapping[str, Mapping[str, Any]]) -> str:
    """What came of each model's draws, where there are several."""
    if len(models) < 2:
        return ""
    names = ["draws", "parsed", "kept", "requests", "tokens_per_record"]
    names += ["cost_usd", "cost_usd_per_1000_records"]
    head = ("Model", *(_words(name) for name in names))
    rows = (
        (f"`{_public(model)}`", *(_number(row[n]) if n in row else "" for n in names))
        for model, row in models.items()
    )
    return _table(head, rows)


def _judges_table(judges: Mapping[str, Mapping[str, Any]]) -> str:
    """What was asked of the models that graded; the usage of the run holds it too."""
    names = ("requests", "tokens_per_record", "cost_usd", "cost_usd_per_1000_records")
    rows = (
        (f"`{_public(model)}`", *(_number(row[n]) if n in row else "" for n in names))
        for model, row in judges.items()
    )
    return _table(("Judge", *map(_words, names)), rows)


def _yield_table(stats: Mapping[str, Any]) -> str:
    rows = ((row["step"], _number(row["count"]), _percent(row["share"])) for row in stats["yield"])
    reasons = {
        f"{stage}: {reason}": sum(families.values())
        for stage, by_reason in stats["rejections"].items()
        for reason, families in by_reason.items()
    }
    most = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))[:10]
    table = _table(("Step", "Count", "Of the draws"), rows)
    why = _table(("Rejected because", "Count"), ((name, _number(n)) for name, n in most))
    return f"## Yield\n\n{table}\n{why}".rstrip()


def _contents(stats: Mapping[str, Any], facts: RunFacts) -> str:
    diversity = stats["diversity"]["families"]
    families = (
        (
            f"`{name}`",
            facts.families.get(name, ""),
            _number(n),
            _percent(_share(stats["by"]["families"][name])),
            diversity[name]["distinct_2"],
        )
        for name, n in stats["families"].items()
    )
    chars = (
        (name, *(row.get(q) for q in ("p05", "p50", "p95"))) for name, row in stats["chars"].items()
    )
    return "\n".join(
        (
            "## Families and languages\n",
            _table(("Family", "What it is", "Records", "Of its draws", "distinct-2"), families),
            _table(
                ("Language", "Records", "Of its draws"),
                (
                    (k, _number(n), _percent(_share(stats["by"]["languages"][k])))
                    for k, n in stats["languages"].items()
                ),
            ),
            _table(("Characters", "5 %", "median", "95 %"), chars),
            f"distinct-2 counts {stats['diversity']['unit']}.\n",
            _diversity(stats["diversity"]),
        )
    )


def _diversity(found: Mapping[str, Any]) -> str:
    """Coverage of the axes, and how alike the queries are."""
    axes = (
        (name, _number(a["values"]), _number(a["seen"]), _percent(a["coverage"]), a["evenness"])
        for name, a in found["axes"].items()
    )
    rows = [("instructions per 1,000 records", found["instructions_per_1000"])]
    for kind in ("ngrams", "encoder"):
        if kind in found["queries"]:
            how = _public(found["queries"][kind].get("name", "character 5-grams"))
            of = f"of {found['queries']['sampled']:,} queries ({how})"
            rows.append((f"Vendi score {of}", found["queries"][kind]["vendi"]))
            rows.append((f"mean cosine {of}", found["queries"][kind]["mean_cosine"]))
    return "\n".join(
        (
            _table(("Drawn from", "Values", "Seen", "Coverage", "Evenness"), axes),
            _table(("Diversity", "Value"), rows),
        )
    ).strip()


def _contamination(stats: Mapping[str, Any]) -> Iterator[str]:
    """What was found of the evaluation sets that the run was compared with."""
    found = stats.get("contamination")
    if found is None:
        return
    checks = {"exact": "Equal", "one_word": "But one word", "ngram": "n-gram", "near": "Near"}
    zeros = [0] * len(checks)
    rows = (
        (
            name,
            *map(_number, (row["texts"], row["records"], *map(row["checks"].get, checks, zeros))),
        )
        for name, row in found["sets"].items()
    )
    head = ("Evaluation set", "Texts", "Records that match", *checks.values())
    ended = (
        f"All {found['dropped']:,} were dropped."
        if found["dropped"] == found["matched"]
        else "They are still in the data set."
    )
    yield (
        "## Contamination\n\n"
        f"{found['matched']:,} of {found['records']:,} records hold a text of an evaluation set. "
        f"{ended if found['matched'] else ''}\n\n{_table(head, rows)}"
    ).rstrip()


def _loading(facts: RunFacts, layout: Layout) -> str:
    one = layout.configurations[-1].name
    return LOADING.replace("REPO", facts.repo or "me/name").replace("FAMILY", one)


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table with a blank line after it; nothing when it has no rows."""
    lines = ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    if not lines:
        return ""
    head = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join([*head, *lines]) + "\n"


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return text.replace("\n", " ").replace("|", "\\|")


def _number(value: float) -> str:
    return f"{value:,}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"


def _share(row: Mapping[str, Any]) -> float | None:
    return row["kept"] / row["drawn"] if row["drawn"] else None


def _words(name: str) -> str:
    return name.replace("_usd", " (USD)").replace("_", " ")
