"""A family's filters: names and thresholds from `tasks.yaml`, checked, and run in order."""

from __future__ import annotations

import difflib
import inspect
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from generator.errors import TaxonomyError
from generator.filters.base import Reject, Rule
from generator.records import Record, draw_values, make_record

# What `tasks.yaml` says of a rule: its thresholds, or false to turn it off.
Spec = Mapping[str, Mapping[str, Any] | Literal[False]]


@dataclass(frozen=True, slots=True)
class Chain:
    """Rules with their thresholds bound, in the order in which they run."""

    rules: tuple[tuple[str, Rule], ...]


def apply(chain: Chain, record: Record, values: Mapping[str, str] | None = None) -> Reject | None:
    """What the first rule that rejects the record says; `None` where all keep it.

    `values` are the axis values of the record's draw; read out of the record where they are `None`.
    """
    if values is None:
        values = draw_values(record)
    for _, rule in chain.rules:
        reject = rule(record, values)
        if reject is not None:
            return reject
    return None


def load(chain: Chain) -> None:
    """Have each rule load what it needs (stems, a language model), before there is a hurry."""
    # No function word: the language model has to be asked.
    text = "Quiet rivers repair modern gardens, ancient markets, crowded libraries"
    record = make_record(
        family="", task="", language="en", query=text, positives=(text,), negatives=(text,)
    )
    for _, rule in chain.rules:
        rule(record, {})


def compile_chain(registry: Mapping[str, Rule], spec: Spec, where: str) -> Chain:
    """The chain of the rules that the spec names, in the registry's order.

    Raises `TaxonomyError` with every unknown rule, unknown threshold and bad value at once.
    """
    bound: dict[str, Rule] = {}
    problems: list[str] = []
    for name, thresholds in spec.items():
        if name not in registry:
            problems.append(f"{where} > {name}: no such rule{_meant(name, registry)}")
        elif thresholds is not False:
            arguments, found = _arguments(registry[name], thresholds, f"{where} > {name}")
            problems.extend(found)
            bound[name] = partial(registry[name], **arguments)
    if problems:
        raise TaxonomyError(
            f"{where}: the filters do not hold together",
            hint=f"rules: {', '.join(registry)}; set one to false to turn it off",
            problems=tuple(problems),
        )
    return Chain(tuple((name, bound[name]) for name in registry if name in bound))


def thresholds_of(rule: Rule) -> dict[str, inspect.Parameter]:
    """The rule's thresholds: name to parameter, with default and annotation resolved."""
    function = inspect.unwrap(typing.cast("Callable[..., Any]", rule))
    hints = typing.get_type_hints(function)
    return {
        name: parameter.replace(annotation=hints[name])
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


def _arguments(rule: Rule, thresholds: object, where: str) -> tuple[dict[str, Any], list[str]]:
    if not isinstance(thresholds, Mapping):
        return {}, [f"{where}: thresholds as a mapping, or false, expected; found {thresholds!r}"]
    known = thresholds_of(rule)
    arguments: dict[str, Any] = {}
    problems: list[str] = []
    for name, value in thresholds.items():
        if name not in known:
            problems.append(f"{where} > {name}: no such threshold{_meant(str(name), known)}")
            continue
        try:
            arguments[name] = TypeAdapter(known[name].annotation).validate_python(value)
        except ValidationError as error:
            problems.extend(_places(error, f"{where} > {name}"))
    return arguments, problems


def _places(error: ValidationError, where: str) -> Iterator[str]:
    for item in error.errors(include_url=False):
        place = " > ".join([where, *(str(part) for part in item["loc"])])
        yield f"{place}: {item['msg']}; found {item['input']!r}"


def _meant(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]}?)" if close else f" (known: {', '.join(known) or 'none'})"
