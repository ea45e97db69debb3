"""What is opened."""

from __future__ import annotations

from fastapi import APIRouter

from unmixel import __version__
from unmixel.core import registry
from unmixel.physics.cells import built_in
from unmixel.web.models import Session
from unmixel.web.routes.opened import TheViewer

router = APIRouter(tags=["session"])


@router.get("/session")
def session(viewer: TheViewer) -> Session:
    """Say what is opened, and by which version."""
    return Session(
        version=__version__,
        opened=viewer.opened(),
        languages=["en", "ja"],
        memory_bytes=viewer.memory,
        steps=list(registry.names("steps")),
        constraints=list(registry.names("constraints")),
        phases=[*viewer.structures, *sorted(built_in())],
    )
