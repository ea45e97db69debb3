"""A crystal structure and its kinematic reflections, with electron scattering factors (gemmi)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import ceil, gcd
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError

Float = NDArray[np.float64]

B_FACTOR = 0.5
"""Debye-Waller B in angstrom^2 where a structure does not say: usual for inorganic crystals at room temperature."""

ABSENT = 1e-4
"""Share of the strongest intensity below which a reflection counts as forbidden."""


def direct_axes(lengths: tuple[float, float, float], angles_deg: tuple[float, float, float]) -> Float:
    """Return the axes a, b, c of a cell as rows, shape (3, 3): a along x, b in the xy plane, so c* along z.

    Parameters
    ----------
    lengths : (float, float, float)
        a, b, c, in angstrom.
    angles_deg : (float, float, float)
        alpha, beta, gamma.

    Examples
    --------
    >>> direct_axes((3.0, 3.0, 5.0), (90.0, 90.0, 120.0)).round(3).tolist()
    [[3.0, 0.0, 0.0], [-1.5, 2.598, 0.0], [0.0, 0.0, 5.0]]
    """
    a, b, c = lengths
    alpha, beta, gamma = np.deg2rad(angles_deg)
    x = np.cos(beta)
    y = (np.cos(alpha) - np.cos(beta) * np.cos(gamma)) / np.sin(gamma)
    z = np.sqrt(max(0.0, 1 - x * x - y * y))
    return np.array([[a, 0, 0], [b * np.cos(gamma), b * np.sin(gamma), 0], [c * x, c * y, c * z]])


@dataclass(frozen=True)
class Site:
    """An atom of the unit cell.

    Parameters
    ----------
    element : str
        Symbol, such as ``"Zr"``.
    position : (float, float, float)
        In fractions of the cell.
    occupancy : float, 0 to 1
    b_factor : float
        Debye-Waller B in angstrom^2.
    """

    element: str
    position: tuple[float, float, float]
    occupancy: float = 1.0
    b_factor: float = B_FACTOR


@dataclass(frozen=True, eq=False)
class Reflections:
    """Reflections of a crystal up to some spatial frequency.

    Parameters
    ----------
    hkl : ndarray of int, shape (n, 3)
    g : ndarray, shape (n, 3)
        In 1/angstrom, in the crystal's own right-handed frame (a along x, b in the xy plane).
    intensity : ndarray, shape (n,)
        ``|F|^2`` in angstrom^2, F the kinematic structure factor for electrons.
    """

    hkl: NDArray[np.intp]
    g: Float
    intensity: Float

    @property
    def forbidden(self) -> NDArray[np.bool_]:
        """Which reflections the structure extinguishes, though double diffraction may bring them back, shape (n,)."""
        return np.asarray(self.intensity <= ABSENT * self.intensity.max(initial=0.0))


@dataclass(frozen=True)
class Crystal:
    """A crystal structure: cell and all atoms in it.

    Parameters
    ----------
    name : str
    lengths : (float, float, float)
        a, b, c in angstrom.
    angles_deg : (float, float, float)
        alpha, beta, gamma.
    sites : tuple of Site
        All atoms of the cell.
    space_group : str
        Hermann-Mauguin symbol; ``"P 1"`` treats no two directions as equal.

    Examples
    --------
    >>> copper = Crystal.face_centred("Cu", 3.615)
    >>> reflections = copper.reflections(0.6)
    >>> sorted({round(1 / float(np.linalg.norm(g)), 3) for g in reflections.g[~reflections.forbidden]}, reverse=True)
    [2.087, 1.808]
    """

    name: str
    lengths: tuple[float, float, float]
    angles_deg: tuple[float, float, float]
    sites: tuple[Site, ...]
    space_group: str = "P 1"

    def __post_init__(self) -> None:
        volume = abs(float(np.linalg.det(self.direct))) if min(self.lengths) > 0 else 0.0
        if not (np.isfinite(volume) and volume > 1e-3 and self.sites):
            raise InputError(
                f"crystal {self.name!r}",
                expected="lengths > 0 and angles that enclose a volume, and at least one atom",
                got=f"{self.lengths} angstrom, {self.angles_deg} degrees, {len(self.sites)} atoms",
                hint="look at the cell and the atoms of the CIF file",
            )

    @classmethod
    def face_centred(cls, element: str, a: float) -> Crystal:
        """Return a face-centred cubic element of lattice constant `a`, in angstrom."""
        places = ((0.0, 0.0, 0.0), (0.5, 0.5, 0.0), (0.5, 0.0, 0.5), (0.0, 0.5, 0.5))
        return cls(
            element, (a, a, a), (90.0, 90.0, 90.0), tuple(Site(element, p) for p in places), "F m -3 m"
        )

    @classmethod
    def from_cif(cls, path: str | Path, name: str | None = None) -> Crystal:
        """Return the structure of a CIF file.

        Parameters
        ----------
        path : str or Path
        name : str, optional
            The file's own name without suffix where it is not given.

        Raises
        ------
        InputError
            When the file holds no cell with atoms, or an element that nobody knows.
        """
        import gemmi

        path = Path(path)
        hint = "give a CIF file of a crystal structure"
        try:
            small = gemmi.read_small_structure(str(path))
            atoms = small.get_all_unit_cell_sites()
        except (OSError, RuntimeError, ValueError, IndexError) as error:
            told = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(
                f"CIF file {path}", expected="a crystal structure", got=told, hint=hint
            ) from error
        if not atoms or small.cell.volume <= 1.0 + 1e-9:
            raise InputError(
                f"CIF file {path}", expected="a cell and its atoms", got=f"{len(atoms)} atoms", hint=hint
            )
        cell = small.cell
        sites = tuple(
            Site(
                site.element.name,
                (site.fract.x % 1.0, site.fract.y % 1.0, site.fract.z % 1.0),
                float(site.occ),
                float(8 * np.pi**2 * site.u_iso) if site.u_iso > 0 else B_FACTOR,
            )
            for site in atoms
        )
        return cls(
            name or path.stem,
            (cell.a, cell.b, cell.c),
            (cell.alpha, cell.beta, cell.gamma),
            sites,
            small.spacegroup.hm if small.spacegroup else "P 1",
        )

    @property
    def elements(self) -> frozenset[str]:
        """Symbols of the elements that it is made of."""
        return frozenset(site.element for site in self.sites)

    @cached_property
    def direct(self) -> Float:
        """Axes a, b, c as rows, in angstrom, shape (3, 3)."""
        return direct_axes(self.lengths, self.angles_deg)

    @cached_property
    def reciprocal(self) -> Float:
        """Axes a*, b*, c* as rows, in 1/angstrom (``a . a* = 1``), shape (3, 3)."""
        return np.asarray(np.linalg.inv(self.direct).T)

    def intensity(self, hkl: NDArray[np.intp]) -> Float:
        """Return ``|sum_j o_j f_j(g) exp(-B_j g^2 / 4) exp(2 pi i hkl . r_j)|^2`` of reflections (n, 3), shape (n,).

        f is the electron scattering factor of International Tables vol. C, table 4.3.2.2, as gemmi has it.
        """
        import gemmi

        g2 = np.sum((hkl @ self.reciprocal) ** 2, axis=1)
        factors = {}
        for symbol in {site.element for site in self.sites}:
            element = gemmi.Element(symbol)
            if element.atomic_number == 0 or element.c4322 is None:
                raise InputError(
                    f"crystal {self.name!r}",
                    expected="elements with known electron scattering factors",
                    got=repr(symbol),
                    hint="name the element by its symbol, without a charge",
                )
            factors[symbol] = np.array([element.c4322.calculate_sf(value / 4) for value in g2])
        amplitude = np.zeros(len(hkl), np.complex128)
        for site in self.sites:
            weight = site.occupancy * factors[site.element] * np.exp(-site.b_factor * g2 / 4)
            amplitude += weight * np.exp(2j * np.pi * (hkl @ np.asarray(site.position)))
        return np.asarray(np.abs(amplitude) ** 2)

    def reflections(self, reach: float) -> Reflections:
        """Return all reflections up to a spatial frequency of `reach`, in 1/angstrom, without the direct beam."""
        bounds = [ceil(reach * float(np.linalg.norm(axis))) for axis in self.direct]
        grid = np.array(list(product(*(range(-n, n + 1) for n in bounds))), np.intp)
        g = grid @ self.reciprocal
        length = np.linalg.norm(g, axis=1)
        kept = (length <= reach) & np.any(grid != 0, axis=1)
        order = np.argsort(length[kept], kind="stable")
        hkl = grid[kept][order]
        return Reflections(hkl, g[kept][order], self.intensity(hkl))

    def zone_axes(self, largest: int = 3) -> list[tuple[int, int, int]]:
        """Return directions [uvw] with indices up to `largest`, one of each set that symmetry makes equal.

        A direction and its opposite are listed once where the structure's symmetry, with the inversion that
        kinematic intensities add to it, joins them; patterns of the two are mirror images.
        """
        import gemmi

        group = gemmi.find_spacegroup_by_name(self.space_group) or gemmi.SpaceGroup("P 1")
        turns = np.array([np.array(op.rot) // op.DEN for op in group.operations().sym_ops])
        turns = np.concatenate([turns, -turns])
        span = range(-largest, largest + 1)
        seen: dict[tuple[int, ...], tuple[int, int, int]] = {}
        # the simplest directions first, positive indices before negative ones
        every = sorted(product(span, span, span), key=lambda u: (sum(map(abs, u)), [-i for i in u]))
        for u in every:
            if u == (0, 0, 0) or gcd(*u) != 1:
                continue
            same = max(tuple(int(i) for i in turn @ u) for turn in turns)
            seen.setdefault(same, u)
        return list(seen.values())
