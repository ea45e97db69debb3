"""What all suites of laws share: laws by name, checked one at a time."""

from __future__ import annotations


class Laws:
    """A suite of laws: each method whose name begins with ``law_`` is one, and raises AssertionError where it fails.

    Examples
    --------
    >>> class Even(Laws):
    ...     def __init__(self, number):
    ...         self.number = number
    ...
    ...     def law_halves(self):
    ...         assert self.number % 2 == 0, f"{self.number} is odd"
    >>> Even.names(), Even(4).check("halves")
    (('halves',), None)
    """

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of all laws."""
        return tuple(sorted(name[4:] for name in dir(cls) if name.startswith("law_")))

    def check(self, law: str) -> None:
        """Raise AssertionError, with what differs, where a law is broken."""
        getattr(self, f"law_{law}")()


def must(holds: bool, what: str) -> None:
    """Raise AssertionError with `what` unless something holds: unlike ``assert``, also under ``python -O``."""
    if not holds:
        raise AssertionError(what)
