"""Sockets: pictures while something is dragged, and news of a job.

``api/scans/{id}/live``: text messages are a `LiveRequest`; binary replies are an `ArrayHead` and values
(`unmixel.web.arrays.message`), a request that cannot be answered gives a `LiveProblem` as text. The newest request
of each kind wins: older ones that nobody has begun on get no reply.

``api/jobs/{id}/events``: text messages of the server are a `JobEvent`.
"""

from __future__ import annotations

from fastapi import APIRouter, WebSocket

router = APIRouter()

NOT_YET = 1013


@router.websocket("/scans/{id}/live")
async def live(socket: WebSocket, id: str) -> None:  # noqa: A002
    """Answer with pictures while something is dragged."""
    await socket.close(NOT_YET)


@router.websocket("/jobs/{id}/events")
async def events(socket: WebSocket, id: str) -> None:  # noqa: A002
    """Tell of a job until it ends."""
    await socket.close(NOT_YET)
