"""`trine dedupe`: one stage, on a run or on a file of records."""

from __future__ import annotations

from pathlib import Path

from generator import pipeline
from generator.cli.progress import ProgressLine
from generator.cli.stage import stage_command
from generator.config import RunConfig
from generator.counts import Counts


def _on_run(config: RunConfig) -> Counts:
    with ProgressLine() as progress:
        return pipeline.dedupe_run(config, watch=progress)


def _on_file(source: Path, output: Path, config: RunConfig) -> Counts:
    with ProgressLine() as progress:
        progress.begin("dedupe", None)
        return pipeline.dedupe_file(source, output, config, watch=progress)


command = stage_command(
    "dedupe", "Drop exact and near-duplicates of earlier records.", _on_run, _on_file
)
