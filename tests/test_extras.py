"""Each extra of pyproject.toml installs and imports (vllm has an environment of its own)."""

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


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_is_installed_and_imports(extra: str) -> None:
    """Every package of the extra has a version and modules that import."""
    modules = {
        module
        for module, distributions in packages_distributions().items()
        for distribution in distributions
        if distribution.lower() in EXTRAS[extra] and module.isidentifier()
    }
    assert all(version(name) for name in EXTRAS[extra])
    wanted = sorted(module for module in modules if not module.startswith("_"))
    code = "import " + ", ".join(wanted)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_all_holds_every_extra_but_vllm() -> None:
    """`all` leaves out vllm, which pins a torch of its own."""
    (everything,) = PROJECT["optional-dependencies"]["all"]
    named = set(re.findall(r"[a-z]+", everything.partition("[")[2]))
    assert named == set(EXTRAS)
