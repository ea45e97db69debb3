"""What a plug-in that groups components must be. The whole contract is on this page.

A clusterer is a frozen dataclass: its fields are its parameters (JSON-safe, with defaults), its class
variable `name` the name it is registered under in the entry-point group ``unmixel.clusterers``; a class variable
``references`` (a tuple of `unmixel.dataset.bibliography.Reference`) may say what to cite where it ran. It does one
thing: look at factors and say which components show the same thing.

The conformance suite `unmixel.testing.clusterers.ClustererSuite` checks every registered clusterer: labels
are 0-based and sorted by strength, the distance is symmetric within [0, 1] with a zero diagonal, the linkage
is the average linkage of that distance and the labels are its cut at `cut`, group maps are the sums of the
members' maps, copies of one pattern share a group, the same seed gives the same groups, neither the scale of
the maps nor the order of the components matters, and the input is left untouched.
"""

from __future__ import annotations

from typing import ClassVar, Protocol, runtime_checkable

from unmixel.dataset.results import Factors, Groups


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
