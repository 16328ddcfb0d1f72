"""The shape of the package: layers, imports, sizes, docstrings; read from its syntax trees."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "generator"
FILES = sorted(PACKAGE.rglob("*.py"))
HEAVY = (
    "torch", "transformers", "datasets", "openai", "pydantic", "numpy", "jinja2", "rich",
    "vllm", "pyarrow", "yaml", "json_repair", "httpx",
)  # fmt: skip
MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 60
STAGES = {
    "taxonomy", "sampling", "prompts", "parse", "filters", "dedupe", "mine", "refine",
}  # fmt: skip
# May be imported by others than the layer above: what every stage speaks of.
LOWEST = ["errors", "records", "families"]


def _name(path: Path) -> str:
    """`generator/llm/pool.py` → `llm.pool`; a package goes by its folder's name."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


TREES = {_name(path): ast.parse(path.read_text(encoding="utf-8")) for path in FILES}


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under `if TYPE_CHECKING`."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            continue
        yield from _running(child)


def _imports(name: str) -> Iterator[str]:
    """The modules of the package that a module imports when it runs, lazily too."""
    for node in _running(TREES[name]):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{name}: relative import"
            found = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for target in found:
            module = target.removeprefix("generator.") if target != "generator" else ""
            if target.startswith("generator"):
                yield module if module in TREES else module.rpartition(".")[0]


IMPORTS = {name: set(_imports(name)) - {name} for name in TREES}


def _top(name: str) -> str:
    return name.split(".", maxsplit=1)[0]


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_no_module_reaches_itself_through_others() -> None:
    """Not through lazy imports either."""
    state: dict[str, int] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert state.get(name) != 1, " > ".join((*path, name))
        if name in state:
            return
        state[name] = 1
        for other in IMPORTS[name]:
            # A package's __init__ gathers its own modules; they never import it back.
            visit(other, (*path, name))
        state[name] = 2

    for name in TREES:
        visit(name, ())


def test_the_lowest_layers_import_only_what_is_below_them() -> None:
    """`errors < records < families`; `yamlfile` and `text` know no record."""
    for level, name in enumerate(LOWEST):
        assert IMPORTS[name] <= set(LOWEST[:level]), name
    assert IMPORTS["yamlfile"] <= {"errors"}
    assert IMPORTS["text"] == set()
    assert {_top(name) for name in IMPORTS["recordfile"]} <= {"errors", "records"}
    assert {_top(name) for name in IMPORTS["config"]} <= {
        "contaminationconfig", "corpusconfig", "datasetconfig", "dedupeconfig", "errors",
        "families", "mineconfig", "modelconfig", "nearest", "records", "refineconfig", "taxonomy",
        "yamlfile",
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(n for n in TREES if _top(n) in STAGES))
def test_stages_import_neither_each_other_nor_the_model(name: str) -> None:
    """Nor anything that composes them."""
    above = {"llm", "cli", "pipeline", "plan", "generation", "stages", "runs", "config", "dataset"}
    others = {_top(other) for other in IMPORTS[name]} - {_top(name)}
    assert not others & (STAGES | above)


@pytest.mark.parametrize("name", sorted(n for n in TREES if _top(n) == "contamination"))
def test_contamination_knows_texts_records_and_signatures(name: str) -> None:
    """Neither a run nor a configuration."""
    below = {"alike", "dedupe", "errors", "records", "text", "textfile"}
    assert {_top(other) for other in IMPORTS[name]} - {"contamination"} <= below


def test_the_model_knows_no_family_and_no_stage() -> None:
    """`llm/` imports records, errors, texts' own functions and the configuration."""
    for name in TREES:
        if _top(name) == "llm":
            others = {_top(other) for other in IMPORTS[name]} - {"llm"}
            assert others <= {"errors", "records", "text", "config", "hub", "modelconfig"}, name


def test_nothing_imports_the_command_line_and_only_it_the_pipeline() -> None:
    """The command line is one user of the library among others."""
    for name, others in IMPORTS.items():
        tops = {_top(other) for other in others}
        if _top(name) != "cli":
            assert "cli" not in tops, name
            assert "pipeline" not in tops, name


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_a_module_is_short_and_begins_with_what_it_is(path: Path) -> None:
    """Lines of a module and of each function, and a docstring on all that is public."""
    text = path.read_text(encoding="utf-8")
    tree = TREES[_name(path)]
    assert len(text.splitlines()) <= MAX_MODULE_LINES
    if text.strip():
        assert ast.get_docstring(tree), "no module docstring"
    for function in _functions(tree):
        length = (function.end_lineno or 0) - function.lineno + 1
        assert length <= MAX_FUNCTION_LINES, f"{function.name}: {length} lines"
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if not node.name.startswith("_"):
            assert ast.get_docstring(node), node.name


@pytest.mark.parametrize("name", TREES)
def test_methods_of_public_classes_have_docstrings(name: str) -> None:
    """Overloads, overrides of click's and dunder methods say it elsewhere."""
    for cls in TREES[name].body:
        if not isinstance(cls, ast.ClassDef) or cls.name.startswith("_"):
            continue
        for method in cls.body:
            if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef):
                short = isinstance(method.body[-1], ast.Expr) and len(method.body) == 1
                if not method.name.startswith("_") and not short:
                    assert ast.get_docstring(method), f"{cls.name}.{method.name}"


@pytest.mark.parametrize("name", TREES)
def test_nothing_evaluates_text_or_prints(name: str) -> None:
    """No `eval`, `exec`, `pickle`, `compile`d code or shell; `print` in the command line alone."""
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"eval", "exec", "compile", "__import__"}
            if _top(name) != "cli":
                assert node.func.id != "print"
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        assert not {"pickle", "marshal", "shelve", "dill"} & set(modules)


@pytest.mark.parametrize("name", sorted(set(TREES) - {"config"}))
def test_only_the_configuration_reads_the_environment(name: str) -> None:
    """`os.environ` and `os.getenv` stand in config.py."""
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            reads = node.value.id == "os" and node.attr in {"environ", "getenv"}
            assert not reads, f"line {node.lineno}"


def _help(*flags: str) -> subprocess.CompletedProcess[str]:
    code = (
        "import sys\nfrom generator.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as end:\n    assert not end.code\n"
        "print('MODULES', *sys.modules)\n"
    )
    return subprocess.run(
        [sys.executable, *flags, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )


def test_help_loads_nothing_heavy() -> None:
    """The command answers at once, whatever is installed."""
    out = _help().stdout
    assert "Write training data" in out
    loaded = set(out.rpartition("MODULES ")[2].split())
    assert "click" in loaded
    assert not loaded & set(HEAVY)
