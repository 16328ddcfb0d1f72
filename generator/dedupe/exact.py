"""Exact duplicates: equal in normal form (NFKC, case, punctuation and spaces folded)."""

from __future__ import annotations

from hashlib import blake2b

from generator.dedupe.greedy import Match
from generator.text import normalise

_DIGEST_BYTES = 16


class ExactIndex:
    """Finds kept items with the same text in the same scope; about 150 bytes an item."""

    def __init__(self) -> None:
        self._digests: list[bytes | None] = []
        self._kept: dict[bytes, int] = {}

    def add(self, text: str | None, *scope: str) -> None:
        """The next item. Only items of one scope are compared; `None` duplicates nothing."""
        if text is None:
            self._digests.append(None)
            return
        digest = blake2b(digest_size=_DIGEST_BYTES)
        for part in (*scope, normalise(text)):
            # A byte that UTF-8 never holds keeps the parts apart.
            digest.update(part.encode("utf-8", "surrogatepass") + b"\xff")
        self._digests.append(digest.digest())

    def find(self, item: int) -> Match | None:
        """The kept item with the same text."""
        digest = self._digests[item]
        partner = None if digest is None else self._kept.get(digest)
        return None if partner is None else Match(partner, 1.0)

    def keep(self, item: int) -> None:
        """Later items with this text are duplicates of this one."""
        digest = self._digests[item]
        if digest is not None:
            self._kept.setdefault(digest, item)
