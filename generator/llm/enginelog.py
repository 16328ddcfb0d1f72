"""What an engine's processes print: kept out of the user's sight, read when something fails.

Processes take over the standard streams of the one that starts them, so these lead to a file for
as long as it takes to start them; what they print later goes there too.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_STREAMS = (1, 2)
_TAIL_BYTES = 1 << 18
_ERROR = re.compile(r"\b(?:[A-Za-z_]+\.)*([A-Z][A-Za-z]*(?:Error|Exception))\b: (.+)")
# They only say that something went wrong elsewhere.
_ECHO = re.compile(
    r"Engine core (?:initialization failed|proc)|WorkerProc initialization failed|"
    r"EngineCore encountered an issue|Executor failed|CancelledError"
)


class EngineLog:
    """A file that goes away with this process. `hidden` false leaves everything where it was."""

    def __init__(self, *, hidden: bool) -> None:
        self._file = tempfile.TemporaryFile() if hidden else None  # noqa: SIM115 - see close

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Everything that is printed meanwhile, by whomever, goes to the file."""
        if self._file is None:
            yield
            return
        sys.stdout.flush()
        sys.stderr.flush()
        saved = [os.dup(stream) for stream in _STREAMS]
        for stream in _STREAMS:
            os.dup2(self._file.fileno(), stream)
        try:
            yield
        finally:
            for stream, old in zip(_STREAMS, saved, strict=True):
                os.dup2(old, stream)
                os.close(old)

    def cause(self) -> str:
        """The first error that was printed and does not point to another; "" if there is none."""
        if self._file is None:
            return ""
        size = os.fstat(self._file.fileno()).st_size
        text = os.pread(self._file.fileno(), _TAIL_BYTES, max(0, size - _TAIL_BYTES))
        for found in _ERROR.finditer(text.decode(errors="replace")):
            if not _ECHO.search(found[0]):
                return found[0].strip()
        return ""

    def close(self) -> None:
        """Forget it."""
        if self._file is not None:
            self._file.close()
