"""Serve a viewer on this machine: a free port, an address with a token, a browser."""

from __future__ import annotations

import socket
import threading
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass

import uvicorn

from unmixel.core.errors import InputError
from unmixel.web.app import guarded
from unmixel.web.guard import MOST_MESSAGE, new_token
from unmixel.web.viewer import Viewer

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Place:
    """Where a viewer is served.

    Parameters
    ----------
    port : int
        0 takes a free one.
    hosts : tuple of str
        Names by which a proxy may call the server.
    root_path : str
        Path under which a proxy shows it.
    """

    port: int = 0
    hosts: tuple[str, ...] = ()
    root_path: str = ""


def serve(viewer: Viewer, place: Place, *, tell: Callable[[str], None], browse: bool) -> None:
    """Serve a viewer until Ctrl-C.

    Parameters
    ----------
    viewer : Viewer
    place : Place
    tell : callable(str)
        Hears the address, as soon as the port listens.
    browse : bool
        Whether to open the browser.

    Raises
    ------
    InputError
        When the port is taken.
    """
    token = new_token()
    with _listening(place.port) as listener:
        root = place.root_path.strip("/")
        address = f"http://{HOST}:{listener.getsockname()[1]}/{f'{root}/' if root else ''}#token={token}"
        app = guarded(viewer, token, hosts=place.hosts, root_path=f"/{root}" if root else "")
        config = uvicorn.Config(
            app,
            log_level="error",
            access_log=False,
            server_header=False,
            ws_max_size=MOST_MESSAGE,
            ws_per_message_deflate=False,  # pictures are on this machine already
            timeout_graceful_shutdown=2,
        )
        tell(address)
        if browse:
            threading.Timer(0.3, webbrowser.open, [address]).start()
        uvicorn.Server(config).run(sockets=[listener])


def _listening(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise InputError(
            "port", expected="one that is free", got=f"{port}: {error.strerror}", hint="leave --port out"
        ) from error
    listener.listen()
    return listener
