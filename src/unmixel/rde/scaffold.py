"""Writes the dataset template: what RDE, and who tries it at home, need to run unmixel."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from unmixel import __version__
from unmixel.core.errors import RunExistsError
from unmixel.io.atomic import write_text
from unmixel.rde.fields import blank, schema
from unmixel.rde.metadata import definition, json_text

_TRIED, _GIVEN = "container/data/tasksupport", "templates/tasksupport"
_TEXTS = {
    "README.md": ("README.md",),
    "Dockerfile": ("container/Dockerfile",),
    "main.py": ("container/main.py",),
    "rdeconfig.yaml": (f"{_TRIED}/rdeconfig.yaml", f"{_GIVEN}/rdeconfig.yaml"),
}
"""Text that ships with unmixel -> where it goes."""

_EMPTY = ("container/data/inputdata", "input/inputdata")


def contents() -> dict[str, str]:
    """Return the files of a template: path within it -> text.

    Examples
    --------
    >>> [path for path in contents() if path.startswith("container/") and "data" not in path]
    ['container/Dockerfile', 'container/main.py']
    """
    shipped = files("unmixel.rde").joinpath("template")
    found = {
        path: shipped.joinpath(name).read_text(encoding="utf-8").replace("@VERSION@", __version__)
        for name, paths in _TEXTS.items()
        for path in paths
    }
    for folder in (_TRIED, _GIVEN):
        found[f"{folder}/metadata-def.json"] = json_text(definition())
        found[f"{folder}/invoice.schema.json"] = json_text(schema())
    for folder in ("container/data/invoice", "input/invoice"):
        found[f"{folder}/invoice.json"] = json_text(blank())
    return found


def init(folder: str | Path, *, force: bool = False) -> tuple[Path, ...]:
    """Write a dataset template for RDE to a folder.

    Parameters
    ----------
    folder : path
        Made where it is not there.
    force : bool
        Write over the files of a template that is there; files of other names stay.

    Returns
    -------
    tuple of Path
        The files.

    Raises
    ------
    RunExistsError
        When the folder is not empty, or is a file.
    """
    root = Path(folder)
    if root.exists() and not root.is_dir():
        raise RunExistsError(f"'{root}' is a file. Choose another folder.")
    if root.is_dir() and any(root.iterdir()) and not force:
        raise RunExistsError(
            f"The folder '{root}' is not empty. Choose another one, or write into it with --force (files of other "
            "names stay)."
        )
    written = []
    for path, text in contents().items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        write_text(target, text)
        written.append(target)
    for path in _EMPTY:
        (root / path).mkdir(parents=True, exist_ok=True)
    return tuple(written)
