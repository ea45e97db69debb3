"""A package of one's own: everything that a plug-in needs to be installed, tested and given to others."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from string import Template

from unmixel import __version__
from unmixel.core import registry
from unmixel.core.errors import InputError, RunExistsError

_FILES = {
    "pyproject.txt": "pyproject.toml",
    "README.md": "README.md",
    "LICENSE": "LICENSE",
    "plugin.txt": "src/{module}/__init__.py",
    "test_laws.txt": "tests/test_laws.py",
}
"""Name of each template -> where it goes."""


def new_package(name: str, folder: str | Path | None = None) -> Path:
    """Write a small complete package with one constraint and return its folder.

    It installs with pip as it is, and its tests pass as they are.

    Parameters
    ----------
    name : str
        Of the package, such as ``"unmixel-rim"``: small letters, digits, ``-``; the constraint is called the same
        without ``unmixel-``.
    folder : path, optional
        Where to; a folder of the package's name here by default.

    Raises
    ------
    InputError
        When the name is none, or a constraint of that name is installed.
    RunExistsError
        When the folder is there.

    Examples
    --------
    >>> import tempfile
    >>> made = new_package("unmixel-rim", Path(tempfile.mkdtemp()) / "rim")
    >>> sorted(path.name for path in made.rglob("*.*"))
    ['README.md', '__init__.py', 'pyproject.toml', 'test_laws.py']
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or name == "unmixel":
        raise InputError(
            "name of the package",
            expected="small letters and digits, parted by '-'",
            got=f"'{name}'",
            hint="such as unmixel-rim",
        )
    plugin = name.removeprefix("unmixel-").replace("-", "_")
    if plugin in registry.names("constraints"):
        raise InputError(
            "name of the package",
            expected="one whose constraint is new",
            got=f"'{plugin}', which {registry.origin('constraints', plugin)} has",
            hint="choose another name",
        )
    target = Path(name if folder is None else folder)
    if target.exists():
        raise RunExistsError(
            f"'{target}' is there already and is left as it is. Choose another folder with --out."
        )
    words = {
        "distribution": name,
        "module": name.replace("-", "_"),
        "plugin": plugin,
        "class_name": "".join(part.capitalize() for part in plugin.split("_")),
        "version": __version__,
        "year": str(datetime.now(UTC).year),
    }
    try:
        _write(target, words)
    except OSError:
        shutil.rmtree(target, ignore_errors=True)
        raise
    return target


def _write(target: Path, words: dict[str, str]) -> None:
    templates = files("unmixel.lab") / "package"
    for name, place in _FILES.items():
        path = target / place.format(**words)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            Template((templates / name).read_text(encoding="utf-8")).substitute(words), encoding="utf-8"
        )
