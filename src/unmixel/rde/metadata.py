"""``metadata.json`` of a result and the definition of its terms, ``metadata-def.json``."""

from __future__ import annotations

import json
import math
from typing import Any

from unmixel.rde.facts import Facts
from unmixel.rde.terms import OF_GROUPS, OF_THE_SCAN, TERMS, Term

LONGEST = 1024
"""Bytes of text that RDE takes as one value."""

DIGITS = 9
"""Significant digits of numbers, as in the tables."""

_KINDS = {"string": str, "integer": int, "number": float, "boolean": bool}


def definition() -> dict[str, Any]:
    """Return the content of ``metadata-def.json``: every term with its names, type and unit.

    Examples
    --------
    >>> definition()["stem.acceleration_voltage"]["name"]
    {'ja': '加速電圧', 'en': 'Acceleration voltage'}
    """
    return {term.key: _defined(term, order) for order, term in enumerate(TERMS, start=1)}


def _defined(term: Term, order: int) -> dict[str, Any]:
    schema = {"type": term.kind, **({"format": term.form} if term.form else {})}
    found: dict[str, Any] = {"order": order, "name": {"ja": term.ja, "en": term.en}, "schema": schema}
    if term.unit:
        found["unit"] = term.unit
    if term in OF_GROUPS:
        found["variable"] = 1
    if term.headline:
        found["_feature"] = True
    return found


def metadata(facts: Facts) -> dict[str, Any]:
    """Return the content of ``metadata.json``: what is known of a result, term by term.

    Parameters
    ----------
    facts : Facts

    Returns
    -------
    dict
        ``constant`` for the scan, ``variable`` with an entry for each group; what is not known is left out.
    """
    return {
        "constant": _values(OF_THE_SCAN, facts),
        "variable": [_values(OF_GROUPS, group) for group in facts.groups()],
    }


def _values(terms: tuple[Term, ...], facts: Any) -> dict[str, Any]:
    found = {}
    for term in terms:
        value = plain(term.told(facts), term.kind)
        if value is not None:
            found[term.key] = {"value": value, **({"unit": term.unit} if term.unit else {})}
    return found


def plain(value: Any, kind: str) -> Any:
    """Return a value as JSON has it, numbers with nine digits; None for what is not known, not finite or empty.

    Examples
    --------
    >>> plain(float("nan"), "number"), plain(3, "number"), plain(" 4D-STEM ", "string")
    (None, 3.0, '4D-STEM')
    """
    if value is None:
        return None
    if kind == "string":
        return str(value).encode()[:LONGEST].decode(errors="ignore").strip() or None
    done = _KINDS[kind](value)
    if not math.isfinite(done):
        return None
    return float(f"{done:.{DIGITS}g}") if kind == "number" else done


def json_text(values: Any) -> str:
    """Return JSON as RDE writes it: Japanese as it is, four blanks of indentation."""
    return json.dumps(values, ensure_ascii=False, indent=4, allow_nan=False) + "\n"
