"""A file with a new idea that runs as it is: the shortest way from an empty page to a verdict."""

from __future__ import annotations

import keyword
import re
from importlib.resources import files
from pathlib import Path
from string import Template

from unmixel.core import registry
from unmixel.core.errors import InputError, RunExistsError
from unmixel.io.atomic import write_text
from unmixel.lab.kinds import kind_of


def new_idea(kind: str, name: str, path: str | Path | None = None) -> Path:
    """Write a commented template of an idea and return its file.

    Parameters
    ----------
    kind : str
        ``"constraint"``, ``"step"``, ... (see `unmixel.lab.kinds.KINDS`).
    name : str
        Of the idea: small letters, digits and ``_``.
    path : path, optional
        ``NAME.py`` here by default.

    Raises
    ------
    InputError
        When there is no such kind, or the name is none or is taken.
    RunExistsError
        When the file is there.

    Examples
    --------
    >>> import tempfile
    >>> new_idea("score", "compact", Path(tempfile.mkdtemp()) / "compact.py").name
    'compact.py'
    """
    wanted = kind_of(kind)
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise InputError(
            "name of the idea",
            expected="small letters, digits and _",
            got=f"'{name}'",
            hint="such as few_places",
        )
    if name in registry.names(wanted.group):
        raise InputError(
            "name of the idea",
            expected="a new one",
            got=f"'{name}', which {registry.origin(wanted.group, name)} has among the {wanted.group}",
            hint="choose another name",
        )
    target = Path(path) if path is not None else Path(f"{name}.py")
    if target.exists():
        raise RunExistsError(
            f"The file '{target}' is there already and is left as it is. Choose another name."
        )
    template = Template(
        files("unmixel.lab").joinpath("templates", f"{wanted.name}.txt").read_text(encoding="utf-8")
    )
    words = {
        "name": name,
        "class_name": "".join(part.capitalize() for part in name.split("_")),
        "file": target.name,
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    write_text(target, template.substitute(words))
    return target
