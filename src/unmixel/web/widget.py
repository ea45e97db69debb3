"""The viewer's page as a Jupyter widget: all that page and kernel say goes through the widget's own messages."""

from __future__ import annotations

import atexit
from typing import Any

import anywidget
import traitlets
from pydantic import ValidationError

from unmixel.core.errors import UnmixelError
from unmixel.web.app import ASSETS, create
from unmixel.web.direct import Direct, Heard, Reply
from unmixel.web.models import WidgetMessage
from unmixel.web.problems import problem
from unmixel.web.viewer import Viewer

HEIGHT = 760
"""Pixels of the page in a notebook."""


class ViewWidget(anywidget.AnyWidget):  # type: ignore[misc,unused-ignore]
    """The viewer in a notebook.

    Messages of the page are a `WidgetMessage`. Replies hold ``kind`` and ``id``: ``page`` (``script``, ``style``),
    ``reply`` (``status``, ``headers``; the body is the buffer), ``opened``, ``text`` (``text``), ``bytes`` (buffer) and
    ``closed`` (``code``, ``text``). The page itself is sent when it is asked for, so that no
    saved notebook holds it.

    Parameters
    ----------
    viewer : Viewer
        Closed with the widget.
    height : int
        Pixels.
    """

    _esm = (ASSETS / "widget.js").read_text(encoding="utf-8")
    height = traitlets.Int(HEIGHT, min=200, max=5000).tag(sync=True)

    def __init__(self, viewer: Viewer, *, height: int = HEIGHT) -> None:
        self.viewer = viewer
        self._direct = Direct(create(viewer))
        self._open = True
        super().__init__(height=height)
        self.on_msg(self._hear)
        atexit.register(self._end)

    def close(self) -> None:
        """End the viewer: jobs, readers, temporary files, and the view itself."""
        self._end()
        super().close()

    def _end(self) -> None:
        if self._open:
            self._open = False
            self._direct.close()
            self.viewer.close()
            atexit.unregister(self._end)

    def _hear(self, _: Any, content: Any, buffers: Any) -> None:
        """Do what the page asks."""
        try:
            asked = WidgetMessage.model_validate(content)
        except ValidationError:
            return  # other front ends may say what they like
        try:
            self._do(asked)
        except UnmixelError as error:
            body = problem(error).model_dump_json().encode()
            self._answer(asked.id, Reply(422, {"content-type": "application/json"}, body))

    def _do(self, asked: WidgetMessage) -> None:
        key, direct = asked.id, self._direct
        if not self._open:
            self.send({"kind": "closed", "id": key, "code": 1001, "text": "The viewer is closed."})
        elif asked.kind == "page":
            script, style = (
                (ASSETS / name).read_text(encoding="utf-8") for name in ("viewer.js", "viewer.css")
            )
            self.send({"kind": "page", "id": key, "script": script, "style": style})
        elif asked.kind == "ask":
            body = asked.text.encode()
            direct.ask(asked.method, asked.path, body, lambda reply: self._answer(key, reply))
        elif asked.kind == "open":
            direct.open(key, asked.path, lambda heard: self._tell(key, heard))
        elif asked.kind == "send":
            direct.send(key, asked.text)
        else:
            direct.hang_up(key)

    def _answer(self, key: str, reply: Reply) -> None:
        told = {"kind": "reply", "id": key, "status": reply.status, "headers": reply.headers}
        self.send(told, [reply.body])

    def _tell(self, key: str, heard: Heard) -> None:
        told = {"kind": heard.what, "id": key, "text": heard.text, "code": heard.code}
        self.send(told, [heard.data] if heard.what == "bytes" else None)
