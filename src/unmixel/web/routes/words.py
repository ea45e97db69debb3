"""What every screen has: copy as text, save as figure, help."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, HTTPException, Response

from unmixel.web.models import FigureRequest, Help, Language, Snippet, SnippetRequest

router = APIRouter(tags=["words"])

_PICTURE: dict[int | str, dict[str, Any]] = {200: {"content": {"image/svg+xml": {}, "image/png": {}}}}


@router.post("/snippet")
def snippet(request: SnippetRequest) -> Snippet:
    """Return the present view as Python or as a command that does the same."""
    raise HTTPException(501)


@router.post("/figure", response_class=Response, responses=_PICTURE)
def figure(request: FigureRequest) -> Response:
    """Return what is shown as a picture with scale bar."""
    raise HTTPException(501)


@router.get("/help/{language}")
def help(language: Language) -> Help:  # noqa: A001 - the word of the address
    """Return plain words for every parameter of a recipe."""
    raise HTTPException(501)
