"""What is opened."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException

from unmixel.web.models import Session

router = APIRouter(tags=["session"])


@router.get("/session")
def session() -> Session:
    """Say what is opened, and by which version."""
    raise HTTPException(501)
