"""A data set's folder → the Hugging Face Hub, or another folder that holds what would go there.

The Hub's client comes by argument. Nothing leaves before the files were searched for keys.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import yaml

from generator.dataset.folder import files_in, replacing
from generator.dataset.keys import find_keys
from generator.errors import ConfigError, InputError, UserError

LOGIN_HINT = "log in with `hf auth login`, or set HF_TOKEN to a token that may write"
COMMIT_MESSAGE = "Upload the data set with trine"
# Shards and families of an earlier version go, or `load_dataset` would read both.
STALE = ["data/*", "*.jsonl"]


class HubClient(Protocol):
    """The part of `huggingface_hub.HfApi` that is used."""

    def create_repo(
        self, repo_id: str, *, private: bool | None, repo_type: str | None, exist_ok: bool
    ) -> Any:
        """Make the repository; the answer has its full name as `repo_id`."""

    def repo_info(self, repo_id: str, *, repo_type: str | None) -> Any:
        """What the Hub knows of a repository; `private` is of interest."""

    def upload_folder(
        self,
        *,
        repo_id: str,
        folder_path: str | Path,
        repo_type: str | None,
        commit_message: str | None,
        allow_patterns: list[str] | str | None,
        delete_patterns: list[str] | str | None,
    ) -> Any:
        """Commit the files of a folder, and the removal of others."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What goes where. `files` maps names to bytes; `configurations` to rows by split."""

    destination: str
    private: bool
    files: Mapping[str, int]
    configurations: Mapping[str, Mapping[str, int]]

    @property
    def total_bytes(self) -> int:
        """Size of all files."""
        return sum(self.files.values())


def publish(
    folder: Path,
    *,
    repo: str | None = None,
    target: Path | None = None,
    private: bool = False,
    dry_run: bool = False,
    api: HubClient | None = None,
) -> Plan:
    """Push the data set in `folder` to the Hub as `repo`, or copy it to `target`.

    With `dry_run` nothing is written or sent. Raises `ConfigError` for a bad name or login,
    `InputError` for a folder that is no data set or holds what looks like a key, `UserError` when
    the Hub refuses or cannot be reached.
    """
    if (repo is None) == (target is None):
        raise ConfigError("publish needs one destination", hint="--repo me/name or --folder DIR")
    plan = _plan(folder, str(repo or target), private)
    _refuse_keys(folder, plan)
    if dry_run:
        return plan
    if target is not None:
        _copy(folder, target, plan)
    elif repo is not None:
        _push(folder, repo, plan, api or _hub())
    return plan


def _plan(folder: Path, destination: str, private: bool) -> Plan:
    readme = folder / "README.md"
    if not readme.is_file():
        raise InputError(
            f"{folder}: no data set here (no README.md)", hint="trine export comes first"
        )
    files = {name: (folder / name).stat().st_size for name in _published(folder)}
    rows = {
        config["config_name"]: {
            entry["split"]: _rows(folder, entry["path"]) for entry in config["data_files"]
        }
        for config in _configs(readme)
    }
    return Plan(destination, private, files, rows)


def _published(folder: Path) -> Iterator[str]:
    """A closed list: a journal or a configuration that lies in the folder never goes along."""
    for name in files_in(folder):
        in_data = name.startswith("data/") and name.endswith(".parquet")
        if name == "README.md" or in_data or ("/" not in name and name.endswith(".jsonl")):
            yield name


def _configs(readme: Path) -> list[dict[str, Any]]:
    _, _, rest = readme.read_text(encoding="utf-8").partition("---\n")
    try:
        front_matter = yaml.safe_load(rest.partition("\n---")[0])
        configs: list[dict[str, Any]] = front_matter["configs"]
    except (yaml.YAMLError, KeyError, TypeError) as exc:
        raise InputError(
            f"{readme}: its front matter names no configs", hint="trine export writes it anew"
        ) from exc
    return configs


def _rows(folder: Path, pattern: str) -> int:
    import pyarrow.parquet as pq  # noqa: PLC0415 - slow to import

    return sum(pq.read_metadata(path).num_rows for path in sorted(folder.glob(pattern)))


def _refuse_keys(folder: Path, plan: Plan) -> None:
    found = tuple(str(item) for item in find_keys(folder, plan.files))
    if found:
        raise InputError(
            f"{folder}: {len(found)} texts look like keys, so nothing was published",
            hint="take these records out of the data set, and revoke the keys if they are real",
            problems=found[:20],
        )


def _copy(folder: Path, target: Path, plan: Plan) -> None:
    with replacing(target) as new:
        for name in plan.files:
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, new / name)


def _hub() -> HubClient:
    from huggingface_hub import HfApi  # noqa: PLC0415 - slow to import

    return HfApi()


def _push(folder: Path, repo: str, plan: Plan, api: HubClient) -> None:
    """`upload_folder` resumes an interrupted upload and cuts a large one into several commits."""
    with _hub_errors(repo):
        url = api.create_repo(repo, private=plan.private, repo_type="dataset", exist_ok=True)
        full_name = url.repo_id  # with the user's name, where `repo` has none
        if plan.private and not api.repo_info(full_name, repo_type="dataset").private:
            raise ConfigError(
                f"{full_name} is there already, and public",
                hint="choose another name, make it private on the Hub, or leave out --private",
            )
        api.upload_folder(
            repo_id=full_name,
            folder_path=folder,
            repo_type="dataset",
            commit_message=COMMIT_MESSAGE,
            allow_patterns=list(plan.files),
            delete_patterns=STALE,
        )


@contextmanager
def _hub_errors(repo: str) -> Iterator[None]:
    from huggingface_hub import errors  # noqa: PLC0415 - slow to import

    # The offline mode and old clients raise OSError; the errors of httpx are no such thing.
    unreachable = (OSError, getattr(errors, "HTTPError", OSError))
    try:
        yield
    except errors.HFValidationError as exc:
        raise ConfigError(f"{repo!r} is no name of a repository", hint="--repo me/name") from exc
    except errors.LocalTokenNotFoundError as exc:
        raise ConfigError("not logged in to the Hugging Face Hub", hint=LOGIN_HINT) from exc
    except errors.HfHubHTTPError as exc:
        status = getattr(exc.response, "status_code", None)
        if status in {401, 403}:
            message = f"the Hub does not let you write to {repo} ({status})"
            raise ConfigError(message, hint=LOGIN_HINT) from exc
        raise UserError(
            f"the Hub refused {repo} ({status})", hint="try again; an upload goes on where it was"
        ) from exc
    except unreachable as exc:
        raise UserError(
            f"the Hub cannot be reached: {exc}", hint="check the network and HF_HUB_OFFLINE"
        ) from exc
