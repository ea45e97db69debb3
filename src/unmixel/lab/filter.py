"""A small language that picks trials: ``sparse state=finished found>12 since=2026-11-01``."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from unmixel.core.errors import InputError
from unmixel.pipeline.entries import nearest

_FIELDS = ("id", "kind", "name", "suite", "state", "baseline")
_TIMES = {"since": ">=", "until": "<="}
_STATES = ("running", "finished", "failed", "killed")
_KINDS = ("try", "tune", "run")
_CHOICES = {"state": _STATES, "kind": _KINDS}
_TERM = re.compile(r"([A-Za-z_]\w*)\s*(>=|<=|=|>|<)\s*(.*)")
_TIME = re.compile(r"\d{4}(-\d\d(-\d\d([T ]\d\d(:\d\d(:\d\d)?)?)?)?)?")


@dataclass(frozen=True)
class Filter:
    """Which trials are wanted: all its terms hold.

    A term is a word, which is looked for in id, name, kind and suite; ``field=value`` with one of the fields id, kind,
    name, suite, state, baseline; ``since=2026-11-01`` or ``until=...``, in UTC; or ``metric>value`` (also ``>=``,
    ``<``, ``<=``, ``=``), which looks at the median over what was measured with the idea.

    Parameters
    ----------
    terms : tuple of (sql, values)

    Examples
    --------
    >>> Filter.parse("state=finished").sql()
    ('(state = ?)', ('finished',))
    """

    terms: tuple[tuple[str, tuple[Any, ...]], ...] = ()

    @classmethod
    def parse(cls, text: str, *, metrics: Callable[[], tuple[str, ...]] = tuple) -> Filter:
        """Return the filter that a text stands for.

        Parameters
        ----------
        text : str
            Terms, parted by blanks; quotes keep one with blanks together.
        metrics : callable
            Returns the names of all metrics that there are; asked only where a term is about one.

        Raises
        ------
        InputError
            When a term cannot be understood; what was probably meant is named.
        """
        try:
            words = shlex.split(text)
        except ValueError as error:
            raise InputError(
                "filter", expected="quotes in pairs", got=f"'{text}'", hint="close them"
            ) from error
        return cls(tuple(_term(word, metrics) for word in words))

    def sql(self) -> tuple[str, tuple[Any, ...]]:
        """Return a condition on the table of trials, and its values."""
        where = " AND ".join(f"({sql})" for sql, _ in self.terms) or "1"
        return where, tuple(value for _, values in self.terms for value in values)


def _term(word: str, metrics: Callable[[], tuple[str, ...]]) -> tuple[str, tuple[Any, ...]]:
    found = _TERM.fullmatch(word)
    if not found:
        pattern = "%" + re.sub(r"([%_\\])", r"\\\1", word) + "%"
        looked = ("id", "name", "kind", "suite")
        return " OR ".join(rf"{field} LIKE ? ESCAPE '\'" for field in looked), (pattern,) * len(looked)
    key, sign, value = found.groups()
    if key in _TIMES and sign == "=":
        return f"created {_TIMES[key]} ?", (_time(key, value),)
    if key in _FIELDS and sign == "=":
        if value not in _CHOICES.get(key, (value,)):
            raise _unknown(f"{key}={value}", value, _CHOICES[key])
        return f"{key} = ?", (value,)
    return _about_metric(word, key, sign, value, metrics())


def _time(key: str, value: str) -> str:
    """Return a time that text may be compared with: the end of what it names for ``until``."""
    if not _TIME.fullmatch(value):
        raise InputError(
            f"filter '{key}={value}'",
            expected="a day or a time",
            got=f"'{value}'",
            hint=f"such as {key}=2026-11-30",
        )
    return value.replace(" ", "T") + ("~" if key == "until" else "")  # after every digit and sign of a time


def _about_metric(
    word: str, key: str, sign: str, value: str, known: tuple[str, ...]
) -> tuple[str, tuple[Any, ...]]:
    if key not in known:
        raise _unknown(word, key, (*known, *_FIELDS, *_TIMES))
    try:
        number = float(value)
    except ValueError:
        raise InputError(
            f"filter '{word}'",
            expected=f"a number after '{key}{sign}'",
            got=f"'{value}'",
            hint=f"such as {key}{sign}0.8",
        ) from None
    where = f"id IN (SELECT id FROM metrics WHERE metric = ? AND value {sign} ?)"  # a sign of `_TERM`  # nosec B608
    return where, (key, number)


def _unknown(word: str, name: str, known: tuple[str, ...]) -> InputError:
    guess = nearest(name, known).strip(" ?")
    return InputError(f"filter '{word}'", expected=f"one of {', '.join(known)}", got=f"'{name}'", hint=guess)
