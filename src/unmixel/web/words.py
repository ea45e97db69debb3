"""Plain words for every parameter of a recipe: from the recipe's own schema, and in Japanese from a file beside it."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from unmixel.pipeline.reference import default_text, fields, words_of
from unmixel.web.models import Help, HelpEntry, Language


def words(language: Language) -> Help:
    """Return the words for every field of a recipe.

    Examples
    --------
    >>> [entry.meaning for entry in words("en").entries if entry.key == "factorize.components"]
    ['Number of components.']
    """
    translated = {} if language == "en" else japanese()
    entries = []
    for key, field in fields().items():
        said = {**words_of(field), **translated.get(key, {})}
        entries.append(
            HelpEntry(
                key=key, meaning=said["meaning"], unit=said["unit"], range=said["range"], why=said["why"],
                default=default_text(field),
            )
        )  # fmt: skip
    return Help(language=language, entries=entries)


@cache
def japanese() -> dict[str, dict[str, str]]:
    """Return the Japanese words: key of a field -> ``meaning``, ``unit``, ``range``, ``why``."""
    text = files("unmixel.web").joinpath("words.ja.json").read_text(encoding="utf-8")
    found: dict[str, dict[str, str]] = json.loads(text)
    return found
