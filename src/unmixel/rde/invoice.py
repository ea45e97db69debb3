"""What a user asked for in the invoice, as a recipe's values."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unmixel.physics.cells import built_in
from unmixel.rde.errors import InvoiceError
from unmixel.rde.fields import SETTINGS, Field, Value

_YES, _NO = ("true", "yes", "1"), ("false", "no", "0")


@dataclass(frozen=True)
class Invoice:
    """The settings that an invoice holds; a field that is not there or empty asks for nothing.

    Parameters
    ----------
    values : mapping of str to str, int, float or bool
        By the keys of `SETTINGS`.

    Examples
    --------
    >>> Invoice.of({"custom": {"components": 4, "scan_shape": "", "recipe_settings": "factorize.tol=1e-4"}}).overrides
    ('factorize.components=4', 'factorize.tol=1e-4')
    """

    values: Mapping[str, Value] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Invoice:
        """Return what an ``invoice.json`` asks for; nothing where there is no file.

        Raises
        ------
        InvoiceError
            When it is no invoice, or a field holds something else than it should.
        """
        if not path.is_file():
            return cls()
        try:
            given = json.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError) as error:
            raise InvoiceError(
                "invoice.json", expected="JSON", got=str(error), hint="let RDE write it"
            ) from error
        return cls.of(given)

    @classmethod
    def of(cls, given: Any) -> Invoice:
        """Return what the content of an ``invoice.json`` asks for.

        Raises
        ------
        InvoiceError
            As `read`.
        """
        custom = given.get("custom") if isinstance(given, Mapping) else None
        if not isinstance(custom, (Mapping, type(None))) or not isinstance(given, Mapping):
            raise InvoiceError(
                "invoice.json",
                expected="fields under 'custom'",
                got=repr(given)[:80],
                hint="let RDE write it",
            )
        asked = {one.key: _value(one, (custom or {}).get(one.key)) for one in SETTINGS}
        return cls({key: value for key, value in asked.items() if value is not None})

    def text(self, key: str) -> str:
        """Return a text, empty where nothing is asked for."""
        return str(self.values.get(key, ""))

    @property
    def overrides(self) -> tuple[str, ...]:
        """Values of the recipe, as ``key=value``; `recipe_settings` last."""
        plain = [
            f"{one.sets}={_yaml(self.values[one.key])}"
            for one in SETTINGS
            if one.sets and one.key in self.values
        ]
        return (*plain, *(line.strip() for line in self.text("recipe_settings").splitlines() if line.strip()))

    @property
    def extends(self) -> str:
        """Name of the shipped recipe that is asked for; empty for the one that suits the data."""
        return "" if self.text("recipe") == "auto" else self.text("recipe")

    @property
    def candidates(self) -> tuple[str, ...]:
        """Names of candidate structures: those written down, and built-in cells made of the elements."""
        elements = set(self.elements)
        made = [name for name, cell in sorted(built_in().items()) if elements and cell.elements <= elements]
        return tuple(dict.fromkeys([*_words(self.text("candidates")), *made]))

    @property
    def elements(self) -> tuple[str, ...]:
        """Symbols of the elements that candidates may be made of."""
        return tuple(_words(self.text("elements")))


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[\s,;、，・]+", text) if word]


def _yaml(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _value(one: Field, given: Any) -> Value | None:
    """Return what a field holds, as a table of Excel may have it too: as text."""
    text = "" if given is None else str(given).strip()
    if not text:
        return None
    if one.kind == "string":
        wrong = bool(one.pattern and not re.search(one.pattern, text))
        if not wrong and (not one.choices or text in one.choices):
            return text
        raise _no(one, given, " or ".join(one.choices) or one.hint_en)
    if one.kind == "boolean":
        if text.lower() not in (*_YES, *_NO):
            raise _no(one, given, "true or false")
        return text.lower() in _YES or None
    return _number(one, given, text)


def _number(one: Field, given: Any, text: str) -> Value:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    whole = one.kind == "integer"
    if isinstance(given, bool) or not math.isfinite(number) or number <= 0 or (whole and number % 1):
        raise _no(one, given, "a whole number >= 1" if whole else f"a number > 0 in {one.unit}")
    return int(number) if whole else number


def _no(one: Field, given: Any, expected: str) -> InvoiceError:
    hint = f"correct '{one.en}' ({one.ja}) in the invoice, or leave it empty"
    return InvoiceError(f"invoice field '{one.key}'", expected=expected, got=repr(given), hint=hint)
