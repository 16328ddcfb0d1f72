"""What a run can be watched by: TensorBoard, and scores on a BEIR folder with the best kept."""

from __future__ import annotations

import builtins
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from trainer_worlds import make_folder, write_pairs

from generator.errors import InputError, MissingExtra, RunError
from generator.evaluation.evaluate import evaluate
from generator.evaluation.tasks import load_task
from generator.models import open_encoder
from generator.trainer import validation
from generator.trainer.config import TrainConfig
from generator.trainer.loop import train
from generator.trainer.packing import Texts

FAST = {"batch_size": 8, "epochs": 4, "learning_rate": 3e-3, "lora": None, "save_steps": 5,
        "dtype": "float32", "tokens": {"max_tokens": 32}}  # fmt: skip
TASK = "find"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny base, pairs to train it on, and a BEIR folder with graded judgements."""
    folder = tmp_path_factory.mktemp("world")
    make_folder(folder / "base")
    rows = list(map(json.loads, write_pairs(folder / "pairs.jsonl", 40).read_text().splitlines()))
    beir = folder / "beir"
    (beir / "qrels").mkdir(parents=True)
    corpus = [{"_id": f"d{i}", "title": "w1", "text": r["positive"]} for i, r in enumerate(rows)]
    queries = [{"_id": f"q{i}", "text": row["query"]} for i, row in enumerate(rows[:20])]
    for name, items in (("corpus", corpus), ("queries", queries)):
        (beir / f"{name}.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    qrels = [f"q{i}\td{i}\t2\nq{i}\td{i + 1}\t1\n" for i in range(20)]
    (beir / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(qrels))
    return folder


def _config(world: Path, output: Path, **changes: Any) -> TrainConfig:
    raw = {**FAST, "base": str(world / "base"), "output": output, **changes}
    return TrainConfig.model_validate(raw)


def test_tensorboard_holds_a_curve_of_every_number(world: Path, tmp_path: Path) -> None:
    """The values are those of the log, under a tag each."""
    from tensorboard.backend.event_processing.event_accumulator import (  # noqa: PLC0415
        EventAccumulator,
    )

    config = _config(world, tmp_path, tracker="tensorboard", eval={"fraction": 0.2, "steps": 4})
    train([world / "pairs.jsonl"], config, export=False)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    log = list(map(json.loads, (tmp_path / "log.jsonl").read_text().splitlines()))
    tags = {f"train/{key}" for line in log for key in line if key != "step"}
    assert set(events.Tags()["scalars"]) == tags
    assert {"train/loss", "train/learning_rate", "train/ndcg_at_10"} <= tags
    told = [(event.step, event.value) for event in events.Scalars("train/loss")]
    assert told == [(line["step"], np.float32(line["loss"])) for line in log if "loss" in line]


def test_without_tensorboard_the_extra_is_named(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name.startswith("torch.utils.tensorboard"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtra) as caught:
        train([world / "pairs.jsonl"], _config(world, tmp_path, tracker="tensorboard"))
    assert "trine[track]" in caught.value.hint


def test_the_best_weights_on_a_beir_folder_are_exported(world: Path, tmp_path: Path) -> None:
    """Scored every few steps; what is exported has the best of the scores, as `trine eval` sees it.

    The rate is far too high, so that the last weights are not the best ones.
    """
    steps = {"folder": world / "beir", "task": TASK, "steps": 4}
    config = _config(world, tmp_path, eval=steps, learning_rate=1.0, warmup_steps=0,
                     schedule="constant")  # fmt: skip
    result = train([world / "pairs.jsonl"], config)
    scores = dict(result.scores)
    assert list(scores) == [4, 8, 12, 16, 20]
    best = max(scores, key=lambda step: scores[step])
    assert best != 20
    kept = [path.name for path in (tmp_path / "best").iterdir()]
    assert kept == [f"step-{best:08d}"]
    found = evaluate(load_task(world / "beir"), open_encoder(str(result.model)), instruction=TASK)
    assert found.measures["ndcg@10"] == pytest.approx(scores[best], abs=1e-6)
    assert f"| {best} | {scores[best]:.4f} |" in (tmp_path / "model" / "README.md").read_text()


def test_fewer_questions_against_the_whole_corpus(world: Path, tmp_path: Path) -> None:
    steps = {"folder": world / "beir", "task": TASK, "max_queries": 3}
    seen: list[tuple[int, int]] = []
    score = validation.Validation.score

    def noted(self: validation.Validation, engine: Any) -> float:
        seen.append((len(self.queries), len(self.documents)))
        return score(self, engine)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(validation.Validation, "score", noted)
        train([world / "pairs.jsonl"], _config(world, tmp_path, eval=steps, max_steps=2),
              export=False)  # fmt: skip
    assert seen == [(3, 40)]


def test_a_broken_folder_is_told_with_its_lines(world: Path, tmp_path: Path) -> None:
    bad = shutil.copytree(world / "beir", tmp_path / "bad")
    with (bad / "qrels" / "test.tsv").open("a") as file:
        file.write("q0\tnowhere\t1\n")
    config = _config(world, tmp_path / "out", eval={"folder": bad})
    with pytest.raises(InputError) as caught:
        train([world / "pairs.jsonl"], config)
    assert "nowhere" in str(caught.value)


def test_vectors_that_are_no_numbers_stop_the_run(world: Path) -> None:
    """They have no rank; a score of them would say nothing."""

    class Broken:
        def vectors(self, texts: list[Any]) -> torch.Tensor:
            return torch.full((len(texts), 4), float("nan"))

    task = load_task(world / "beir")
    queries, documents = (Texts.plain([np.zeros(1, np.int32)] * n) for n in (20, 40))
    broken = validation.Validation(task, queries, documents)  # type: ignore[arg-type]
    with pytest.raises(RunError, match="diverged"):
        broken.score(Broken())  # type: ignore[arg-type]
