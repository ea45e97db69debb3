"""Candidate structures: cells of common crystals by name, CIF files, folders of them."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from pathlib import Path

from unmixel.core.errors import InputError
from unmixel.physics.crystal import Crystal, Site

Place = tuple[float, float, float]
Motif = tuple[tuple[str, Place], ...]

_RIGHT = (90.0, 90.0, 90.0)
_FACE: tuple[Place, ...] = ((0.0, 0.0, 0.0), (0.5, 0.5, 0.0), (0.5, 0.0, 0.5), (0.0, 0.5, 0.5))
_BODY: tuple[Place, ...] = ((0.0, 0.0, 0.0), (0.5, 0.5, 0.5))

_FACE_CENTRED = {
    "Al": 4.050, "Ag": 4.0862, "Au": 4.0782, "Cu": 3.615, "Ni": 3.5238, "Pb": 4.9508, "Pd": 3.8903, "Pt": 3.9236,
}  # fmt: skip
_BODY_CENTRED = {
    "Cr": 2.8846, "Fe": 2.8665, "Mo": 3.1470, "Nb": 3.3004, "Ta": 3.3030, "V": 3.0240, "W": 3.1652,
}  # fmt: skip
_CLOSE_PACKED = {
    "Co": (2.5071, 4.0695), "Mg": (3.2094, 5.2108), "Ti": (2.9508, 4.6855), "Zn": (2.6650, 4.9470),
    "Zr": (3.232, 5.147),
}  # fmt: skip
_DIAMOND = {"C": 3.5670, "Ge": 5.6579, "Si": 5.4310}
_ROCK_SALT = {"MgO": 4.2117, "NaCl": 5.6402, "NiO": 4.177, "TiN": 4.241}
_FLUORITE = {"CeO2": 5.411, "ZrO2": 5.09}


def _cubic(name: str, a: float, motif: Motif, shifts: tuple[Place, ...], group: str) -> Crystal:
    return Crystal(name, (a, a, a), _RIGHT, _sites(motif, shifts), group)


def _sites(motif: Motif, shifts: tuple[Place, ...]) -> tuple[Site, ...]:
    return tuple(
        Site(element, ((x + u) % 1, (y + v) % 1, (z + w) % 1))
        for element, (x, y, z) in motif
        for u, v, w in shifts
    )


def _close_packed(name: str, a: float, c: float) -> Crystal:
    places = ((1 / 3, 2 / 3, 0.25), (2 / 3, 1 / 3, 0.75))
    return Crystal(name, (a, a, c), (90.0, 90.0, 120.0), tuple(Site(name, p) for p in places), "P 63/m m c")


def _of_two(name: str) -> tuple[str, str]:
    """Return the two elements of a formula such as ``"ZrO2"``."""
    second = next(i for i in range(1, len(name)) if name[i].isupper())
    return name[:second], name[second:].rstrip("0123456789")


@cache
def built_in() -> dict[str, Crystal]:
    """Return cells of common crystals by name.

    Elements, some oxides and the phases of the Zr-Cu-Al system, at room temperature. ``gamma-Fe`` is austenite,
    ``TiO2`` rutile, ``ZrO2`` the cubic form, ``ZrCu2Al`` the Heusler alloy.

    References
    ----------
    Wyckoff, Crystal Structures, 2nd ed., Interscience (1963 to 1971); CRC Handbook of Chemistry and Physics, "Crystal
    structures and lattice parameters of allotropes of the elements".

    Examples
    --------
    >>> sorted(built_in())[:4], built_in()["MgO"].lengths[0]
    (['Ag', 'Al', 'Au', 'C'], 4.2117)
    """
    found = [Crystal.face_centred(name, a) for name, a in _FACE_CENTRED.items()]
    found.append(_cubic("gamma-Fe", 3.59, (("Fe", _FACE[0]),), _FACE, "F m -3 m"))
    found += [_cubic(name, a, ((name, _BODY[0]),), _BODY, "I m -3 m") for name, a in _BODY_CENTRED.items()]
    found += [_close_packed(name, a, c) for name, (a, c) in _CLOSE_PACKED.items()]
    for name, a in _DIAMOND.items():
        motif = ((name, (0.0, 0.0, 0.0)), (name, (0.25, 0.25, 0.25)))
        found.append(_cubic(name, a, motif, _FACE, "F d -3 m :1"))
    for name, a in _ROCK_SALT.items():
        metal, other = _of_two(name)
        found.append(_cubic(name, a, ((metal, (0.0, 0.0, 0.0)), (other, (0.5, 0.5, 0.5))), _FACE, "F m -3 m"))
    for name, a in _FLUORITE.items():
        metal, other = _of_two(name)
        quarters = ((other, (0.25, 0.25, 0.25)), (other, (0.75, 0.75, 0.75)))
        found.append(_cubic(name, a, ((metal, (0.0, 0.0, 0.0)), *quarters), _FACE, "F m -3 m"))
    return {crystal.name: crystal for crystal in (*found, *_compounds())}


def _compounds() -> Iterator[Crystal]:
    """Yield structures of types of their own."""
    cubic = _BODY[0], _BODY[1]
    yield _cubic("CuZr", 3.26, (("Cu", cubic[0]), ("Zr", cubic[1])), ((0.0, 0.0, 0.0),), "P m -3 m")
    motif: Motif = (("Cu", (0.0, 0.0, 0.0)), ("Zr", (0.0, 0.0, 0.346)), ("Zr", (0.0, 0.0, -0.346)))
    yield Crystal("CuZr2", (3.22, 3.22, 11.18), _RIGHT, _sites(motif, _BODY), "I 4/m m m")
    places = (("Al", 0.0), ("Zr", 0.5), ("Cu", 0.25), ("Cu", 0.75))
    yield _cubic("ZrCu2Al", 6.22, tuple((e, (x, x, x)) for e, x in places), _FACE, "F m -3 m")
    u = 0.305
    oxygen = ((u, u, 0.0), (1 - u, 1 - u, 0.0), (0.5 - u, 0.5 + u, 0.5), (0.5 + u, 0.5 - u, 0.5))
    rutile = (*(("Ti", place) for place in _BODY), *(("O", place) for place in oxygen))
    yield Crystal("TiO2", (4.593, 4.593, 2.959), _RIGHT, _sites(rutile, (_BODY[0],)), "P 42/m n m")


def crystals_in(folder: str | Path, elements: Collection[str] | None = None) -> list[Crystal]:
    """Return the structures of all CIF files of a folder, those of a composition only where elements are given.

    Parameters
    ----------
    folder : str or Path
    elements : collection of str, optional
        Symbols; a structure with any other element is left out.

    Raises
    ------
    InputError
        When a file is no structure, or none is left.
    """
    folder = Path(folder)
    every = [Crystal.from_cif(path) for path in sorted(folder.glob("*.cif"))]
    found = [crystal for crystal in every if elements is None or crystal.elements <= set(elements)]
    if not found:
        of = "" if elements is None else f" made of {', '.join(sorted(elements))} only"
        raise InputError(
            f"folder {folder}",
            expected=f"CIF files of structures{of}",
            got=f"{len(every)} structures, none of them",
            hint="name other elements, or give the files themselves",
        )
    return found


def structures(candidates: Iterable[str | Path | Crystal]) -> Iterator[Crystal]:
    """Yield the structures that are meant: crystals, CIF files, folders of them, names of built-in cells.

    Raises
    ------
    InputError
        When there is neither such a file nor such a cell.

    Examples
    --------
    >>> [crystal.name for crystal in structures(["Cu", Crystal.face_centred("Al", 4.04)])]
    ['Cu', 'Al']
    """
    for given in candidates:
        if isinstance(given, Crystal):
            yield given
        elif str(given) in built_in() and not Path(given).exists():
            yield built_in()[str(given)]
        elif Path(given).is_dir():
            yield from crystals_in(given)
        elif Path(given).is_file():
            yield Crystal.from_cif(given)
        else:
            near = difflib.get_close_matches(str(given), built_in(), n=1)
            raise InputError(
                "candidate",
                expected="a CIF file, a folder of CIF files or the name of a built-in cell",
                got=repr(str(given)),
                hint=f"did you mean {near[0]!r}?"
                if near
                else f"built in are {', '.join(sorted(built_in()))}",
            )
