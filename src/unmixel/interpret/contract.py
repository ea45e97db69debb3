"""What a plug-in that groups components, names groups or scores a result must be. The contracts are on this page.

A clusterer is a frozen dataclass: its fields are its parameters (JSON-safe, with defaults), its class
variable `name` the name it is registered under in the entry-point group ``unmixel.clusterers``; a class variable
``references`` (a tuple of `unmixel.dataset.bibliography.Reference`) may say what to cite where it ran. It does one
thing: look at factors and say which components show the same thing.

The conformance suite `unmixel.testing.clusterers.ClustererSuite` checks every registered clusterer: labels
are 0-based and sorted by strength, the distance is symmetric within [0, 1] with a zero diagonal, the linkage
is the average linkage of that distance and the labels are its cut at `cut`, group maps are the sums of the
members' maps, copies of one pattern share a group, the same seed gives the same groups, neither the scale of
the maps nor the order of the components matters, and the input is left untouched.

An identifier names each group by one of the candidate structures; a score says how good a result is, without its truth.
Their suites are `unmixel.testing.identifiers.IdentifierLaws` and `unmixel.testing.scores.ScoreLaws`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, Protocol, runtime_checkable

from unmixel.dataset.results import Factors, Groups
from unmixel.dataset.scan import Scan
from unmixel.physics.crystal import Crystal


@runtime_checkable
class Clusterer(Protocol):
    """Groups the components of a factorisation by what their patterns look like."""

    name: ClassVar[str]

    def group(self, factors: Factors, *, seed: int) -> Groups:
        """Return the groups of the components.

        Parameters
        ----------
        factors : Factors
        seed : int
            Starts whatever is random in the decision (surrogates); the same seed gives the same groups.

        Raises
        ------
        InputError
            When the clusterer cannot work on such patterns (wrong number of pattern axes).
        """
        ...


@runtime_checkable
class Identifier(Protocol):
    """Names groups of patterns by candidate structures. A frozen dataclass, under ``unmixel.identifiers``."""

    name: ClassVar[str]

    def identify(self, groups: Groups, candidates: Sequence[Crystal], *, voltage_kV: float) -> Sequence[str]:
        """Return one name for each group: that of a candidate, ``"unknown"`` or ``"amorphous"``.

        Parameters
        ----------
        groups : Groups
            Its pattern axes are calibrated.
        candidates : sequence of Crystal
        voltage_kV : float
        """
        ...


@runtime_checkable
class Score(Protocol):
    """Says how good a result is, without its truth. A frozen dataclass; registered under ``unmixel.scores``.

    Attributes
    ----------
    name : str
    better : {"higher", "lower"}
        Which of two values is that of the better result.
    """

    name: ClassVar[str]
    better: ClassVar[Literal["higher", "lower"]]

    def score(self, scan: Scan, factors: Factors) -> float:
        """Return a finite number.

        Parameters
        ----------
        scan : Scan
            As it was factorised: prepared, with its weights, in memory.
        factors : Factors
        """
        ...
