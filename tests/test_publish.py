"""Publishing: the card, the plan, the guard against keys, the calls to the Hub."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from huggingface_hub import HfApi, errors

from generator.card import RunFacts, card
from generator.dataset.folder import files_in
from generator.dataset.layout import Layout
from generator.dataset.split import Split
from generator.dataset.write import write_dataset
from generator.errors import ConfigError, InputError, UserError
from generator.publish import COMMIT_MESSAGE, publish
from generator.records import Record, Rejected, make_record
from generator.statistics import statistics

FACTS = RunFacts(
    name="Questions and answers",
    version="0.1.0",
    seed=7,
    models=("gpt-4o-mini", "/home/ada/weights/smol"),
    parameters={"temperature": 1.0, "top_p": 1.0},
    templates={"short-long/write.j2": "0badc0de"},
    families={"short-long": "Short query, long document."},
)
OPENAI_KEY = "sk-" + "proj-Ab3" * 6
HUB_TOKEN = "hf_" + "aB" * 17


def record(query: str, family: str = "short-long", language: str = "en") -> Record:
    return make_record(
        family=family,
        task="Find it.",
        language=language,
        query=query,
        positives=(f"The answer to {query}.",),
        negatives=("Something else.",),
    )


RECORDS = [record("a"), record("b"), record("猫", "bitext", "ja-en")]


def make_card(layout: Layout) -> str:
    rejected = [Rejected("filter", "query_too_short", "short-long", "en")]
    stats = statistics(RECORDS, rejected, {"prompt_tokens": 1200, "cost_usd": 0.5})
    return card(stats, FACTS, layout)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "set"
    write_dataset(lambda: RECORDS, path, split=Split(frozenset({RECORDS[1].id})), readme=make_card)
    return path


class FakeHub:
    """Records the calls, each checked against the signature of the installed `HfApi`."""

    def __init__(self, *, private: bool = True, error: Exception | None = None) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self._private = private
        self._error = error

    def _note(self, name: str, *arguments: Any, **named: Any) -> None:
        bound = inspect.signature(getattr(HfApi, name)).bind(self, *arguments, **named)
        self.calls.append((name, {k: v for k, v in bound.arguments.items() if k != "self"}))

    def create_repo(self, repo_id: str, **named: Any) -> Any:
        """The name in full, or the error."""
        self._note("create_repo", repo_id, **named)
        if self._error:
            raise self._error
        return SimpleNamespace(repo_id=repo_id if "/" in repo_id else f"me/{repo_id}")

    def repo_info(self, repo_id: str, **named: Any) -> Any:
        """Whether the repository that is there is private."""
        self._note("repo_info", repo_id, **named)
        return SimpleNamespace(private=self._private)

    def upload_folder(self, **named: Any) -> Any:
        """Only noted."""
        self._note("upload_folder", **named)


# The card


def test_the_front_matter_says_what_the_hub_asks(folder: Path) -> None:
    """Languages, sizes, tags, licence and one configuration a family."""
    _, front, _ = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    found = yaml.safe_load(front)
    assert found["language"] == ["en", "ja"]
    assert found["license"] == "other"
    assert found["size_categories"] == ["n<1K"]
    assert found["task_categories"] == ["feature-extraction", "sentence-similarity"]
    assert {"synthetic", "sentence-transformers", "embeddings"} <= set(found["tags"])
    assert [c["config_name"] for c in found["configs"]] == ["default", "bitext", "short-long"]
    assert found["configs"][0]["data_files"] == [
        {"split": "train", "path": "data/*/train-*.parquet"},
        {"split": "test", "path": "data/*/test-*.parquet"},
    ]


@pytest.mark.parametrize(
    ("rows", "size"),
    [(999, "n<1K"), (1000, "1K<n<10K"), (99_999, "10K<n<100K"), (10**6, "1M<n<10M")],
)
def test_size_categories_have_the_hubs_bounds(rows: int, size: str) -> None:
    """The bounds are exclusive above."""
    text = make_card(Layout.of({"short-long": {"train": rows}}))
    assert f"size_categories:\n- {size}\n" in text


def test_the_card_tells_how_the_data_was_made(folder: Path) -> None:
    """Models, parameters, hashes, seed, version, yield, families, fields and limits."""
    text = (folder / "README.md").read_text(encoding="utf-8")
    for line in (
        "2 train, 1 test records; 3 different queries",
        "Made with trine 0.1.0, seed 7,",
        "| temperature | 1.0 |",
        "| short-long/write.j2 | `0badc0de` |",
        "| cost (USD) | 0.5 |",
        "| drawn | 4 | 100.0 % |",
        "| kept | 3 | 75.0 % |",
        "| filter: query_too_short | 1 |",
        "| `short-long` | Short query, long document. | 2 |",
        "| ja-en | 1 |",
        "| `in_batch` |",
        "## Limits",
        "factual errors",
    ):
        assert line in text


def test_the_card_gives_nobody_away(folder: Path) -> None:
    """A model in a local folder is named by its last part, and there are no times."""
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "`gpt-4o-mini` and `smol`" in text
    assert "/home" not in text
    assert not re.search(r"20\d\d-\d\d-\d\d|\d\d:\d\d", text)


def test_the_loading_snippet_runs(folder: Path, tmp_path: Path) -> None:
    """The first block of the card gives the columns that sentence-transformers trains on."""
    datasets = pytest.importorskip("datasets")
    text = (folder / "README.md").read_text(encoding="utf-8")
    (code, *_) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    code = code.replace('"me/name"', repr(str(folder)))
    code = code.replace('split="train")', f'split="train", cache_dir={str(tmp_path / "c")!r})')
    found: dict[str, Any] = {}
    datasets.disable_progress_bars()
    try:
        exec(code, found)
    finally:
        datasets.enable_progress_bars()
    assert min(found["train"], key=lambda row: str(row["anchor"])) == {
        "anchor": "Instruct: Find it.\nQuery: a",
        "positive": "The answer to a.",
        "negative": "Something else.",
    }
    assert len(found["train"]) == 2


# The plan


def test_a_dry_run_says_what_would_go_and_does_nothing(folder: Path) -> None:
    """Files with sizes, configurations with rows."""
    hub = FakeHub()
    plan = publish(folder, repo="me/name", private=True, dry_run=True, api=hub)
    assert hub.calls == []
    assert plan.destination == "me/name"
    assert plan.configurations == {
        "default": {"train": 2, "test": 1},
        "bitext": {"train": 1},
        "short-long": {"train": 1, "test": 1},
    }
    assert plan.files == {name: (folder / name).stat().st_size for name in files_in(folder)}
    assert plan.total_bytes == sum(plan.files.values())


def test_only_the_data_set_goes_along(folder: Path, tmp_path: Path) -> None:
    """A journal or a hidden file that lies in the folder stays at home."""
    for name in ("journal.sqlite", ".env", "run.yaml"):
        (folder / name).write_text("private")
    plan = publish(folder, target=tmp_path / "out")
    assert files_in(tmp_path / "out") == sorted(plan.files)
    assert not plan.files.keys() & {"journal.sqlite", ".env", "run.yaml"}
    assert not (tmp_path / "out/.env").exists()


def test_a_folder_gets_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    """What is written to a folder is what would go to the Hub."""
    plan = publish(folder, target=tmp_path / "deep" / "out")
    for name in plan.files:
        assert (tmp_path / "deep" / "out" / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.parametrize("both", [True, False])
def test_one_destination_is_needed(folder: Path, tmp_path: Path, both: bool) -> None:
    """Neither none nor two."""
    with pytest.raises(ConfigError, match="one destination"):
        publish(folder, repo="me/x" if both else None, target=tmp_path / "o" if both else None)


def test_a_folder_without_a_data_set_is_refused(tmp_path: Path) -> None:
    """No README, or one without front matter, is the user's error."""
    with pytest.raises(InputError, match="no data set here"):
        publish(tmp_path, repo="me/name", dry_run=True)
    (tmp_path / "README.md").write_text("# Mine\n")
    with pytest.raises(InputError, match="names no configs"):
        publish(tmp_path, repo="me/name", dry_run=True)


# The Hub


def test_the_hub_gets_a_dataset_repository_and_the_files(folder: Path) -> None:
    """A repository is made if need be, and old shards go with the same commit."""
    hub = FakeHub()
    plan = publish(folder, repo="name", private=True, api=hub)
    assert hub.calls == [
        (
            "create_repo",
            {"repo_id": "name", "private": True, "repo_type": "dataset", "exist_ok": True},
        ),
        ("repo_info", {"repo_id": "me/name", "repo_type": "dataset"}),
        (
            "upload_folder",
            {
                "repo_id": "me/name",
                "folder_path": folder,
                "repo_type": "dataset",
                "commit_message": COMMIT_MESSAGE,
                "allow_patterns": sorted(plan.files),
                "delete_patterns": ["data/*", "*.jsonl"],
            },
        ),
    ]


def test_private_data_never_goes_to_a_public_repository(folder: Path) -> None:
    """`create_repo` leaves an old repository as it is, so that is checked."""
    hub = FakeHub(private=False)
    with pytest.raises(ConfigError, match="is there already, and public"):
        publish(folder, repo="me/name", private=True, api=hub)
    assert [name for name, _ in hub.calls] == ["create_repo", "repo_info"]
    publish(folder, repo="me/name", private=False, api=hub)
    assert hub.calls[-1][0] == "upload_folder"


def http_error(status: int) -> Exception:
    response: Any = SimpleNamespace(status_code=status, headers={}, request=None)
    return errors.HfHubHTTPError(f"{status} from the Hub", response=response)


@pytest.mark.parametrize(
    ("error", "kind", "message", "hint"),
    [
        (http_error(401), ConfigError, "does not let you write to me/x (401)", "hf auth login"),
        (http_error(403), ConfigError, "does not let you write to me/x (403)", "HF_TOKEN"),
        (http_error(500), UserError, "the Hub refused me/x (500)", "try again"),
        (errors.LocalTokenNotFoundError("no"), ConfigError, "not logged in", "hf auth login"),
        (errors.HFValidationError("no"), ConfigError, "'me/x' is no name", "--repo me/name"),
        (errors.OfflineModeIsEnabled("off"), UserError, "cannot be reached: off", "HF_HUB_OFFLINE"),
        (errors.HTTPError("no route"), UserError, "cannot be reached: no route", "network"),  # type: ignore[attr-defined]
    ],
)
def test_errors_of_the_hub_come_with_a_hint(
    folder: Path, error: Exception, kind: type[UserError], message: str, hint: str
) -> None:
    """Login, name, refusal and network each say what to do."""
    with pytest.raises(kind) as caught:
        publish(folder, repo="me/x", api=FakeHub(error=error))
    assert type(caught.value) is kind
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_the_real_client_refuses_a_bad_name_before_it_calls(folder: Path) -> None:
    """`HfApi` validates the name itself; nothing is sent."""
    with pytest.raises(ConfigError, match="'a/b/c' is no name of a repository"):
        publish(folder, repo="a/b/c", api=HfApi(token=False, endpoint="http://127.0.0.1:9"))


# Keys


def rewrite(path: Path, change: Callable[[str], str]) -> None:
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")


@pytest.mark.parametrize("name", ["README.md", "train.jsonl"])
@pytest.mark.parametrize("key", [OPENAI_KEY, HUB_TOKEN])
def test_a_key_in_a_text_file_stops_everything(
    folder: Path, tmp_path: Path, name: str, key: str
) -> None:
    """The error names file and line, never the key; a dry run tells as well."""
    rewrite(folder / name, lambda text: text + f"\nOPENAI_API_KEY={key}\n")
    line = len((folder / name).read_text(encoding="utf-8").splitlines())
    hub = FakeHub()
    for arguments in (
        {"repo": "me/x", "dry_run": True},
        {"repo": "me/x"},
        {"target": tmp_path / "o"},
    ):
        with pytest.raises(InputError) as caught:
            publish(folder, api=hub, **arguments)
        assert [problem.split(": ")[0] for problem in caught.value.problems] == [f"{name}:{line}"]
        assert key not in str(caught.value) + caught.value.hint
    assert hub.calls == []
    assert not (tmp_path / "o").exists()


def test_a_key_in_parquet_is_found_by_its_row(tmp_path: Path) -> None:
    """Compressed files are searched too."""
    items = [record("a"), record(f"is {HUB_TOKEN} mine")]
    write_dataset(lambda: items, tmp_path / "s", split=Split(frozenset()), jsonl=False)
    with pytest.raises(InputError) as caught:
        publish(tmp_path / "s", repo="me/x", dry_run=True)
    assert caught.value.problems == (
        "data/short-long/train-00000-of-00001.parquet:row 2: a Hugging Face token",
    )


@pytest.mark.parametrize(
    "text",
    [
        "the task-oriented-dialogue-systems-of-2024 workshop",
        "sk-learn-like-estimators-and-pipelines",
        "hf_hub_download from huggingface",
        "set OPENAI_API_KEY=sk-... first",
    ],
)
def test_ordinary_texts_are_no_keys(folder: Path, text: str) -> None:
    """Words that only look like a prefix pass."""
    rewrite(folder / "train.jsonl", lambda old: old + text + "\n")
    assert "train.jsonl" in publish(folder, repo="me/x", dry_run=True).files


@pytest.fixture(autouse=True)
def no_login(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test finds the token of whoever runs it."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
