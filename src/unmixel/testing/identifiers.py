"""The laws of an identifier: one name for each group, from the list, whatever the order of the list.

for law in IdentifierLaws.names():
    IdentifierLaws(MyIdentifier(...)).check(law)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, is_dataclass
from functools import cache
from typing import Any

from unmixel.dataset.results import Groups
from unmixel.interpret.cluster import RotationClusterer
from unmixel.interpret.contract import Identifier
from unmixel.physics.cells import structures
from unmixel.physics.crystal import Crystal
from unmixel.testing.clusterers import SEED, diffraction_factors
from unmixel.testing.laws import Laws, must

CANDIDATES = ("CuZr", "Zr", "Cu")
NAMELESS = ("unknown", "amorphous")


@cache
def example_groups() -> Groups:
    """Return the groups of eight patterns: three lattices in two rotations each, two halos."""
    return RotationClusterer().group(diffraction_factors(), seed=SEED)


def crystals(names: Sequence[str] = CANDIDATES) -> tuple[Crystal, ...]:
    """Return built-in structures by name."""
    return tuple(structures(names))


@dataclass(frozen=True)
class IdentifierLaws(Laws):
    """Laws that an identifier must keep.

    Parameters
    ----------
    identifier : Identifier
    groups : Groups
        What it is tried on.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Shy:
    ...     name = "shy"
    ...
    ...     def identify(self, groups, candidates, *, voltage_kV):
    ...         return ["unknown"] * groups.n_groups
    >>> [IdentifierLaws(Shy()).check(law) for law in IdentifierLaws.names()][0] is None
    True
    """

    identifier: Identifier
    groups: Groups = field(default_factory=example_groups)

    def _named(self, candidates: Sequence[Crystal]) -> list[str]:
        return list(self.identifier.identify(self.groups, candidates, voltage_kV=300.0))

    def law_is_a_frozen_plug_in(self) -> None:
        """A frozen dataclass with a name and an `identify`."""
        kind: Any = type(self.identifier)
        must(isinstance(self.identifier, Identifier), "it has no name or no identify")
        must(is_dataclass(kind), "write it as a dataclass")
        must(getattr(kind, "__dataclass_params__").frozen, "freeze it: @dataclass(frozen=True)")  # noqa: B009

    def law_names_every_group(self) -> None:
        """One word for each group: a candidate's name, ``unknown`` or ``amorphous``."""
        found = self._named(crystals())
        must(len(found) == self.groups.n_groups, f"{len(found)} names for {self.groups.n_groups} groups")
        allowed = {*CANDIDATES, *NAMELESS}
        strange = sorted({str(name) for name in found} - allowed)
        must(not strange, f"'{strange[0] if strange else ''}' is none of {', '.join(sorted(allowed))}")

    def law_order_does_not_matter(self) -> None:
        """Candidates in another order give the same names."""
        one, other = self._named(crystals()), self._named(crystals()[::-1])
        must(one == other, f"{one}, but {other} with the candidates the other way round")

    def law_repeats(self) -> None:
        """The same again."""
        one, other = self._named(crystals()), self._named(crystals())
        must(one == other, f"{one}, and then {other}")

    def law_input_is_untouched(self) -> None:
        """Patterns and maps of the groups stay as they were."""
        before = self.groups.patterns.copy(), self.groups.maps.copy()
        self._named(crystals())
        for name, was, now in zip(
            ("patterns", "maps"), before, (self.groups.patterns, self.groups.maps), strict=True
        ):
            must(bool((was == now).all()), f"the {name} of the groups were changed")
