"""`--help` and `--version`: every verb has words, and asking for them is quick."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

from generator.cli import COMMANDS
from tests.command import Trine


def test_help_lists_every_verb(trine: Trine) -> None:
    """On stdout, with exit 0; so does -h."""
    ended = trine("--help")
    assert (ended.code, ended.err) == (0, "")
    for name, (_, text) in COMMANDS.items():
        assert f"  {name} " in ended.out
        assert text.split(".")[0] in " ".join(ended.out.split())
    assert trine("-h") == ended


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_verb_has_help(trine: Trine, name: str) -> None:
    """Usage, what it does, and each option with a word."""
    ended = trine(name, "--help")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"Usage: trine {name} ")
    assert "-h, --help" in ended.out


def test_the_version_is_the_packages(trine: Trine) -> None:
    """On stdout."""
    assert trine("--version") == (0, f"trine {version('trine')}\n", "")


def test_no_verb_is_exit_2(trine: Trine) -> None:
    """`trine` alone shows its help and does not claim to have done something."""
    ended = trine()
    assert ended.code == 2
    assert "Usage: trine" in ended.err + ended.out


def test_help_loads_nothing_heavy() -> None:
    """`trine --help` imports no model, no client and no data library."""
    code = (
        "import sys\nfrom generator.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'datasets', 'openai', 'numpy', 'pydantic', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_a_misspelt_verb_is_told_with_the_one_that_is_meant(trine: Trine) -> None:
    """Exit 2, on stderr."""
    ended = trine("rum")
    assert ended.code == 2
    assert "No such command 'rum'. Did you mean 'run'?" in ended.err
    assert "Did you mean" not in trine("xyzzy").err


def test_the_package_runs_as_the_command() -> None:
    """`python -m generator.cli` is `trine`."""
    command = [sys.executable, "-m", "generator.cli", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"trine {version('trine')}\n"
