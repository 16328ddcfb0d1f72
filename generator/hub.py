"""Whether the Hugging Face Hub can be reached: asked once, before its libraries ask for minutes.

They try every file of a model six times, with growing pauses, where nothing answers at all.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from unittest.mock import patch

# Names, as the HTTP library below huggingface_hub changes with its version.
_NO_CONNECTION = frozenset({"ConnectError", "ConnectTimeout", "ConnectionError"})


@contextmanager
def offline_where_unreachable(name: str) -> Iterator[None]:
    """Within it, a Hub that cannot be reached is not asked for `name`: the cache is all there is.

    What is in the cache loads as ever; for other names OSError is raised at once. A Hub that
    answers anything at all is asked as patiently as ever, and none for a path that is there.
    """
    if Path(name).exists():
        yield
        return
    from huggingface_hub import constants  # noqa: PLC0415 - slow to import

    if constants.HF_HUB_OFFLINE or not no_connection(
        constants.ENDPOINT, patience_s=constants.HF_HUB_ETAG_TIMEOUT
    ):
        yield
        return
    with ExitStack() as offline:
        offline.enter_context(patch.object(constants, "HF_HUB_OFFLINE", new=True))
        if datasets := sys.modules.get("datasets"):
            offline.enter_context(patch.object(datasets.config, "HF_HUB_OFFLINE", new=True))
        try:
            yield
        except (OSError, ValueError) as exc:  # theirs blame a setting that nobody made
            message = f"{constants.ENDPOINT} cannot be reached, and it does not load from the cache"
            raise OSError(message) from exc


def no_connection(endpoint: str, *, patience_s: float) -> bool:
    """Whether no connection to `endpoint` comes about, with huggingface_hub's own proxies and keys.

    An answer of any kind is a connection, an error of the server's too. Where nothing is heard for
    `patience_s` there is none: resolving a name, and trying address after address, has no limit of
    its own (hence the thread).
    """
    found: SimpleQueue[bool] = SimpleQueue()
    Thread(target=lambda: found.put(_fails(endpoint, patience_s)), daemon=True).start()
    try:
        return found.get(timeout=patience_s)
    except Empty:
        return True


def _fails(endpoint: str, timeout_s: float) -> bool:
    from huggingface_hub import get_session  # noqa: PLC0415 - as above

    try:
        get_session().head(endpoint, timeout=timeout_s)
    except Exception as exc:  # noqa: BLE001 - what else goes wrong, the libraries tell better
        return any(kind.__name__ in _NO_CONNECTION for kind in type(exc).__mro__)
    return False
