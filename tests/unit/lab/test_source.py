"""A class of a notebook is found with all that it uses, from whichever cells that comes."""

from __future__ import annotations

import linecache
import sys
import types

import pytest

from unmixel.core.errors import InputError
from unmixel.lab.idea import load
from unmixel.lab.source import idea_of

FIRST = """\
%load_ext autoreload
from dataclasses import dataclass, replace
from typing import ClassVar
import numpy as np
import unmixel.prepare.contract as contract
LEVEL, NAMES = 0.5, ("a", "b")

def scaled(values, by=2):
    return values * by * LEVEL * len(NAMES)
"""

SECOND = """\
@dataclass(frozen=True)
class Doubled:
    factor: int = 1
    name: ClassVar[str] = "doubled"

    def apply(self, scan):
        data = scaled(np.asarray(scan.data), self.factor)
        return replace(scan, data=data, history=(*scan.history, contract.recorded(self, "Doubled it.")))

unmixel.try_idea(Doubled())
"""


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch):
    """Return what runs cells as a notebook does: one namespace, sources kept by number."""
    module = types.ModuleType("notebook_session")
    monkeypatch.setitem(sys.modules, module.__name__, module)

    def run(number: int, text: str, upto: str | None = None):
        name = f"/somewhere/ipykernel_1/{number}.py"
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        plain = "".join("\n" if line[:1] == "%" else line for line in text.splitlines(keepends=True))
        exec(compile(plain.split(upto)[0] if upto else plain, name, "exec"), vars(module))
        return module

    return run


def test_an_idea_is_gathered_from_several_cells(session) -> None:
    session(1, FIRST)
    module = session(2, SECOND, upto="unmixel.try_idea")
    idea = idea_of(module.Doubled(factor=3))
    assert "try_idea" not in idea.code, "the call is not part of the idea"
    assert idea.code.index("def scaled") < idea.code.index("class Doubled")
    loaded = load(idea)
    assert (loaded.kind.name, loaded.build().factor) == ("step", 3)
    assert vars(sys.modules[loaded.plugin.__module__])["scaled"](1.0) == 2.0


def test_what_only_the_session_holds_is_refused(session) -> None:
    module = session(1, FIRST + "\nLEVEL = np.ones(3)\n")
    session(2, SECOND, upto="unmixel.try_idea")
    with pytest.raises(
        InputError, match=r"'LEVEL', which the idea uses: .* a ndarray that only this session holds"
    ):
        idea_of(module.Doubled)


def test_parameters_are_plain_values(session) -> None:
    session(1, FIRST)
    module = session(2, SECOND, upto="unmixel.try_idea")
    with pytest.raises(InputError, match=r"parameter factor of the idea: .* got ndarray"):
        idea_of(module.Doubled(module.np.ones(2)))
    with pytest.raises(InputError, match="a frozen dataclass"):
        idea_of(object())
