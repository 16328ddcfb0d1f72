"""What somebody may have meant: the nearest of known names, and the verb that a recipe is for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from generator.errors import ConfigError

# Keys that recipes of one verb have and those of the others have not.
_RECIPES = {
    "run": {"count", "families", "languages", "llm", "filters", "dataset", "searches"},
    "train": {"base", "lora", "tokens", "loss", "learning_rate", "batch_size", "epochs"},
    "iterate": {"rounds", "continues", "first"},
}
_PACKAGED = {
    "run": "quickstart, e5-mistral, japanese, my-documents",
    "train": "train-quickstart, train-small, train-e5-mistral",
}
# Codes of countries for those of their languages, and what English calls them.
_CODES = {
    "jp": "ja", "cn": "zh", "kr": "ko", "cz": "cs", "dk": "da", "gr": "el", "ua": "uk",
    "vn": "vi", "gb": "en", "us": "en", "chinese": "zh", "english": "en", "french": "fr",
    "german": "de", "japanese": "ja", "korean": "ko", "russian": "ru", "spanish": "es",
}  # fmt: skip


def nearest(name: str, known: Iterable[str]) -> str:
    """` (did you mean …?)`, to stand behind an unknown name; empty where nothing is near."""
    names = list(known)
    found = _CODES.get(name.lower(), "")
    if found not in names:
        found = next(iter(get_close_matches(name, names, n=1)), "")
    return f" (did you mean {found}?)" if found else ""


def keys_at(model: type[BaseModel], place: Sequence[object]) -> list[str]:
    """The keys that the section of a configuration at this place may have."""
    is_name = False  # of an entry in a mapping, such as a family's
    for part in place:
        if is_name:
            is_name = False
            continue
        field = model.model_fields.get(str(part))
        inner = None if field is None else _section(field.annotation)
        if field is None or inner is None:
            return []
        is_name = get_origin(field.annotation) is Mapping
        model = inner
    return list(model.model_fields)


def _section(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_section, get_args(annotation))), None)


def refuse_another_verbs(raw: Mapping[str, Any], source: str, verb: str) -> None:
    """Raise ConfigError where two keys or more tell that it is a recipe of another verb."""
    shared = {name: len(keys & set(raw)) for name, keys in _RECIPES.items()}
    meant = max(shared, key=shared.__getitem__)
    if meant != verb and shared[meant] > 1:
        raise ConfigError(
            f"{source}: a recipe of trine {meant}, not of trine {verb}",
            hint=f"trine {meant} -c {source}, or one of trine {verb}: {_PACKAGED[verb]}",
        )
