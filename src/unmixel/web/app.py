"""The application: everything under ``api/`` and the page itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from pydantic import TypeAdapter
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse

from unmixel import __version__
from unmixel.core.errors import UnmixelError
from unmixel.web.guard import Guard
from unmixel.web.jobs import Busy, NotOpened
from unmixel.web.models import ArrayHead, LiveProblem, LiveRequest, Problem, WidgetMessage
from unmixel.web.problems import problem
from unmixel.web.routes import jobs, live, runs, scans, session, setup, words
from unmixel.web.run_models import JobEvent
from unmixel.web.viewer import Viewer

ASSETS = Path(__file__).parent / "assets"
"""The page as it ships: made from ``web/`` by ``make web``."""

TOLD_ON_SOCKETS: dict[str, Any] = {
    "LiveRequest": LiveRequest,
    "ArrayHead": ArrayHead,
    "LiveProblem": LiveProblem,
    "JobEvent": JobEvent,
    "WidgetMessage": WidgetMessage,
}
"""Messages of sockets and of the widget, which OpenAPI does not know: the description holds their schemas too."""

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": words}
    for status, words in {
        400: "The body is no JSON.",
        401: "The token is missing or wrong.",
        403: "Another page, or under another name, asks.",
        404: "Nothing of that id is opened.",
        409: "Another job works.",
        413: "The request is too large.",
        422: "What was given does not fit.",
    }.items()
}


def create(viewer: Viewer) -> FastAPI:
    """Return the application without its guard: for tests and for the description of the API."""

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(viewer.close)

    app = FastAPI(
        title="unmixel viewer",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=life,
    )
    app.state.viewer = viewer
    api = APIRouter(prefix="/api", responses=PROBLEMS)
    for part in (session, scans, setup, jobs, runs, words, live):
        api.include_router(part.router)
    app.include_router(api)
    _tell_errors(app)
    _show_page(app)
    return app


def guarded(viewer: Viewer, token: str, *, hosts: tuple[str, ...] = (), root_path: str = "") -> Guard:
    """Return the application as it is served: only who may ask gets an answer."""
    return Guard(create(viewer), token, hosts, root_path)


def description() -> dict[str, Any]:
    """Return the OpenAPI description of the viewer, messages of sockets included."""
    described: dict[str, Any] = create(Viewer()).openapi()
    schemas = described["components"]["schemas"]
    for name, model in TOLD_ON_SOCKETS.items():
        schema = TypeAdapter(model).json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(schema.pop("$defs", {}))
        schemas[name] = schema
    return described


def _show_page(app: FastAPI) -> None:
    """Serve the page and its files, and nothing else of the disk."""

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        if not (ASSETS / "index.html").is_file():
            raise HTTPException(404, "The page of the viewer has not been built: make web")
        return FileResponse(ASSETS / "index.html")

    app.mount("/assets", StaticFiles(directory=ASSETS, check_dir=False))


def _tell_errors(app: FastAPI) -> None:
    """Turn every error into a `Problem`."""

    def told(status: int, found: Problem) -> JSONResponse:
        return JSONResponse(found.model_dump(), status)

    @app.exception_handler(UnmixelError)
    async def refused(request: Request, error: UnmixelError) -> JSONResponse:
        return told(422, problem(error))

    @app.exception_handler(NotOpened)
    async def missing(request: Request, error: NotOpened) -> JSONResponse:
        return told(404, Problem(what=f"Not here: {error}."))

    @app.exception_handler(Busy)
    async def busy(request: Request, error: Busy) -> JSONResponse:
        return told(409, Problem(what=str(error)))

    @app.exception_handler(RequestValidationError)
    async def unfit(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or "request"
        return told(422, Problem(what=where, expected=str(first["msg"])))

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> JSONResponse:
        return told(error.status_code, Problem(what=str(error.detail)))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        return told(500, problem(error))
