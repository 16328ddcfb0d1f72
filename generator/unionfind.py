"""Which of the numbers 0, 1, … are joined (union-find)."""

from __future__ import annotations

from array import array


class Groups:
    """The numbers below `count`, each alone at first; eight bytes each."""

    def __init__(self, count: int = 0) -> None:
        self._parent = array("q", range(count))

    def add(self) -> None:
        """One number more."""
        self._parent.append(len(self._parent))

    def root(self, index: int) -> int:
        """The smallest number of its group."""
        parent = self._parent
        while parent[index] != index:
            parent[index] = parent[parent[index]]  # halves the path for the next look-up
            index = parent[index]
        return index

    def join(self, left: int, right: int) -> None:
        """Make one group of two."""
        left, right = self.root(left), self.root(right)
        self._parent[max(left, right)] = min(left, right)
