"""What a parsed template holds: the files that it names, what it asks about, what it says.

Pure functions of Jinja's syntax trees; `prompts.py` loads and renders.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from jinja2 import meta, nodes

from generator.text import word_count

_QUOTED = re.compile(r'"\s*:\s*"([^"\n]+)"')
_PHRASE_WORDS = 4
_ASKING = frozenset({"defined", "undefined", "default", "d"})


def referenced(
    tree: nodes.Template, known: AbstractSet[str]
) -> Iterator[tuple[str, AbstractSet[str]]]:
    """The files that a template names, each with the variables that it sees."""
    own = {node.name for node in tree.find_all(nodes.Name) if node.ctx == "store"}
    for node in tree.find_all((nodes.Include, nodes.Extends, nodes.Import, nodes.FromImport)):
        with_context = getattr(node, "with_context", True)
        for name in meta.find_referenced_templates(nodes.Template([node], lineno=1)):
            if name is not None:
                yield name, (known | own if with_context else frozenset())


def optional(tree: nodes.Template) -> set[str]:
    """The variables that a template asks about (`is defined`, `default`) before it uses them."""
    asked = [n.node for n in tree.find_all((nodes.Test, nodes.Filter)) if n.name in _ASKING]
    return {node.name for node in asked if isinstance(node, nodes.Name)}


def phrases(tree: nodes.Template) -> list[str]:
    """Constants, quoted values and lines of a template that are a phrase or more."""
    found = [node.value for node in tree.find_all(nodes.Const) if _is_said(node.value)]
    for data in tree.find_all(nodes.TemplateData):
        found += filter(_is_said, _QUOTED.findall(data.data))
        found += filter(_is_said, (line.lstrip("- ") for line in data.data.splitlines()))
    return found


def _is_said(value: object) -> bool:
    """Whether a constant of a template is a phrase or more, and no name of a file or a field."""
    return isinstance(value, str) and word_count(value) >= _PHRASE_WORDS and "{" not in value
