"""A name of the Hugging Face Hub where no network is: told at once, not after minutes."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import datasets
import pytest
import torch
from huggingface_hub import constants

from generator.errors import InputError
from generator.hub import no_connection, offline_where_unreachable
from generator.trainer.weights import load_base
from tests.command import start
from tests.trainer.trainer_worlds import make_folder


@pytest.fixture
def nowhere() -> str:
    """An address where nothing listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


class _Broken(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_error(503)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def broken_hub() -> Iterator[str]:
    """A server that is there and answers with its own errors."""
    server = HTTPServer(("127.0.0.1", 0), _Broken)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


VERBS = {
    "import": ["nobody/such-data", "-o", "out"],
    "corpus": ["hf:nobody/such-data"],
    "encode": ["nobody/such-model", "texts.txt", "-o", "out.npy"],
    "train": ["pairs.jsonl", "--base", "nobody/such-model", "-o", "out"],
    "run": ["-m", "nobody/such-model", "-n", "2", "-o", "out"],
}


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_a_name_is_not_retried_without_a_network(verb: str, nowhere: str, tmp_path: Path) -> None:
    """Exit 2 with the name and a hint, and no line of a library that retries."""
    (tmp_path / "texts.txt").write_text("bees\n", encoding="utf-8")
    (tmp_path / "pairs.jsonl").write_text('{"query": "bees", "positive": "honey"}\n' * 4)
    set_up = (
        f"import os; os.chdir({str(tmp_path)!r}); os.environ['HF_ENDPOINT'] = {nowhere!r}; "
        "os.environ['HF_HOME'] = 'home'; os.environ['HF_HUB_OFFLINE'] = '0'; "
        "os.environ.pop('TRANSFORMERS_OFFLINE', None); os.environ.pop('HF_DATASETS_OFFLINE', None)"
    )
    process = start(verb, *VERBS[verb], before=set_up)
    _, err = process.communicate()
    assert process.returncode == 2, err
    assert "nobody/such-" in err
    assert f"{nowhere} cannot be reached, and it does not load from the cache" in err
    assert "hint: " in err
    assert "Retry" not in err


def test_what_does_not_answer_is_no_connection(
    nowhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused, or silent for longer than one waits; a server's error is an answer."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    assert no_connection(nowhere, patience_s=10)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        assert no_connection(f"http://127.0.0.1:{silent.getsockname()[1]}", patience_s=0.1)
    with broken_hub() as endpoint:
        assert not no_connection(endpoint, patience_s=10)


def test_only_an_unreachable_hub_is_not_asked(
    nowhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And only within: a network that comes back is used."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    with broken_hub() as endpoint:
        monkeypatch.setattr(constants, "ENDPOINT", endpoint)
        with offline_where_unreachable("nobody/such"):
            assert not constants.HF_HUB_OFFLINE
    monkeypatch.setattr(constants, "ENDPOINT", nowhere)
    with offline_where_unreachable("nobody/such"):
        assert constants.HF_HUB_OFFLINE
        assert datasets.config.HF_HUB_OFFLINE
    with offline_where_unreachable(str(Path(__file__).parent)):  # a folder, not a name
        assert not constants.HF_HUB_OFFLINE
    assert not constants.HF_HUB_OFFLINE
    assert not datasets.config.HF_HUB_OFFLINE


def test_what_is_in_the_cache_loads_without_a_network(
    nowhere: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A model that was downloaded once, by its name."""
    cached = tmp_path / "models--nobody--tiny"
    make_folder(cached / "snapshots" / ("0" * 40))
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("0" * 40)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", nowhere)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    base = load_base("nobody/tiny", torch.float32, torch.device("cpu"))
    assert base.source == "nobody/tiny"
    with pytest.raises(InputError, match=r"nobody/other: cannot be loaded: .* cannot be reached"):
        load_base("nobody/other", torch.float32, torch.device("cpu"))
