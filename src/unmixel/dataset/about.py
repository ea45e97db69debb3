"""What only the owner of the data can say: title, licence, authors, sample."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeVar, get_args, get_type_hints

from unmixel.core.errors import InputError

T = TypeVar("T")

_ORCID = re.compile(r"(?:https://orcid\.org/)?(\d{4}-\d{4}-\d{4}-\d{3}[\dX])")
_HINT = "correct the file of facts, or leave this fact out"


@dataclass(frozen=True)
class Person:
    """An author of the data.

    Parameters
    ----------
    name : str
        As it is to be printed.
    orcid : str
        ``0000-0002-1825-0097``, with or without ``https://orcid.org/``; kept without; empty where there is none.
    affiliation : str
        Name of the institute.
    """

    name: str
    orcid: str = ""
    affiliation: str = ""

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise InputError("author", expected="a name", got="none", hint=_HINT)
        if not self.orcid:
            return
        found = _ORCID.fullmatch(self.orcid.strip())
        if found is None or not _checks(found[1]):
            wanted = "an ORCID such as 0000-0002-1825-0097, whose last character is right"
            raise InputError(f"orcid of {self.name}", expected=wanted, got=repr(self.orcid), hint=_HINT)
        object.__setattr__(self, "orcid", found[1])


def _checks(orcid: str) -> bool:
    """Return whether the last character of an ORCID is the one that the others give (ISO 7064, 11-2)."""
    plain, total = orcid.replace("-", ""), 0
    for digit in plain[:-1]:
        total = 2 * (total + int(digit))
    return "0123456789X"[(12 - total % 11) % 11] == plain[-1]


@dataclass(frozen=True)
class Sample:
    """What was measured.

    Parameters
    ----------
    name : str
        Name or number that identifies it.
    elements : tuple of str
        Symbols of the elements in it, such as ``("Zr", "Cu", "Al")``.
    prepared : str
        When its preparation ended: a day, ``2024-05-01``, or a moment with its zone, ``2024-05-01T14:00:00+09:00``
        (ISO 8601). NXem takes only the second.
    description : str
        In words.
    """

    name: str = ""
    elements: tuple[str, ...] = ()
    prepared: str = ""
    description: str = ""

    def __post_init__(self) -> None:
        if self.elements:
            import gemmi

            unknown = [s for s in self.elements if not _is_element(gemmi.Element(s), s)]
            if unknown:
                wanted = "symbols of elements, such as Zr"
                raise InputError("elements", expected=wanted, got=", ".join(map(repr, unknown)), hint=_HINT)
        _check_moment("prepared", self.prepared)


def _is_element(element: Any, symbol: str) -> bool:
    return bool(element.atomic_number > 0 and element.name == symbol)


def _check_moment(name: str, text: str) -> None:
    """Refuse what is neither a day nor a moment with its zone: formats of others guess a zone where none is given."""
    if not text:
        return
    try:
        said = len(text) == len("2024-05-01") or datetime.fromisoformat(text).tzinfo is not None
        datetime.fromisoformat(text)
    except ValueError:
        said = False
    if not said:
        wanted = "2024-05-01, or with time and zone 2024-05-01T14:00:00+09:00 (ISO 8601)"
        raise InputError(name, expected=wanted, got=repr(text), hint=_HINT)


@dataclass(frozen=True)
class Microscope:
    """Who made the microscope.

    Parameters
    ----------
    vendor, model : str
        As the maker writes them.
    """

    vendor: str = ""
    model: str = ""


@dataclass(frozen=True)
class About:
    """Facts that no file of a microscope and no run can tell; all may be left out, none is ever invented.

    Parameters
    ----------
    title : str
        Of the data set.
    description : str
        In words.
    licence : str
        Under which the result is shared: an SPDX identifier such as ``CC-BY-4.0``, or an address.
    authors : tuple of Person
    measured : str
        When the measurement began, a day or a moment with its zone.
    sample : Sample
    microscope : Microscope

    Examples
    --------
    >>> about = About.from_dict({"licence": "CC-BY-4.0", "sample": {"name": "G7", "elements": ["Zr", "Cu"]}})
    >>> about.sample.elements, about.authors
    (('Zr', 'Cu'), ())
    """

    title: str = ""
    description: str = ""
    licence: str = ""
    authors: tuple[Person, ...] = ()
    measured: str = ""
    sample: Sample = Sample()
    microscope: Microscope = Microscope()

    def __post_init__(self) -> None:
        _check_moment("measured", self.measured)
        if self.licence and "://" not in self.licence and not re.fullmatch(r"[A-Za-z0-9.+-]+", self.licence):
            wanted = "an identifier of SPDX, such as CC-BY-4.0, or an address"
            raise InputError("licence", expected=wanted, got=repr(self.licence), hint=_HINT)

    @property
    def licence_url(self) -> str:
        """Address of the licence; empty where none was given."""
        if not self.licence or "://" in self.licence:
            return self.licence
        return f"https://spdx.org/licenses/{self.licence}"

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> About:
        """Return the facts that plain data hold, as they come from YAML or JSON.

        Raises
        ------
        InputError
            When there is a fact of another name, or one of the wrong kind.
        """
        return _noun(cls, given, "about")

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as plain JSON-safe data; what was not given is left out."""
        return _plain(self)


def _noun(kind: type[T], given: Any, where: str) -> T:
    """Return a dataclass from plain data, field by field."""
    hints = get_type_hints(kind)
    if not isinstance(given, Mapping):
        names = ", ".join(hints)
        raise InputError(where, expected=f"names and values ({names})", got=repr(given), hint=_HINT)
    unknown = [str(key) for key in given if key not in hints]
    if unknown:
        raise InputError(where, expected=f"only {', '.join(hints)}", got=", ".join(unknown), hint=_HINT)
    return kind(**{name: _value(hints[name], value, f"{where}: {name}") for name, value in given.items()})


def _value(kind: Any, given: Any, where: str) -> Any:
    if kind is str:
        text = given.isoformat() if hasattr(given, "isoformat") else given  # YAML reads dates by itself
        if not isinstance(text, str):
            raise InputError(where, expected="text", got=repr(given), hint="put it in quotes")
        return text.strip()
    items = get_args(kind)
    if items:
        if not isinstance(given, (list, tuple)):
            raise InputError(where, expected="a list", got=repr(given), hint="put it in [ ]")
        return tuple(_value(items[0], item, where) for item in given)
    return _noun(kind, given, where)


def _plain(noun: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in fields(noun):
        value = getattr(noun, field.name)
        if isinstance(value, (Sample, Microscope)):
            value = _plain(value)
        elif isinstance(value, tuple):
            value = [item if isinstance(item, str) else _plain(item) for item in value]
        if value:
            found[field.name] = value
    return found
