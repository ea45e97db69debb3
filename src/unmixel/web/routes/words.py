"""What every screen has: copy as text, save as figure, help."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from unmixel.core.errors import InputError
from unmixel.web.jobs import NotOpened
from unmixel.web.models import FigureRequest, Language, Snippet, SnippetRequest
from unmixel.web.routes.opened import TheViewer
from unmixel.web.run_view import history
from unmixel.web.snippets import comparison_snippet, history_snippet, run_snippet, scan_snippet
from unmixel.web.viewer import Viewer
from unmixel.web.words import Help, words

router = APIRouter(tags=["words"])

_TYPES = {"svg": "image/svg+xml", "png": "image/png"}
_PICTURE: dict[int | str, dict[str, Any]] = {200: {"content": {kind: {} for kind in _TYPES.values()}}}


@router.post("/snippet")
def snippet(viewer: TheViewer, request: SnippetRequest) -> Snippet:
    """Return the present view as Python or as a command that does the same."""
    if request.view == "history":
        return history_snippet([row.name for row in history(viewer.folder, viewer.runs)], request)
    if request.view == "compare":
        return comparison_snippet(viewer.run(request.opened), viewer.run(request.other or ""), request)
    if request.opened in viewer.runs:
        return run_snippet(viewer.run(request.opened), request)
    return scan_snippet(viewer.scan(request.opened), request)


@router.post("/figure", response_class=Response, responses=_PICTURE)
def figure(viewer: TheViewer, request: FigureRequest) -> Response:
    """Return what is shown as a picture with scale bar."""
    if request.view in ("rank", "methods"):
        picture = viewer.jobs.get(request.opened).folder / f"{request.view}.{request.format}"
        if not picture.is_file():
            raise NotOpened("this figure: the job has not finished")
        return Response(picture.read_bytes(), media_type=_TYPES[request.format])
    return Response(_drawn(viewer, request), media_type=_TYPES[request.format])


def _drawn(viewer: Viewer, request: FigureRequest) -> bytes:
    from unmixel.web import drawing

    if request.view == "compare":
        other = viewer.run(request.other or "")
        return drawing.file_of(drawing.comparison_figure(viewer.run(request.opened), other), request)
    if request.opened in viewer.runs:
        return drawing.run_figure(viewer.run(request.opened), request)
    view = viewer.scan(request.opened)
    if request.view == "prepare":
        return drawing.file_of(drawing.step_figure(view, request), request)
    if request.view != "calibrate":
        return drawing.scan_figure(view, request)
    if request.calibrate is None:
        raise InputError("calibrate", expected="a phase", got="none", hint="send what the screen shows")
    crystal = viewer.structure(request.calibrate.phase)
    draw = drawing.calibration_figure if request.calibrate.fit else drawing.rings_figure
    return drawing.file_of(draw(view, crystal, request.calibrate), request)


@router.get("/help/{language}")
def parameters(language: Language) -> Help:
    """Return plain words for every parameter of a recipe."""
    return words(language)
