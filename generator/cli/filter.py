"""`trine filter`: one stage, on a run or on a file of records."""

from __future__ import annotations

from generator import pipeline
from generator.cli.stage import stage_command

command = stage_command(
    "filter",
    "Drop records that break a rule of their family.",
    pipeline.filter_run,
    pipeline.filter_file,
)
