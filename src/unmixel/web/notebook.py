"""`unmixel.view`: the viewer in a Jupyter notebook."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmixel.core.errors import InputError, MissingExtraError
from unmixel.dataset.result import Result
from unmixel.dataset.scan import Scan

if TYPE_CHECKING:
    from unmixel.web.widget import ViewWidget

MEMORY_MB = 2000.0


def view(
    *shown: str | os.PathLike[str] | Scan | Result,
    memory_MB: float = MEMORY_MB,
    structures: Iterable[str] = (),
    runs: str | os.PathLike[str] | None = None,
    height: int = 760,
) -> ViewWidget:
    """Show scans and results in a Jupyter notebook, on the same page as ``unmixel open``.

    The page speaks to the kernel by the widget's own messages: no port is opened, so that it works wherever widgets
    do, behind JupyterHub and on remote kernels too. While a cell is working, the page waits.

    Parameters
    ----------
    *shown : path, address, Scan or Result
        What to show. Runs that are begun on the page need a scan that was given by its path or address.
    memory_MB : float
        Room for pictures, in MB, above 0.
    structures : iterable of str
        CIF files and folders to calibrate by and to name phases with, beside the built-in cells.
    runs : path, optional
        Folder for runs that are begun on the page; the present one by default.
    height : int
        Of the page, in pixels, 200 to 5000.

    Returns
    -------
    ViewWidget
        Shown where it is the last value of a cell; its ``close()`` frees memory and temporary files.

    Raises
    ------
    MissingExtraError
        When anywidget or FastAPI is not installed.
    InputError
        When nothing is given, or a number is out of its range.

    Examples
    --------
    >>> unmixel.view("scan.zspy", "scan.run")  # doctest: +SKIP
    """
    if not shown:
        raise InputError("shown", expected="a path, a Scan or a Result", got="nothing", hint="")
    if not memory_MB > 0:
        raise InputError("memory_MB", expected="above 0", got=f"{memory_MB}", hint="2000 is usual")
    if not 200 <= height <= 5000:
        raise InputError("height", expected="200 to 5000 pixels", got=f"{height}", hint="760 is usual")
    try:
        from unmixel.web.viewer import Viewer
        from unmixel.web.widget import ViewWidget
    except ImportError as error:
        raise MissingExtraError(error.name or "anywidget", extra="jupyter", purpose="unmixel.view") from error
    folder = None if runs is None else Path(runs)
    viewer = Viewer(memory=int(memory_MB * 1e6), runs=folder, structures=structures)
    try:
        viewer.show([_wanted(one) for one in shown])
    except BaseException:
        viewer.close()
        raise
    return ViewWidget(viewer, height=height)


def _wanted(one: Any) -> str | Scan | Result:
    return one if isinstance(one, (Scan, Result)) else os.fspath(one)
