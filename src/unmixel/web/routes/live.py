"""Sockets: pictures while something is dragged, and news of a job.

``api/scans/{id}/live``: text messages are a `LiveRequest`; binary replies are an `ArrayHead` and values
(`unmixel.web.arrays.message`), a request that cannot be answered gives a `LiveProblem` as text. The newest request
of each kind wins: older ones that nobody has begun on get no reply. While the scan is being read, a virtual image
gets several replies, as more of it is there; the last one says that it is final.

``api/jobs/{id}/events``: text messages of the server are a `JobEvent`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool

from unmixel.web.arrays import message, travelling
from unmixel.web.guard import MOST_MESSAGE, PROTOCOL
from unmixel.web.jobs import NotOpened
from unmixel.web.models import (
    ArrayHead,
    LivePattern,
    LiveProblem,
    LiveRegion,
    LiveRequest,
    LiveVirtual,
)
from unmixel.web.problems import problem
from unmixel.web.routes.opened import TheViewer
from unmixel.web.run_models import JobEvent
from unmixel.web.scan_view import ScanView
from unmixel.web.tiles import TileStore
from unmixel.web.viewer import Viewer

router = APIRouter()

UNKNOWN, NOT_TEXT, MALFORMED, TOO_LARGE = 4404, 1003, 1007, 1009
"""Codes with which sockets are closed."""

Request = LivePattern | LiveVirtual | LiveRegion
_REQUESTS: TypeAdapter[Request] = TypeAdapter(LiveRequest)
_KINDS = ("pattern", "virtual", "region")
AGAIN_S = 0.25
"""Seconds between two images of a scan that is being read; a newer request does not wait for longer."""


class Refused(Exception):  # noqa: N818 - it says what is so
    """A message that closes its socket."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code, self.words = code, words


@dataclass
class Mailbox:
    """The newest request of a kind that nobody has begun on."""

    waiting: Request | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, request: Request) -> None:
        """Take a request in; an older one goes."""
        self.waiting = request
        self.news.set()

    async def take(self) -> Request:
        """Return the newest request as soon as there is one."""
        await self.news.wait()
        self.news.clear()
        request, self.waiting = self.waiting, None
        assert request is not None  # put() and take() run in one thread  # nosec B101
        return request


@router.websocket("/scans/{id}/live")
async def live(socket: WebSocket, viewer: TheViewer, id: str) -> None:  # noqa: A002
    """Answer with pictures while something is dragged."""
    await socket.accept(subprotocol=PROTOCOL if PROTOCOL in socket.scope["subprotocols"] else None)
    try:
        view = viewer.scan(id)
    except NotOpened as missing:
        await socket.close(UNKNOWN, str(missing))
        return
    boxes, lock = {kind: Mailbox() for kind in _KINDS}, asyncio.Lock()
    workers = [asyncio.create_task(_answer(socket, lock, view, box)) for box in boxes.values()]
    try:
        while True:
            request = _read(await socket.receive())
            boxes[request.what].put(request)
    except Refused as refused:
        await socket.close(refused.code, refused.words)
    except WebSocketDisconnect:
        pass
    finally:
        for worker in workers:
            worker.cancel()


def _read(received: Mapping[str, Any]) -> Request:
    """Return the request that a message holds."""
    if received["type"] == "websocket.disconnect":
        raise WebSocketDisconnect
    text = received.get("text")
    if not isinstance(text, str):
        raise Refused(NOT_TEXT, "Requests are text.")
    if len(text) > MOST_MESSAGE:
        raise Refused(TOO_LARGE, f"A message may have {MOST_MESSAGE:,} characters.")
    try:
        return _REQUESTS.validate_json(text)
    except ValidationError:
        raise Refused(MALFORMED, "The message is no request that this viewer knows.") from None


async def _answer(socket: WebSocket, lock: asyncio.Lock, view: ScanView, box: Mailbox) -> None:
    """Answer requests of one kind one after the other until the socket is closed."""
    while True:
        request = await box.take()
        try:
            values, head = await run_in_threadpool(_picture, view, request)
        except Exception as error:  # noqa: BLE001 - told to the browser; the next request gets an answer again
            told = LiveProblem(seq=request.seq, problem=problem(error))
            async with lock:
                await socket.send_text(told.model_dump_json())
            continue
        async with lock:
            await socket.send_bytes(message(values, head))
        if not head.final:
            await _growth(view.store, box)
            if box.waiting is None and not view.store.closed:
                box.put(request)


async def _growth(store: TileStore, box: Mailbox) -> None:
    """Wait until there is more to be seen, or another request."""
    seen = store.progress
    while box.waiting is None and not store.ended:
        await asyncio.sleep(AGAIN_S)
        if store.progress != seen:
            return


def _picture(view: ScanView, request: Request) -> tuple[NDArray[Any], ArrayHead]:
    """Return the picture that a request asks for, and its head."""
    exact, done, final = True, 1.0, True
    values: NDArray[Any]
    if isinstance(request, LivePattern):
        values = view.patterns.at(tuple(request.position))
    elif isinstance(request, LiveRegion):
        values, exact = view.region(request.region, sampled=not request.exact)
    else:
        ended = view.store.ended  # asked first: what ends later gives one more reply
        found = view.virtual(request.detector, exact=request.exact)
        values, exact, done = found.values, found.exact, found.done
        final = ended or (done >= 1 and (exact or not request.exact))
    array = travelling(values)
    kind: Any = array.dtype.name
    return array, ArrayHead(
        seq=request.seq,
        what=request.what,
        shape=list(array.shape),
        dtype=kind,
        exact=exact,
        done=done,
        final=final,
    )


@router.websocket("/jobs/{id}/events")
async def events(socket: WebSocket, viewer: TheViewer, id: str) -> None:  # noqa: A002
    """Tell of a job until it ends."""
    await socket.accept(subprotocol=PROTOCOL if PROTOCOL in socket.scope["subprotocols"] else None)
    try:
        work = viewer.jobs.get(id)
    except NotOpened as missing:
        await socket.close(UNKNOWN, str(missing))
        return
    teller = asyncio.create_task(_tell(socket, viewer, id))
    try:
        while True:
            received = await socket.receive()
            if received["type"] == "websocket.disconnect":
                break
            if work.ended and teller.done():
                break
    finally:
        teller.cancel()


async def _tell(socket: WebSocket, viewer: Viewer, key: str) -> None:
    """Send the job, then every event, until it ends."""
    work = viewer.jobs.get(key)
    told = len(work.events)
    await socket.send_text(JobEvent(event="job", job=work.told()).model_dump_json())
    while True:
        await run_in_threadpool(work.wait_for_news, told, 1.0)
        news = work.events[told:]
        told += len(news)
        for event in news:
            await socket.send_text(event.model_dump_json(exclude_none=True))
        if work.ended and told == len(work.events):
            await socket.close(1000)
            return
