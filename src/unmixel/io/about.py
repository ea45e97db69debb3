"""Reads what the owner of the data says of them: a small YAML or JSON file."""

from __future__ import annotations

from pathlib import Path

import yaml

from unmixel.core.errors import ReadError
from unmixel.dataset.about import About


def read_about(path: str | Path) -> About:
    """Return the facts that lie in a YAML file (JSON is YAML).

    Parameters
    ----------
    path : path
        See `About` for the names; all may be left out.

    Raises
    ------
    ReadError
        When the file is missing or is no YAML.
    InputError
        When it holds a fact of another name or kind.

    Examples
    --------
    >>> read_about("about.yaml").licence  # doctest: +SKIP
    'CC-BY-4.0'
    """
    try:
        given = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ReadError(
            f"file of facts '{path}'",
            expected="YAML or JSON with title, licence, authors, sample",
            got=f"{type(error).__name__}: {' '.join(str(error).split())}",
            hint="check the path and the text",
        ) from error
    return About.from_dict({} if given is None else given)
