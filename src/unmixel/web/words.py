"""Plain words for every parameter of a recipe and of its steps, constraints, ...: from the recipe's own schema and the
plug-ins' own docstrings, as the command line tells them, and in Japanese from a file beside them.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from pydantic import Field

from unmixel.pipeline.reference import default_text, fields, parameters, plugins, summary, words_of
from unmixel.web.models import Language, Model


class HelpEntry(Model):
    """A parameter in plain words, from the schema of the recipe."""

    key: str = Field(description="Dotted key, as --set takes it.")
    meaning: str
    unit: str
    range: str
    why: str = Field(description="Reason for the default.")
    default: str
    translated: bool = Field(
        default=True, description="False where the words are known in English only, whatever was asked for."
    )


class Help(Model):
    """Words for every parameter of a recipe and of the plug-ins in it."""

    language: Language
    entries: list[HelpEntry]


@cache
def words(language: Language) -> Help:
    """Return the words for every field of a recipe, then those for the plug-ins in it and their parameters.

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
    for key, plugin in plugins():
        if key not in fields():
            entries.append(_of_plugin(key, summary(plugin), translated, language))
        entries += [
            _of_plugin(f"{key}.{one.name}", one.meaning, translated, language, one.valid, one.default)
            for one in parameters(plugin)
        ]
    return Help(language=language, entries=entries)


def _of_plugin(
    key: str,
    meaning: str,
    translated: dict[str, dict[str, str]],
    language: Language,
    valid: str = "",
    default: str = "",
) -> HelpEntry:
    said = translated.get(key, {})
    return HelpEntry(
        key=key,
        meaning=said.get("meaning", meaning),
        unit="",
        range=said.get("range", valid),
        why="",
        default=default,
        translated=language == "en" or bool(said),
    )


@cache
def japanese() -> dict[str, dict[str, str]]:
    """Return the Japanese words: key of a field -> ``meaning``, ``unit``, ``range``, ``why``."""
    text = files("unmixel.web").joinpath("words.ja.json").read_text(encoding="utf-8")
    found: dict[str, dict[str, str]] = json.loads(text)
    return found
