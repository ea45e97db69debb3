"""``unmixel open``: the browser viewer."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from unmixel.cli.convert import bytes_of
from unmixel.core.errors import MissingExtraError
from unmixel.io.shape import parsed


@dataclass(frozen=True)
class Wish:
    """What the command line asked for.

    Parameters
    ----------
    files : tuple of str
        Scans, addresses and run folders.
    memory : str
        Such as ``2GB``.
    scan_shape : str or None
    drop_flyback : bool
    runs : str or None
        Folder for the runs that are begun in the viewer.
    cifs : tuple of str
    scratch : bool
    """

    files: tuple[str, ...]
    memory: str
    scan_shape: str | None = None
    drop_flyback: bool = False
    runs: str | None = None
    cifs: tuple[str, ...] = ()
    scratch: bool = True


def show(wish: Wish, *, port: int, hosts: tuple[str, ...], root_path: str, browse: bool) -> None:
    """Open files and runs and serve them until Ctrl-C."""
    try:
        from unmixel.web.serve import Place, serve
        from unmixel.web.viewer import Viewer
    except ImportError as error:
        raise MissingExtraError(error.name or "fastapi", extra="web", purpose="unmixel open") from error
    runs = None if wish.runs is None else Path(wish.runs)
    viewer = Viewer(memory=bytes_of(wish.memory), runs=runs, scratch=wish.scratch, structures=wish.cifs)
    shape = parsed(wish.scan_shape) if wish.scan_shape else None
    viewer.show(wish.files, scan_shape=shape, drop_flyback=wish.drop_flyback)
    try:
        serve(viewer, Place(port, hosts, root_path), tell=_say, browse=browse)
    except KeyboardInterrupt:
        sys.stderr.write("unmixel: the viewer is closed.\n")


def _say(address: str) -> None:
    sys.stdout.write(f"{address}\n")
    sys.stdout.flush()
    sys.stderr.write("unmixel: the viewer is at the address above, for this machine only; Ctrl-C ends it.\n")
