"""The process in which an installed plug-in is held to its laws: ``python -m unmixel.lab.plugin_laws KIND NAME``."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from unmixel.core import registry
from unmixel.core.errors import IdeaError, MissingExtraError
from unmixel.lab.idea import Idea, Loaded
from unmixel.lab.kinds import KINDS
from unmixel.lab.laws import Broken, broken_laws, n_laws
from unmixel.testing.laws import Laws

_NO_SUITE = {
    "engines": "an engine has no laws of its own; those of losses, solvers and constraints are to hold on it",
    "readers": "no file of its format is here; a method 'example(folder)' would write one (unmixel.testing.readers)",
    "sources": "nobody here sends what it hears; a method 'example(folder)' would give one (unmixel.testing.sources)",
}
"""Why no law of a kind was tried."""


def main() -> None:
    """Check one plug-in and print, as the last line, what came of it."""
    group, name = sys.argv[1:3]
    answer = sys.stdout
    with contextlib.redirect_stdout(sys.stderr), tempfile.TemporaryDirectory() as place:
        os.chdir(place)  # what a plug-in writes beside itself goes with it
        told = _told(group, name, Path(place))
        os.chdir("/")
    answer.write(json.dumps(told) + "\n")


def _told(group: str, name: str, place: Path) -> dict[str, Any]:
    try:
        plugin = registry.load(group, name)
    except Exception as error:  # noqa: BLE001 - whatever a foreign package raises is told
        return _answer(failed=f"it cannot be loaded: {type(error).__name__}: {error}")
    kind = next((kind for kind in KINDS.values() if kind.group == group), None)
    try:
        if kind is None:
            return _with_folder(group, plugin, place)
        file = getattr(sys.modules.get(plugin.__module__), "__file__", "") or name
        loaded = Loaded(kind, plugin, Idea(file, ""))
        count, broken = n_laws(loaded), broken_laws(loaded)
    except IdeaError:
        return _answer(untried="it cannot be made from its defaults, and has no 'example'")
    except Exception as error:  # noqa: BLE001
        return _answer(failed=f"its laws cannot be tried: {type(error).__name__}: {error}")
    return _answer(count, [_words(one) for one in broken])


def _answer(
    n_laws: int = 0, broken: Sequence[str] = (), *, failed: str = "", untried: str = ""
) -> dict[str, Any]:
    return {"n_laws": n_laws, "broken": list(broken), "failed": failed, "untried": untried}


def _words(one: Broken) -> str:
    return f"{one.law}: {one.means}. On {one.case}, {one.why}"


def _with_folder(group: str, plugin: Any, place: Path) -> dict[str, Any]:
    """Check a kind whose laws are about files."""
    n_checked = 0
    broken: list[str] = []
    missing: list[str] = []
    for laws in _suites(group, plugin, place):
        for law in laws.names():
            try:
                laws.check(law)
            except MissingExtraError as error:
                missing.append(f"{law}: {error}")
                continue
            except Exception as error:  # noqa: BLE001 - a broken law, or whatever its code raises
                broken.append(f"{law}: {type(error).__name__}: {' '.join(str(error).split())}")
            n_checked += 1
    more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
    why_none = "" if n_checked else _NO_SUITE.get(group, "")
    return _answer(n_checked, broken, untried=f"{missing[0]}{more}" if missing else why_none)


def _suites(group: str, plugin: Any, place: Path) -> Iterator[Laws]:
    """Yield the suites of kinds whose laws are about files and streams; none where there is nothing to try them on."""
    match group:
        case "exporters":
            from unmixel.testing.exporters import ExporterLaws, Parcels

            with Parcels() as parcels:
                yield ExporterLaws(plugin(), parcels)
        case "writers":
            from unmixel.testing.writers import WriterLaws

            yield WriterLaws(plugin(), place)
        case "readers":
            from unmixel.testing.readers import ReaderLaws, example_of

            if (example := example_of(plugin(), place)) is not None:
                yield ReaderLaws(plugin(), example)
        case "sources":
            from unmixel.testing.sources import SourceLaws, emitter_of

            if (emitter := emitter_of(plugin(), place)) is not None:
                yield SourceLaws(plugin(), emitter)


if __name__ == "__main__":
    main()
