"""Plug-ins are found by group and name; names cost no import; a wrong name is met with the nearest one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from unmixel.core import registry
from unmixel.core.errors import PluginError

GROUPS = ("engines", "readers", "steps", "constraints", "losses", "solvers", "clusterers")


@pytest.mark.parametrize("group", GROUPS)
def test_every_registered_name_loads_a_class(group: str) -> None:
    names = registry.names(group)
    assert names
    assert list(names) == sorted(names)
    for name in names:
        assert isinstance(registry.load(group, name), type)


def test_a_near_name_is_proposed() -> None:
    with pytest.raises(PluginError, match="Did you mean 'resolution'") as caught:
        registry.load("constraints", "resolutoin")
    assert "nonnegative" in str(caught.value)


def test_a_far_name_lists_all_and_proposes_none() -> None:
    with pytest.raises(PluginError) as caught:
        registry.load("constraints", "zzzzzz")
    assert "Did you mean" not in str(caught.value)
    assert "sparse" in str(caught.value)


def test_an_unknown_group_is_empty_and_says_so() -> None:
    assert registry.names("no such group") == ()
    with pytest.raises(PluginError, match="Installed: none"):
        registry.load("no such group", "x")


def test_listing_names_imports_no_plug_in() -> None:
    code = (
        "from unmixel.core.registry import names; names('readers'); names('solvers'); import sys;"
        "print([m for m in sys.modules if m.startswith('unmixel.') and not m.startswith('unmixel.core')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_origin_names_package_and_version() -> None:
    package, version = registry.origin("readers", "npz").split()
    assert package == "unmixel"
    assert version[0].isdigit()
