"""The application: everything under ``api/`` and the page itself."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI
from pydantic import TypeAdapter

from unmixel import __version__
from unmixel.web.models import ArrayHead, LiveProblem, LiveRequest
from unmixel.web.routes import jobs, live, runs, scans, session, setup, words
from unmixel.web.run_models import JobEvent

TOLD_ON_SOCKETS: dict[str, Any] = {
    "LiveRequest": LiveRequest,
    "ArrayHead": ArrayHead,
    "LiveProblem": LiveProblem,
    "JobEvent": JobEvent,
}
"""Messages of sockets, which OpenAPI does not know: the description of the API holds their schemas all the same."""


def create() -> FastAPI:
    """Return the application."""
    app = FastAPI(
        title="unmixel viewer", version=__version__, docs_url=None, redoc_url=None, openapi_url=None
    )
    api = APIRouter(prefix="/api")
    for part in (session, scans, setup, jobs, runs, words, live):
        api.include_router(part.router)
    app.include_router(api)
    return app


def description() -> dict[str, Any]:
    """Return the OpenAPI description of the viewer, messages of sockets included."""
    described: dict[str, Any] = create().openapi()
    schemas = described["components"]["schemas"]
    for name, model in TOLD_ON_SOCKETS.items():
        schema = TypeAdapter(model).json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(schema.pop("$defs", {}))
        schemas[name] = schema
    return described
