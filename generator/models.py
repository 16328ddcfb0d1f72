"""Encoders by name, those that trine trained included, and what tells one model from another."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

from generator.config import api_key
from generator.encoders import Encoder, Prompts, load
from generator.encoders.remembered import RememberedEncoder
from generator.encoders.trained import TrainedEncoder
from generator.errors import InputError, MissingExtra
from generator.records import content_id

BM25 = "bm25"  # ranks texts without a vector
TRAINED_MARK = "trine.json"  # lies in a folder that `trine train` exported


def open_encoder(
    name: str, *, prompts: Prompts | None = None, base_url: str | None = None
) -> Encoder:
    """The encoder of that name, as `generator.encoders.load` has it.

    A folder that trine trained goes through trine's own packed forward; that of its run or
    training stands for the model in it. Raises as `load`, and InputError for BM25.
    """
    folder = _exported(Path(name))
    if (folder / TRAINED_MARK).is_file():
        return _trained(folder, prompts or Prompts())
    if name == BM25:
        raise InputError(f"{name}: it has no vectors", hint="name an embedding model")
    return load(name, prompts=prompts, base_url=base_url, api_key=api_key())


def remembered(encoder: Encoder, folder: Path | None, name: str, *asked: object) -> Encoder:
    """The encoder with its vectors by text kept in `folder`, or itself where that is None.

    `name` is the model's, and `asked` all that changes how it is asked.
    """
    if folder is None:
        return encoder
    return RememberedEncoder(encoder, folder / content_id(fingerprint(name), *map(str, asked)))


def _exported(folder: Path) -> Path:
    """The model itself, where the folder is that of a training or of a run that trained."""
    inner = folder / "model"
    return inner if (inner / TRAINED_MARK).is_file() else folder


def fingerprint(name: str) -> str:
    """A hash of a model's files, where the name is a folder; else the name itself.

    Two rounds of training may write to one folder, so its name says nothing of the weights.
    """
    folder = _exported(Path(name))
    if not folder.is_dir():
        return name
    digest = blake2b(digest_size=16)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.suffix in {".json", ".safetensors", ".bin", ".txt", ".model"}:
            digest.update(path.relative_to(folder).as_posix().encode())
            with path.open("rb") as file:
                while chunk := file.read(1 << 20):
                    digest.update(chunk)
    return digest.hexdigest()


def _trained(folder: Path, prompts: Prompts) -> Encoder:
    try:
        from generator.trainer.embedder import load_embedder  # noqa: PLC0415 - loads torch
    except ImportError as exc:
        raise MissingExtra(exc.name or "torch", "train") from exc
    return TrainedEncoder(load_embedder(folder), folder.resolve().name, prompts=prompts)
