"""The source text of a class that lives in a notebook cell or a script, with all that it needs from around it."""

from __future__ import annotations

import ast
import builtins
import inspect
import json
import linecache
import sys
import textwrap
import types
from dataclasses import fields, is_dataclass
from typing import Any

from unmixel.core.errors import InputError
from unmixel.lab.idea import Idea

NOTEBOOK = "notebook"


def idea_of(plugin: Any) -> Idea:
    """Return the idea that a class, or an instance with its parameters, stands for.

    Parameters
    ----------
    plugin : class or object
        A frozen dataclass; its source is found through the files and cells in which its methods were written.

    Raises
    ------
    InputError
        When its source cannot be found, or a parameter is no plain value.
    """
    kind = plugin if isinstance(plugin, type) else type(plugin)
    parameters = {} if isinstance(plugin, type) else _parameters(plugin)
    code = _Gathered().of(kind)
    return Idea(NOTEBOOK, code, kind.__name__, parameters).checked()


def _parameters(plugin: Any) -> dict[str, Any]:
    """Return the parameters of an instance as JSON holds them."""
    if not is_dataclass(plugin):
        raise InputError(
            "idea",
            expected="a frozen dataclass",
            got=f"a {type(plugin).__name__}",
            hint="write @dataclass(frozen=True) above the class",
        )
    found = {item.name: getattr(plugin, item.name) for item in fields(plugin) if item.init}
    for name, value in found.items():
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            raise InputError(
                f"parameter {name} of the idea",
                expected="a number, a word, or a list of them",
                got=type(value).__name__,
                hint="let `bind` make arrays of such parameters",
            ) from None
    return found


class _Gathered:
    """Definitions in the order in which they are needed, each once."""

    def __init__(self) -> None:
        self.imports: dict[str, None] = {"from __future__ import annotations": None}
        self.parts: list[str] = []
        self.seen: set[int] = set()

    def of(self, kind: type) -> str:
        """Return the source of a class with everything around it that it uses."""
        self._define(kind)
        return "\n\n".join(["\n".join(self.imports), *self.parts]) + "\n"

    def _define(self, thing: Any) -> None:
        """Add a class or function of the user's, after what it uses."""
        if id(thing) in self.seen:
            return
        self.seen.add(id(thing))
        text = source_of(thing)
        around = _surroundings(thing)
        for name in sorted(_names(text) - {thing.__name__}):
            if name in around:
                self._need(name, around[name], thing.__module__)
        self.parts.append(text.rstrip())

    def _need(self, name: str, value: Any, home: str) -> None:
        """Add what a name stands for: an import, a definition, or a plain value."""
        if isinstance(value, types.ModuleType):
            self.imports[f"import {value.__name__}" + (f" as {name}" if value.__name__ != name else "")] = (
                None
            )
        elif isinstance(value, (type, types.FunctionType)) and value.__module__ == home:
            self._define(value)
        elif (
            hasattr(value, "__module__")
            and getattr(sys.modules.get(value.__module__ or ""), name, None) is value
        ):
            self.imports[f"from {value.__module__} import {name}"] = None
        elif getattr(value, "__name__", "").isidentifier() and hasattr(value, "__module__"):
            self.imports[f"from {value.__module__} import {value.__name__} as {name}"] = None
        elif (module := _typing_home(name, value)) is not None:
            self.imports[f"from {module} import {name}"] = None
        elif isinstance(value, (int, float, str, bool, tuple, list, type(None))):
            self.parts.append(f"{name} = {value!r}")
        else:
            raise InputError(
                f"'{name}', which the idea uses",
                expected="something imported, defined, or a plain value",
                got=f"a {type(value).__name__} that only this session holds",
                hint="make it inside the class",
            )


def _typing_home(name: str, value: Any) -> str | None:
    """Return the module of a special form such as ``ClassVar``, which knows no home of its own."""
    import typing

    return "typing" if getattr(typing, name, None) is value else None


def _names(text: str) -> set[str]:
    """Return the names that a definition looks up outside itself (annotations, too)."""
    found = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    return found - set(dir(builtins))


def _surroundings(thing: Any) -> dict[str, Any]:
    """Return the global names where a class or function was defined."""
    for function in _functions(thing):
        return function.__globals__
    return vars(sys.modules.get(thing.__module__, builtins))


def _functions(thing: Any) -> list[types.FunctionType]:
    """Return the functions that were written in a class, or the function itself."""
    if isinstance(thing, types.FunctionType):
        return [inspect.unwrap(thing)]
    inner = (getattr(one, "__func__", getattr(one, "fget", one)) for one in vars(thing).values())
    return [
        one
        for one in inner
        if isinstance(one, types.FunctionType) and not one.__code__.co_filename.startswith("<string>")
    ]


def source_of(thing: Any) -> str:
    """Return the text of a class or function, decorators and all.

    Raises
    ------
    InputError
        When it was not written in a file or a cell.
    """
    for function in _functions(thing):
        lines = linecache.getlines(function.__code__.co_filename)
        try:
            tree = ast.parse("".join(lines))
        except SyntaxError:  # a cell with magics
            tree = ast.parse("".join("\n" if line.lstrip()[:1] in "%!" else line for line in lines))
        for node in ast.walk(tree):
            if not isinstance(node, (ast.ClassDef, ast.FunctionDef)) or node.name != thing.__name__:
                continue
            if node.lineno <= function.__code__.co_firstlineno <= (node.end_lineno or 0):
                first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
                return textwrap.dedent("".join(lines[first - 1 : node.end_lineno]))
    raise InputError(
        f"source of {thing.__name__}",
        expected="a class that was written in a file or a notebook cell",
        got="one whose text cannot be found",
        hint="save it to a file and try that",
    )
