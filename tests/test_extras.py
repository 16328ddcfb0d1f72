"""Each extra of pyproject.toml installs and imports (vllm has an environment of its own)."""

import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest

PROJECT = tomllib.loads(
    (Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8")
)["project"]
EXTRAS = {
    name: [re.split(r"[\s\[<>=!;]", requirement)[0] for requirement in requirements]
    for name, requirements in PROJECT["optional-dependencies"].items()
    if name not in {"vllm", "all", "dev"}
}


def _modules(extra: str) -> list[str]:
    """What the packages of an extra are imported as."""
    found = {
        module
        for module, distributions in packages_distributions().items()
        for distribution in distributions
        if distribution.lower() in EXTRAS[extra] and module.isidentifier()
    }
    return sorted(module for module in found if not module.startswith("_"))


@pytest.fixture(scope="module")
def failures() -> dict[str, str]:
    """What did not import, with its error. One process for all: torch alone takes seconds."""
    code = (
        "import importlib, json, sys\n"
        "failed = {}\n"
        "for name in sys.argv[1:]:\n"
        "    try:\n"
        "        importlib.import_module(name)\n"
        "    except Exception as exc:\n"
        "        failed[name] = repr(exc)\n"
        "print('\\n' + json.dumps(failed))\n"
    )
    wanted = sorted({module for extra in EXTRAS for module in _modules(extra)})
    command = [sys.executable, "-c", code, *wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    failed: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return failed


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_is_installed_and_imports(extra: str, failures: dict[str, str]) -> None:
    """Every package of the extra has a version and modules that import."""
    assert all(version(name) for name in EXTRAS[extra])
    assert not {name: failures[name] for name in _modules(extra) if name in failures}


def test_all_holds_every_extra_but_vllm() -> None:
    """`all` leaves out vllm, which pins a torch of its own."""
    (everything,) = PROJECT["optional-dependencies"]["all"]
    named = set(re.findall(r"[a-z]+", everything.partition("[")[2]))
    assert named == set(EXTRAS)
