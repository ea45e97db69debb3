"""The viewer's application spoken to in its own process, without a port: requests and sockets as plain calls."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from unmixel.core.errors import InputError
from unmixel.web.guard import MOST_BODY, MOST_SOCKETS, PROTOCOL

Scope = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """What a request gave.

    Parameters
    ----------
    status : int
        Of HTTP.
    headers : dict of str
        Names in lower case.
    body : bytes
    """

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Heard:
    """What a socket told: that it is open, a message, or that it is closed.

    Parameters
    ----------
    what : str
        ``opened``, ``text``, ``bytes`` or ``closed``.
    text : str
        The message, or the reason of the end.
    data : bytes
    code : int
        Of the end.
    """

    what: str
    text: str = ""
    data: bytes = b""
    code: int = 0


@dataclass
class Line:
    """A socket that is open: what is put here the application receives."""

    path: str
    hear: Callable[[Heard], None]
    inbox: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)


class Direct:
    """Runs an ASGI application in a thread of its own and hands it requests.

    Replies come in that thread. Nothing listens on the network; who can call this object may ask everything.

    Parameters
    ----------
    app : ASGI application
    """

    def __init__(self, app: Any) -> None:
        self._app, self._loop = app, asyncio.new_event_loop()
        self._lines: dict[str, Line] = {}
        self._thread = threading.Thread(target=self._loop.run_forever, name="unmixel viewer", daemon=True)
        self._thread.start()

    def ask(self, method: str, path: str, body: bytes, answer: Callable[[Reply], None]) -> None:
        """Send a request; its reply is given to `answer` later.

        Parameters
        ----------
        method : str
            ``GET`` or ``POST``.
        path : str
            Below ``api/``, with its query.
        body : bytes
            JSON, or nothing.
        answer : callable(Reply)

        Raises
        ------
        InputError
            When the request is too large.
        """
        if len(body) > MOST_BODY:
            raise InputError(
                "request", expected=f"at most {MOST_BODY:,} bytes", got=f"{len(body):,}", hint=""
            )
        self._do(self._request(method, path, body, answer))

    def open(self, key: str, path: str, hear: Callable[[Heard], None]) -> None:
        """Open a socket under a key that the caller chooses; what it tells is given to `hear`.

        Raises
        ------
        InputError
            When the key is taken or too many are open.
        """
        if key in self._lines or len(self._lines) >= MOST_SOCKETS:
            raise InputError(
                "socket", expected=f"a new one of at most {MOST_SOCKETS}", got=repr(key), hint=""
            )
        line = Line(path, hear)
        line.inbox.put_nowait({"type": "websocket.connect"})  # before anything that is sent
        self._lines[key] = line
        self._do(self._talk(key, line))

    def send(self, key: str, text: str) -> None:
        """Send text over an open socket; nothing happens where it is closed already."""
        self._put(key, {"type": "websocket.receive", "text": text})

    def hang_up(self, key: str) -> None:
        """Close a socket from this side."""
        self._put(key, {"type": "websocket.disconnect", "code": 1000})

    def close(self) -> None:
        """End everything; a second call does nothing."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(_cancel_others(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop)

    def _put(self, key: str, message: dict[str, Any]) -> None:
        line = self._lines.get(key)
        if line is not None:
            self._loop.call_soon_threadsafe(line.inbox.put_nowait, message)

    async def _request(self, method: str, path: str, body: bytes, answer: Callable[[Reply], None]) -> None:
        found: dict[str, Any] = {"status": 500, "headers": [], "body": b""}
        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if waiting:
                return waiting.pop()
            await asyncio.Event().wait()  # the caller never goes before it has its reply
            raise AssertionError

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                found.update(status=message["status"], headers=message.get("headers", []))
            else:
                found["body"] += message.get("body", b"")

        headers = [(b"content-type", b"application/json")] if body else []
        scope = {**_scope("http", path, headers), "method": method, "scheme": "http"}
        with suppress(Exception):  # the application has made a reply of it, and raises it for logs of servers
            await self._app(scope, receive, send)
        told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in found["headers"]}
        answer(Reply(found["status"], told, found["body"]))

    async def _talk(self, key: str, line: Line) -> None:
        code, reason = 1000, ""

        async def send(message: dict[str, Any]) -> None:
            nonlocal code, reason
            if message["type"] == "websocket.accept":
                line.hear(Heard("opened"))
            elif message["type"] == "websocket.close":
                code, reason = message.get("code", 1000), message.get("reason") or ""
            elif message.get("bytes") is not None:
                line.hear(Heard("bytes", data=message["bytes"]))
            else:
                line.hear(Heard("text", text=message["text"]))

        scope = {**_scope("websocket", line.path, []), "scheme": "ws", "subprotocols": [PROTOCOL]}
        try:
            await self._app(scope, line.inbox.get, send)
        except Exception:  # noqa: BLE001 - as a server would: the socket ends, and its code says why
            code, reason = 1011, "A fault of the viewer."
        finally:
            del self._lines[key]
            line.hear(Heard("closed", text=reason, code=code))


async def _cancel_others() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _scope(kind: str, path: str, headers: list[tuple[bytes, bytes]]) -> Scope:
    parts = urlsplit(path)
    return {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "path": f"/api/{unquote(parts.path)}",
        "raw_path": f"/api/{parts.path}".encode(),
        "root_path": "",
        "query_string": parts.query.encode(),
        "headers": [(b"host", b"localhost"), *headers],
        "client": None,
        "server": None,
    }
