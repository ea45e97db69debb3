"""What every screen has: copy as text, save as figure, help."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from unmixel.web.jobs import NotOpened
from unmixel.web.models import FigureRequest, Help, Language, Snippet, SnippetRequest
from unmixel.web.routes.opened import TheViewer
from unmixel.web.snippets import run_snippet, scan_snippet
from unmixel.web.words import words

router = APIRouter(tags=["words"])

_TYPES = {"svg": "image/svg+xml", "png": "image/png"}
_PICTURE: dict[int | str, dict[str, Any]] = {200: {"content": {kind: {} for kind in _TYPES.values()}}}


@router.post("/snippet")
def snippet(viewer: TheViewer, request: SnippetRequest) -> Snippet:
    """Return the present view as Python or as a command that does the same."""
    if request.opened in viewer.runs:
        return run_snippet(viewer.run(request.opened), request)
    return scan_snippet(viewer.scan(request.opened), request)


@router.post("/figure", response_class=Response, responses=_PICTURE)
def figure(viewer: TheViewer, request: FigureRequest) -> Response:
    """Return what is shown as a picture with scale bar."""
    from unmixel.web.drawing import run_figure, scan_figure

    if request.view == "rank":
        picture = viewer.jobs.get(request.opened).folder / f"rank.{request.format}"
        if not picture.is_file():
            raise NotOpened("this figure: the job has not finished")
        return Response(picture.read_bytes(), media_type=_TYPES[request.format])
    if request.opened in viewer.runs:
        drawn = run_figure(viewer.run(request.opened), request)
    else:
        drawn = scan_figure(viewer.scan(request.opened), request)
    return Response(drawn, media_type=_TYPES[request.format])


@router.get("/help/{language}")
def parameters(language: Language) -> Help:
    """Return plain words for every parameter of a recipe."""
    return words(language)
