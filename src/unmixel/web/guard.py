"""Who may ask, and how much: token, host, origin, sizes, and what browsers are told not to do with the page."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

Scope = dict[str, Any]
Headers = dict[str, str]

LOOPBACK = ("127.0.0.1", "localhost", "::1")
MOST_BODY = 2_000_000
"""Bytes of a request: a mask of 20,000 runs takes half a megabyte."""
MOST_MESSAGE = 600_000
"""Bytes of a message of a socket."""
MOST_SOCKETS = 16
PROTOCOL = "unmixel"
"""Subprotocol of sockets; `token.` and the token stand beside it, since browsers send no headers of ours."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; "
    "connect-src 'self'; font-src 'self'; worker-src 'self' blob:; frame-src blob:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'"
)

BAD_TOKEN, BAD_ORIGIN, TOO_MANY = 4401, 4403, 1013
"""Codes with which sockets are closed."""


def new_token() -> str:
    """Return a token that nobody guesses: 256 random bits."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True)
class Refusal:
    """Why a request is not let in.

    Parameters
    ----------
    status : int
        Of HTTP.
    code : int
        With which a socket is closed.
    words : str
    """

    status: int
    code: int
    words: str


@dataclass
class Guard:
    """An ASGI application that lets through to another one only who may ask.

    Parameters
    ----------
    app : ASGI application
    token : str
    hosts : iterable of str
        Names, beside those of this machine, by which a proxy may call the server.
    root_path : str
        Path under which a proxy shows the viewer; stripped where the proxy leaves it on.
    """

    app: Any
    token: str
    hosts: Iterable[str] = ()
    root_path: str = ""
    _sockets: int = field(default=0, init=False)

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Let a request through, or say why not."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        scope = self._below_root(scope)
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        refusal = self._refusal(scope, headers)
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send, refusal)
        elif refusal is not None:
            await _refuse(send, refusal)
        else:
            await self._request(scope, receive, send, headers)

    def _below_root(self, scope: Scope) -> Scope:
        root, path = self.root_path.rstrip("/"), scope["path"]
        if not root or not (path == root or path.startswith(f"{root}/")):
            return scope
        return {**scope, "path": path[len(root) :] or "/", "raw_path": None, "root_path": ""}

    def _refusal(self, scope: Scope, headers: Headers) -> Refusal | None:
        """Return why a request is not let in, None where it is."""
        host, allowed = _name(headers.get("host", "")), {*LOOPBACK, *self.hosts}
        if host not in allowed:
            return Refusal(403, BAD_ORIGIN, "This viewer answers under the address that it printed only.")
        origin = headers.get("origin")
        if origin is not None and not self._same(origin, headers["host"]):
            return Refusal(403, BAD_ORIGIN, "Another page may not ask this viewer.")
        if headers.get("sec-fetch-site") == "cross-site" and scope["path"].startswith("/api"):
            return Refusal(403, BAD_ORIGIN, "Another page may not ask this viewer.")
        if not scope["path"].startswith("/api"):
            return None if scope["type"] == "http" else Refusal(404, BAD_TOKEN, "There is no such socket.")
        given = headers.get("x-unmixel-token", "") if scope["type"] == "http" else _of_socket(scope)
        if not secrets.compare_digest(given.encode(), self.token.encode()):
            return Refusal(
                401, BAD_TOKEN, "The token is missing or wrong: open the address that was printed."
            )
        return None

    def _same(self, origin: str, host: str) -> bool:
        """Return whether a page's origin is where this server is reached; behind a proxy ports may differ."""
        place = urlsplit(origin)
        if place.scheme not in ("http", "https"):
            return False
        return place.netloc == host or (_name(place.netloc) == _name(host) and _name(host) in self.hosts)

    async def _socket(self, scope: Scope, receive: Any, send: Any, refusal: Refusal | None) -> None:
        if refusal is None and self._sockets >= MOST_SOCKETS:
            refusal = Refusal(503, TOO_MANY, f"No more than {MOST_SOCKETS} sockets.")
        if refusal is not None:
            await receive()
            await send({"type": "websocket.accept", "subprotocol": _protocol(scope)})
            await send({"type": "websocket.close", "code": refusal.code, "reason": refusal.words})
            return
        self._sockets += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._sockets -= 1

    async def _request(self, scope: Scope, receive: Any, send: Any, headers: Headers) -> None:
        body = b""
        declared = headers.get("content-length", "0")
        too_large = declared.isdigit() and int(declared[:12]) > MOST_BODY
        more = not too_large
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            too_large = len(body) > MOST_BODY
            more = more and not too_large
        if too_large:
            await _refuse(send, Refusal(413, 1009, f"A request may have {MOST_BODY:,} bytes."))
            return
        rest = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def replay() -> Any:
            found = next(rest, None)
            return found if found is not None else await receive()

        async def with_policy(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *_policy(scope["path"])]}
            await send(message)

        await self.app(scope, replay, with_policy)


def _name(netloc: str) -> str:
    """Return the host of ``host:port``, lower case, without brackets; nothing where it is malformed."""
    try:
        return urlsplit(f"//{netloc}").hostname or ""
    except ValueError:
        return ""


def _of_socket(scope: Scope) -> str:
    """Return the token that stands among the subprotocols of a socket."""
    offered = scope.get("subprotocols", [])
    return next((one.removeprefix("token.") for one in offered if one.startswith("token.")), "")


def _protocol(scope: Scope) -> str | None:
    return PROTOCOL if PROTOCOL in scope.get("subprotocols", []) else None


def _policy(path: str) -> list[tuple[bytes, bytes]]:
    pairs = {
        "content-security-policy": POLICY,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "cache-control": "no-store" if path.startswith("/api") else "no-cache",
    }
    return [(key.encode(), value.encode()) for key, value in pairs.items()]


async def _refuse(send: Any, refusal: Refusal) -> None:
    body = json.dumps({"what": refusal.words, "expected": "", "got": "", "hint": ""}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *_policy("/api"),
    ]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
