"""An idea: the source text of one plug-in, and the class that is found when it is loaded."""

from __future__ import annotations

import hashlib
import inspect
import linecache
import sys
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unmixel.core.errors import IdeaError, InputError
from unmixel.lab.kinds import KINDS, Kind, kinds_like

_ANY = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)

LARGEST = 1_000_000
"""Bytes of source text that are read, at most: no idea is longer."""


@dataclass(frozen=True)
class Idea:
    """The source text of an idea; nothing of it has run.

    Parameters
    ----------
    file : str
        What the source is called in messages: the path as the user gave it, or ``"notebook"``.
    code : str
    class_name : str
        Which class of it is meant; empty where it is to be found.
    parameters : mapping
        Of its constructor; JSON-safe.
    """

    file: str
    code: str
    class_name: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, path: str | Path) -> Idea:
        """Return the idea in a file, unloaded.

        Raises
        ------
        InputError
            When it is no readable Python file.
        """
        place = Path(path)
        hint = "write one with: unmixel new constraint my_idea"
        if not place.is_file():
            raise InputError("idea", expected="a Python file", got=f"'{path}', which is not there", hint=hint)
        if place.stat().st_size > LARGEST:
            raise InputError("idea", expected="a Python file of a few lines", got="more than 1 MB", hint=hint)
        try:
            code = place.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise InputError("idea", expected="a Python file in UTF-8", got=f"'{path}'", hint=hint) from None
        return cls(str(path), code).checked()

    def checked(self) -> Idea:
        """Return itself where it is Python.

        Raises
        ------
        IdeaError
            Names the line that is not.
        """
        try:
            compile(self.code, self.file, "exec", dont_inherit=True)
        except SyntaxError as error:
            line = (error.text or "").rstrip()
            raise IdeaError(
                f"{self.file}, line {error.lineno}: this is not Python ({error.msg}).\n    {line.strip()}"
            ) from None
        except ValueError as error:  # null bytes
            raise IdeaError(f"{self.file}: this is not Python ({error}).") from None
        return self

    @property
    def sha256(self) -> str:
        """Hash of the source text."""
        return hashlib.sha256(self.code.encode()).hexdigest()

    @property
    def stem(self) -> str:
        """Short name for ids and titles: the class where it is known, else the file's stem."""
        return self.class_name or Path(self.file).stem


@dataclass(frozen=True)
class Loaded:
    """An idea whose source has run.

    Parameters
    ----------
    kind : Kind
    plugin : class
    idea : Idea
    """

    kind: Kind
    plugin: Any
    idea: Idea

    @property
    def name(self) -> str:
        """Its registered name."""
        return str(self.plugin.name)

    def build(self, **parameters: Any) -> Any:
        """Return the plug-in made from its parameters, lists as tuples."""
        given = {**self.idea.parameters, **parameters}
        signature = inspect.signature(self.plugin).parameters.values()
        needed = [one.name for one in signature if one.default is one.empty and one.kind not in _ANY]
        missing = [name for name in needed if name not in given]
        if missing:
            raise IdeaError(
                f"{self.idea.file}, line {_line(self.idea, self.plugin)}: {self.plugin.__name__} needs "
                f"{', '.join(missing)}, and a recipe gives nothing. Write a default, such as {missing[0]}: float = 1.0."
            )
        return self.plugin(**{key: tuple(v) if isinstance(v, list) else v for key, v in given.items()})


def load(idea: Idea) -> Loaded:
    """Run the source of an idea and return the plug-in in it: only ever in a process of its own.

    Raises
    ------
    IdeaError
        When there is no plug-in, or several.
    Exception
        Whatever the source raises.
    """
    module = types.ModuleType(f"idea_{idea.sha256[:12]}")
    module.__file__ = idea.file
    sys.modules[module.__name__] = module  # dataclasses look their module up
    linecache.cache[idea.file] = (len(idea.code), None, idea.code.splitlines(keepends=True), idea.file)
    code = compile(idea.code, idea.file, "exec", dont_inherit=True)
    exec(code, module.__dict__)  # what it is for  # nosec B102
    own = [
        thing
        for thing in vars(module).values()
        if isinstance(thing, type) and thing.__module__ == module.__name__
    ]
    plugin = _chosen(idea, own)
    if not isinstance(getattr(plugin, "name", None), str) or not plugin.name:  # type: ignore[attr-defined]
        raise IdeaError(
            f"{idea.file}: the class {plugin.__name__} has no name. Add a line to it: "
            f'name: ClassVar[str] = "{plugin.__name__.lower()}".'
        )
    return Loaded(kinds_like(plugin)[0], plugin, idea)


def _chosen(idea: Idea, own: list[type]) -> type:
    """Return the one class that is a plug-in."""
    if idea.class_name:
        own = [one for one in own if one.__name__ == idea.class_name]
    found = [(one, kinds_like(one)) for one in own if not one.__name__.startswith("_")]
    found = [(one, kinds) for one, kinds in found if kinds]
    said = [(one, kinds) for one, kinds in found if "idea" in vars(one)]
    found = said or found
    declare = 'a line in the class that is meant: idea: ClassVar[str] = "constraint"'
    if len(found) > 1:
        listed = ", ".join(
            f"{one.__name__} (line {_line(idea, one)}, {' or '.join(k.name for k in kinds)})"
            for one, kinds in found
        )
        raise IdeaError(
            f"{idea.file}: one plug-in is expected, and there are {len(found)}: {listed}. Add {declare}."
        )
    if not found:
        words = "; ".join(f"{kind.name}: {', '.join(kind.verbs)}" for kind in KINDS.values())
        seen = ", ".join(one.__name__ for one in own) or "none"
        raise IdeaError(
            f"{idea.file}: no class has the methods of a plug-in. Classes in it: {seen}. A plug-in has these "
            f"methods ({words})."
        )
    plugin, kinds = found[0]
    if len(kinds) > 1:
        words = " or ".join(kind.name for kind in kinds)
        raise IdeaError(f"{idea.file}: {plugin.__name__} may be a {words}. Add {declare}.")
    return plugin


def _line(idea: Idea, plugin: type) -> int:
    """Return the line on which a class begins."""
    for number, line in enumerate(idea.code.splitlines(), start=1):
        if line.lstrip().startswith(f"class {plugin.__name__}"):
            return number
    return 0
