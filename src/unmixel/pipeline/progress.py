"""How a run or a conversion tells what it is doing."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Hears of every stage, sweep, byte and remark; draws, prints or ignores it."""

    def stage(self, name: str) -> None:
        """Hear that a stage begins: ``read``, ``prepare: center``, ``factorize``, ``interpret``, ..."""
        ...

    def sweep(self, sweep: int, limit: int, objective: float) -> None:
        """Hear that a sweep of the factorisation is done: its number, the largest number, the objective."""
        ...

    def moved(self, n_bytes: int, total: int) -> None:
        """Hear how many bytes of all have been converted or verified."""
        ...

    def passed(self, done: int, of: int) -> None:
        """Hear how many parts of a pass over the data workers have done."""
        ...

    def note(self, text: str) -> None:
        """Hear a remark that the user should see, one sentence or two."""
        ...


class Silent:
    """Tells nobody."""

    def stage(self, name: str) -> None:
        """Ignore it."""

    def sweep(self, sweep: int, limit: int, objective: float) -> None:
        """Ignore it."""

    def moved(self, n_bytes: int, total: int) -> None:
        """Ignore it."""

    def passed(self, done: int, of: int) -> None:
        """Ignore it."""

    def note(self, text: str) -> None:
        """Ignore it."""
