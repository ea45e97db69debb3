"""What the addresses of requests mean: the viewer, an opened scan, an opened run."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path
from starlette.requests import HTTPConnection

from unmixel.web.run_view import RunView
from unmixel.web.scan_view import ScanView
from unmixel.web.viewer import Viewer

Key = Annotated[str, Path(alias="id", max_length=100)]


def viewer_of(connection: HTTPConnection) -> Viewer:
    """Return the viewer that an application serves."""
    viewer: Viewer = connection.app.state.viewer
    return viewer


TheViewer = Annotated[Viewer, Depends(viewer_of)]


def _scan(viewer: TheViewer, key: Key) -> ScanView:
    return viewer.scan(key)


def _run(viewer: TheViewer, key: Key) -> RunView:
    return viewer.run(key)


TheScan = Annotated[ScanView, Depends(_scan)]
TheRun = Annotated[RunView, Depends(_run)]
