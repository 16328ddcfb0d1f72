"""What every test of a verb starts from: the command, and a run that is finished."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command import Trine, recipe


@pytest.fixture
def trine(capsys: pytest.CaptureFixture[str]) -> Trine:
    """The command, in this process."""
    return Trine(capsys)


@pytest.fixture
def small_recipe(small_taxonomy: tuple[Path, Path], tmp_path: Path) -> Path:
    """A recipe of 40 draws over the small taxonomy, with the scripted model."""
    return recipe(small_taxonomy, tmp_path)


@pytest.fixture
def finished(trine: Trine, small_recipe: Path) -> Path:
    """The folder of a finished run of that recipe."""
    assert trine("run", "-c", small_recipe, "-q").code == 0
    return small_recipe.parent / "run"
