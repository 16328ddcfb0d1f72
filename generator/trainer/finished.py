"""A training that is done: the same command again finds its model and does nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from generator.recordfile import write_whole
from generator.records import content_id
from generator.runs import file_hash
from generator.trainer.config import TrainConfig
from generator.trainer.rows import data_file


def data_key(paths: Sequence[Path]) -> str:
    """A hash of the data that a training reads: the files' content, and the sources' names."""
    files = [data_file(path) for path in paths]
    return content_id(*(path.stem for path in paths), *map(file_hash, files))


def mark_finished(config: TrainConfig, data: str, result: dict[str, Any]) -> None:
    """Note what came of a training on this data, once its model is exported."""
    with write_whole(_place(config)) as file:
        json.dump({"key": _key(config, data), "result": result}, file, indent=1)


def finished(config: TrainConfig, data: str) -> dict[str, Any] | None:
    """What came of the same training before; None where it is not done, or its model is gone."""
    if not (config.output / "model" / "model.safetensors").is_file():
        return None
    try:
        known = json.loads(_place(config).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if known["key"] != _key(config, data):
        return None
    return {**known["result"], "scores": tuple(map(tuple, known["result"]["scores"]))}


def _key(config: TrainConfig, data: str) -> str:
    return content_id(data, json.dumps(config.deciding()), version("trine"))


def _place(config: TrainConfig) -> Path:
    return config.output / "finished.json"
