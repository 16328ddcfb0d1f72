"""The vllm extra, in its own virtual environment (`make test-vllm`)."""

from importlib import import_module


def test_vllm_and_trine_import_together() -> None:
    """The engine and the package live in one environment."""
    assert import_module("vllm").__version__
    assert import_module("generator.pipeline").run
