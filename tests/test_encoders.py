"""Encoders: a sentence-transformers folder, an embeddings API, files of texts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import generator
from generator import encoders
from generator.cli import main
from generator.cli.models import ModelFlags
from generator.encoders import Kind, Prompts, TextFile, Vectors, embed, embed_file, normalised
from generator.encoders.openai import BATCH_SIZE, OpenAIEncoder
from generator.encoders.sentence_transformers import SentenceTransformersEncoder
from generator.errors import InputError, LLMError, MissingExtra, RunError, Unreachable
from generator.models import TRAINED_MARK

WORDS = [
    *("[PAD]", "[UNK]", ":"),
    *("red", "green", "river", "stone", "instruct", "query", "find", "bird"),
]
MODULES = "sentence_transformers.models"
MODEL_FILES = {
    "modules.json": [
        {"idx": 0, "name": "0", "path": "", "type": f"{MODULES}.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": f"{MODULES}.Pooling"},
    ],
    "1_Pooling/config.json": {"word_embedding_dimension": 16, "pooling_mode_mean_tokens": True},
    "config_sentence_transformers.json": {
        "prompts": {"query": "Instruct: find\nQuery:", "document": ""}
    },
}


class LengthEncoder:
    """A text → (its length, 1), normalised: rows can be told apart, and order checked."""

    name = "length"

    def encode(self, texts: Sequence[str], *, kind: Kind, task: str | None = None) -> Vectors:
        """See `Encoder.encode`."""
        del kind, task
        return normalised(np.array([[len(text), 1.0] for text in texts]))


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A one-layer sentence-transformers model with random weights and a query prompt."""
    import torch  # noqa: PLC0415
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers  # noqa: PLC0415
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("models") / "tiny-model"
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=64,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    vocabulary = {word: index for index, word in enumerate(WORDS)}
    tokeniser = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokeniser.normalizer = normalizers.Lowercase()
    tokeniser.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=tokeniser, unk_token="[UNK]", pad_token="[PAD]"
    ).save_pretrained(folder)
    (folder / "1_Pooling").mkdir()
    for name, content in MODEL_FILES.items():
        (folder / name).write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="module")
def plain(tiny_model: Path) -> Callable[[str], list[float]]:
    """The vector of a text as sentence-transformers itself gives it, without any prompt."""
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415

    model = SentenceTransformer(str(tiny_model))

    def vector(text: str) -> list[float]:
        found: list[float] = model.encode([text], prompt="", normalize_embeddings=True)[0].tolist()
        return found

    return vector


def test_a_folder_uses_its_own_prompts(tiny_model: Path, plain: Callable[[str], Any]) -> None:
    """Queries get the model's query prompt, documents none; vectors have length 1."""
    encoder = encoders.load(str(tiny_model))
    assert encoder.name == "tiny-model"
    vectors = encoder.encode(["red river", "stone"], kind="document")
    assert vectors.dtype == np.float32
    assert vectors.shape == (2, 16)
    assert np.linalg.norm(vectors, axis=1).tolist() == pytest.approx([1, 1], abs=1e-6)
    assert vectors[0].tolist() == pytest.approx(plain("red river"), abs=1e-5)
    assert abs(float(vectors[0] @ vectors[1])) < 0.9  # the model tells texts apart
    asked = encoder.encode(["red river"], kind="query")
    assert asked[0].tolist() == pytest.approx(plain("Instruct: find\nQuery:red river"), abs=1e-5)


def test_a_task_replaces_the_instruction_in_the_models_own_form(
    tiny_model: Path, plain: Callable[[str], Any]
) -> None:
    """Only on the query side; the model's missing space after "Query:" stays missing."""
    encoder = encoders.load(str(tiny_model))
    asked = encoder.encode(["bird"], kind="query", task="green stone")
    assert asked[0].tolist() == pytest.approx(plain("Instruct: green stone\nQuery:bird"), abs=1e-5)
    found = encoder.encode(["bird"], kind="document", task="green stone")
    assert found[0].tolist() == pytest.approx(plain("bird"), abs=1e-5)


def test_prompts_of_the_user_go_first(tiny_model: Path, plain: Callable[[str], Any]) -> None:
    """`--prompt` and `--document-prompt` stand before the texts, literally."""
    encoder = SentenceTransformersEncoder(str(tiny_model), prompts=Prompts("green ", "stone "))
    assert encoder.encode(["bird"], kind="query")[0].tolist() == pytest.approx(
        plain("green bird"), abs=1e-5
    )
    assert encoder.encode(["bird"], kind="document")[0].tolist() == pytest.approx(
        plain("stone bird"), abs=1e-5
    )


def test_prompts() -> None:
    """What stands before a text, by side and task."""
    assert Prompts().before("query", None) is None
    assert Prompts("q: ").before("query", None) == "q: "
    assert Prompts("q: ").before("query", "Find {x}") == "Instruct: Find {x}\nQuery: "
    assert Prompts("q: ").before("query", "") == ""
    assert Prompts("q: ").before("document", "Find") is None


def test_no_such_model(tmp_path: Path) -> None:
    """An empty folder is the user's to put right, and so is an empty name."""
    with pytest.raises(LLMError, match="no embedding model"):
        encoders.load(str(tmp_path))
    with pytest.raises(InputError, match="no model"):
        encoders.load("openai:")


def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without sentence-transformers: what to install."""
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingExtra) as caught:
        encoders.load("any")
    assert caught.value.hint == "pip install 'trine[eval]'"


def test_normalised_keeps_zero() -> None:
    """A vector of zeros has no direction; it stays, rather than becoming NaN."""
    half = np.array([[3, 4], [0, 0]], dtype=np.float16)
    assert normalised(half).tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0, 0]]


class Api(BaseHTTPRequestHandler):
    """An embeddings API: a text's vector is (its length, 1); items come in reverse."""

    seen: list[dict[str, Any]]
    paths: list[str]

    def do_POST(self) -> None:
        """Answer by the model's name: the vectors, a refusal, too few, or nonsense."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        type(self).seen.append(body)
        type(self).paths.append(self.path)
        items = [
            {"index": index, "object": "embedding", "embedding": [len(text), 1.0]}
            for index, text in enumerate(body["input"])
        ]
        replies = {
            "good": (200, {"data": items[::-1]}),
            "few": (200, {"data": items[1:]}),
            "ragged": (200, {"data": [{**item, "embedding": [1.0] * (i + 1)}
                                      for i, item in enumerate(items)]}),
            "locked": (401, {"error": {"message": "no"}}),
            "long": (400, {"error": {"message": "too many tokens"}}),
        }  # fmt: skip
        status, reply = replies[body["model"]]
        data = json.dumps({"object": "list", "model": "m", **reply}).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Nothing."""


@pytest.fixture
def api() -> Iterator[str]:
    """The address of a running embeddings API."""
    Api.seen, Api.paths = [], []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_api_is_asked_in_batches_and_keeps_the_order(api: str) -> None:
    """200 texts, several requests at once, items in any order: row i is text i."""
    encoder = encoders.load("openai:good", base_url=api, prompts=Prompts(None, "p: "))
    vectors = encoder.encode(["x" * (i % 50) for i in range(200)], kind="document")
    expected = normalised(np.array([[i % 50 + 3, 1] for i in range(200)]))
    assert vectors.tolist() == expected.tolist()
    assert [len(body["input"]) for body in Api.seen].count(BATCH_SIZE) == 200 // BATCH_SIZE
    assert encoder.encode(["x"], kind="query", task="T").shape == (1, 2)
    assert Api.seen[-1]["input"] == ["Instruct: T\nQuery: x"]


def test_a_query_in_the_address_is_sent_with_every_request(api: str) -> None:
    """Azure's `api-version`."""
    encoder = OpenAIEncoder("good", api_key=None, base_url=f"{api}?api-version=1&b=2")
    assert encoder.encode(["x"], kind="document").shape == (1, 2)
    assert Api.paths == ["/v1/embeddings?api-version=1&b=2"]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("few", "1 embeddings for 2 texts"),
        ("ragged", "no embeddings in its answer"),
        ("locked", "refused the key"),
        ("long", "too many tokens"),
    ],
)
def test_an_api_that_fails_says_how(api: str, model: str, message: str) -> None:
    """Errors are the tree's own, with the server's words and never the key."""
    encoder = OpenAIEncoder(model, api_key="sk-secret", base_url=api, max_retries=0)
    with pytest.raises(LLMError, match=message) as caught:
        encoder.encode(["a", "b"], kind="query")
    assert "sk-secret" not in f"{caught.value}{caught.value.hint}{encoder!r}"


def test_an_api_that_is_not_there() -> None:
    """Neither without a key nor without a server."""
    with pytest.raises(LLMError, match="no API key"):
        encoders.load("openai:any")
    encoder = OpenAIEncoder("m", api_key=None, base_url="http://127.0.0.1:9/v1", max_retries=0)
    with pytest.raises(Unreachable, match="cannot be reached"):
        encoder.encode(["a"], kind="query")


def test_vectors_that_are_not_numbers_are_refused() -> None:
    """A diverged model fails in words, not as a score of 0."""

    class Diverged(LengthEncoder):
        def encode(self, texts: Sequence[str], *, kind: Kind, task: str | None = None) -> Vectors:
            return super().encode(texts, kind=kind, task=task) * np.float32(np.nan)

    with pytest.raises(LLMError, match="NaN or infinity"):
        embed(Diverged(), ["a"], "query")


@pytest.mark.parametrize("name", ["texts.txt", "texts.jsonl"])
def test_a_file_is_embedded_row_by_row(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row i is line i, over several batches; progress reaches the end; no partial file stays."""
    monkeypatch.setattr("generator.encoders.embedding.ENCODED_AT_ONCE", 4)
    texts = ["x" * number for number in range(10)]
    lines = texts if name.endswith("txt") else [json.dumps({"body": text}) for text in texts]
    (tmp_path / name).write_text("\n".join(lines) + "\n")
    told: list[tuple[str, int, int]] = []
    shape = embed_file(
        LengthEncoder(), TextFile(tmp_path / name, "body"), tmp_path / "new" / "out.npy",
        progress=lambda *told_now: told.append(told_now),
    )  # fmt: skip
    vectors = np.load(tmp_path / "new" / "out.npy")
    assert shape == vectors.shape == (10, 2)
    assert vectors.tolist() == LengthEncoder().encode(texts, kind="document").tolist()
    assert told == [("texts", 4, 10), ("texts", 8, 10), ("texts", 10, 10)]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out.npy"]


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    """Atomic: an encoder that breaks off changes nothing on disk."""

    class Broken(LengthEncoder):
        def encode(self, texts: Sequence[str], *, kind: Kind, task: str | None = None) -> Vectors:
            raise Unreachable(f"{len(texts)} {kind} {task}: gone", hint="start it")

    (tmp_path / "t.txt").write_text("a\n")
    (tmp_path / "out.npy").write_bytes(b"old")
    with pytest.raises(Unreachable):
        embed_file(Broken(), TextFile(tmp_path / "t.txt"), tmp_path / "out.npy")
    assert (tmp_path / "out.npy").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(RunError, match="cannot be written"):
        embed_file(LengthEncoder(), TextFile(tmp_path / "t.txt"), tmp_path / "t.txt" / "out.npy")


_ON_A_FULL_DISK = """
import sys
from pathlib import Path
import numpy as np
from generator.encoders import TextFile, embed_file
from generator.encoders.partial import PartialVectors
from generator.errors import RunError

class Wide:
    name = "wide"
    def encode(self, texts, *, kind, task=None):
        return np.ones((len(texts), 64), dtype=np.float32)

folder = Path(sys.argv[1])
some = PartialVectors(Wide(), str, 1000, folder / "some", key="k")
assert some.rows(np.arange(9)).shape == (9, 64)
for write in (lambda: some.rows(np.arange(1000)),
              lambda: embed_file(Wide(), TextFile(Path(sys.argv[2])), folder / "all.npy")):
    try:
        write()
    except RunError as exc:
        assert "free some space" in exc.hint, exc
    else:
        sys.exit("there was room")
assert (some.rows(np.arange(9)) == 1).all()
"""


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """A process that writes through a mapping is killed (SIGBUS) where there is no room."""
    (tmp_path / "small").mkdir()
    (tmp_path / "texts.txt").write_text("text\n" * 1000)
    shell = 'mount -t tmpfs -o size=64k tmpfs "$1" || exit 77; shift; exec "$@"'
    command = ["unshare", "-rm", "sh", "-c", shell, "sh", str(tmp_path / "small"), sys.executable]
    command += ["-c", _ON_A_FULL_DISK, str(tmp_path / "small"), str(tmp_path / "texts.txt")]
    if shutil.which("unshare") is None:
        pytest.skip("no unshare here")
    own = {"PYTHONPATH": str(Path(generator.__file__).parents[1])}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **own}
    )
    if done.returncode == 77 or "unshare:" in done.stderr:
        pytest.skip("no file system may be mounted here")
    assert done.returncode == 0, done.stderr


def test_bad_texts_are_told_with_their_lines(tmp_path: Path) -> None:
    """A line without the field, a line that is no JSON, a file without lines."""
    path = tmp_path / "t.jsonl"
    path.write_text('{"text": "a"}\n{"body": "b"}\n{\n')
    with pytest.raises(InputError) as caught:
        TextFile(path)
    assert [problem[:9] for problem in caught.value.problems] == ["t.jsonl:2", "t.jsonl:3"]
    path.write_text("")
    with pytest.raises(InputError, match="no texts"):
        TextFile(path)


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_trine_encode_and_search(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The verbs on a real folder: a .npy file, and the passage that is the query on top."""
    texts, output = tmp_path / "t.txt", tmp_path / "out.npy"
    texts.write_text("red river\ngreen stone\nbird\n")
    assert _run("encode", str(tiny_model), str(texts), "-o", str(output)) == 0
    assert np.load(output).shape == (3, 16)
    assert "3 rows of 16 numbers" in capsys.readouterr().err
    arguments = ("green stone", "-n", "2", "--prompt", "", "--json")
    assert _run("search", str(tiny_model), str(texts), *arguments) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["rank"] for row in rows] == [1, 2]
    assert (rows[0]["id"], rows[0]["text"]) == ("2", "green stone")
    assert rows[0]["score"] == pytest.approx(1, abs=1e-5)


def test_a_second_search_encodes_what_is_new(
    tiny_model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The question, and passages that were not there before; other prompts are another matter."""
    encoded: list[str] = []
    inner = SentenceTransformersEncoder.encode

    def encode(
        self: SentenceTransformersEncoder, texts: Sequence[str], *, kind: Kind, task: str | None
    ) -> Vectors:
        encoded.extend(texts)
        return inner(self, texts, kind=kind, task=task)

    monkeypatch.setattr(SentenceTransformersEncoder, "encode", encode)
    texts = tmp_path / "t.txt"
    texts.write_text("red river\ngreen stone\nbird\n")
    search = ("search", str(tiny_model), str(texts), "stone", "--json")
    assert _run(*search) == 0
    assert sorted(encoded) == ["bird", "green stone", "red river", "stone"]
    before = capsys.readouterr().out

    encoded.clear()
    assert _run(*search) == 0
    assert (encoded, capsys.readouterr().out) == (["stone"], before)

    encoded.clear()
    texts.write_text("red river\ngreen stone\nbird\nred bird\n")
    assert _run(*search) == 0
    assert sorted(encoded) == ["red bird", "stone"]

    encoded.clear()
    assert _run(*search, "--document-prompt", "find ") == 0
    assert len(encoded) == 5


def test_a_folder_without_the_trainers_mark_is_loaded_as_it_is(tiny_model: Path) -> None:
    """`ModelFlags.load` asks sentence-transformers for anything that trine did not train."""
    assert isinstance(ModelFlags().load(str(tiny_model)), SentenceTransformersEncoder)


class Packed:
    """A trained embedder that tells what it was asked."""

    template = "Instruct: {task}\nQuery: {query}"

    def __init__(self) -> None:
        self.prompts = {"query": "Instruct: trained\nQuery: ", "document": ""}
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str], *, prompt: str = "") -> Vectors:
        """Vectors, and a note of the prompt."""
        self.asked.append(prompt)
        return np.ones((len(texts), 2), dtype=np.float32)


def test_a_trained_folder_goes_through_trines_own_forward(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trainer's mark in a folder calls its embedder, framed as in training or as asked."""
    (tmp_path / TRAINED_MARK).write_text("{}")
    packed = Packed()
    embedder = SimpleNamespace(load_embedder=lambda _: packed)
    monkeypatch.setitem(sys.modules, "generator.trainer.embedder", embedder)
    encoder = ModelFlags().load(str(tmp_path))
    assert encoder.name == tmp_path.name
    assert encoder.encode(["a"], kind="query")[0].tolist() == pytest.approx([0.5**0.5] * 2)
    encoder.encode(["a"], kind="query", task="T {query}")
    encoder.encode(["a"], kind="document", task="T")
    own = ModelFlags(prompt="q: ", document_prompt="p: ").load(str(tmp_path))
    own.encode(["a"], kind="query")
    own.encode(["a"], kind="document")
    assert packed.asked == [
        "Instruct: trained\nQuery: ", "Instruct: T {query}\nQuery: ", "", "q: ", "p: ",
    ]  # fmt: skip


def _run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    return int(str(caught.value.code))


def test_search_goes_on_where_nothing_can_be_remembered(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A home that may not be written to costs the next search its second, not this one."""
    texts, place = tmp_path / "texts.txt", tmp_path / "file"
    texts.write_text("a stone bridge\na red bird\n")
    place.touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(place))
    assert _run("search", str(tiny_model), str(texts), "stone", "--json") == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2
    assert "nothing is remembered" in err
