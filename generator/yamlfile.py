"""YAML as trine reads it: `no` is Norwegian, a date is text, a key that stands twice an error."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from generator.errors import InputError

_BOOL = "tag:yaml.org,2002:bool"
_DATE = "tag:yaml.org,2002:timestamp"
_MERGE = "tag:yaml.org,2002:merge"
# Numbers to base 60: nobody means 330 by 5:30.
_NUMBERS = frozenset({"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"})
_COLON_FREE = r"(?![^:]*:)"


class _Loader(yaml.SafeLoader):
    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        # Here and not when it is constructed: by then `<<` has put the merged keys in.
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                if (key.tag, key.value) in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} stands twice", key.start_mark
                    )
                seen.add((key.tag, key.value))
        return node


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, re.compile(_COLON_FREE + pattern.pattern, re.VERBOSE) if tag in _NUMBERS else pattern)
        for tag, pattern in resolvers
        if tag not in {_BOOL, _DATE}
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOL, re.compile(r"^(?:true|True|false|False)$"), list("tTfF"))


def parse_yaml(text: str, source: str) -> Any:
    """The value of one YAML document. Raises InputError with line and column."""
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        place = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
        problem = getattr(exc, "problem", None) or str(exc)
        raise InputError(f"{place}: not valid YAML: {problem}", hint=f"edit {source}") from exc
    except (ValueError, RecursionError) as exc:  # such as a number of 5,000 digits
        raise InputError(f"{source}: not valid YAML: {exc}", hint=f"edit {source}") from exc


def read_yaml(path: Path) -> Any:
    """The value of a YAML file. Raises InputError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise InputError(f"{path}: cannot be read: {exc}", hint="check the path") from exc
    return parse_yaml(text, str(path))
