"""The application spoken to without a network, and what is handed over from memory."""

from __future__ import annotations

import json
import queue
import struct
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from fastapi.testclient import TestClient

import unmixel
from unmixel.core.errors import InputError, MissingExtraError
from unmixel.testing.results import example_result
from unmixel.web.app import create
from unmixel.web.direct import Direct, Heard, Reply
from unmixel.web.guard import MOST_BODY, MOST_SOCKETS
from unmixel.web.jobs import NotOpened
from unmixel.web.run_models import JobRequest
from unmixel.web.viewer import Viewer

WAIT = 20.0


@pytest.fixture
def direct(viewer: Viewer) -> Iterator[Direct]:
    opened = Direct(create(viewer))
    yield opened
    opened.close()


def ask(direct: Direct, method: str, path: str, body: bytes = b"") -> Reply:
    replies: queue.Queue[Reply] = queue.Queue()
    direct.ask(method, path, body, replies.put)
    return replies.get(timeout=WAIT)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "session", b""),
        ("GET", "scans/s1/pattern?at=3&at=5", b""),
        ("POST", "scans/s1/region", b'{"region": {"kind": "rectangle", "first": [0, 0], "last": [1, 2]}}'),
        ("POST", "scans/s1/region", b"{"),
        ("GET", "runs/r99", b""),
        ("GET", "nothing/at%20all", b""),
    ],
)
def test_replies_are_those_of_the_network(
    direct: Direct, client: TestClient, method: str, path: str, body: bytes
) -> None:
    there = client.request(method, f"/api/{path}", content=body, headers={"content-type": "application/json"})
    here = ask(direct, method, path, body)
    assert (here.status, here.body) == (there.status_code, there.content)
    assert here.headers.get("x-shape") == there.headers.get("x-shape")


def test_live_socket_gives_the_pattern_and_ends(direct: Direct, viewer: Viewer) -> None:
    heard: queue.Queue[Heard] = queue.Queue()
    direct.open("a", "scans/s1/live", heard.put)
    assert heard.get(timeout=WAIT).what == "opened"
    with pytest.raises(InputError, match="socket"):
        direct.open("a", "scans/s1/live", heard.put)
    direct.send("a", json.dumps({"seq": 7, "what": "pattern", "position": [2, 3]}))
    data = heard.get(timeout=WAIT).data
    (length,) = struct.unpack_from("<I", data)
    head = json.loads(data[4 : 4 + length])
    assert head["seq"] == 7
    values = np.frombuffer(data[4 + length :], head["dtype"]).reshape(head["shape"])
    np.testing.assert_array_equal(values, viewer.scan("s1").patterns.at((2, 3)))
    direct.hang_up("a")
    assert heard.get(timeout=WAIT).what == "closed"
    direct.send("a", "{}")  # nobody is there any more


def test_malformed_messages_and_unknown_sockets_say_why_they_end(direct: Direct) -> None:
    heard: queue.Queue[Heard] = queue.Queue()
    direct.open("a", "scans/s1/live", heard.put)
    direct.send("a", "no request")
    assert [heard.get(timeout=WAIT).what for _ in range(2)] == ["opened", "closed"]
    direct.open("b", "scans/s99/live", heard.put)
    assert [heard.get(timeout=WAIT).code for _ in range(2)] == [0, 4404]


def test_limits_hold_and_close_ends_sockets(direct: Direct) -> None:
    with pytest.raises(InputError, match="request"):
        direct.ask("POST", "snippet", b" " * (MOST_BODY + 1), print)
    heard: queue.Queue[Heard] = queue.Queue()
    for key in range(MOST_SOCKETS):
        direct.open(str(key), "scans/s1/live", heard.put)
    with pytest.raises(InputError, match="socket"):
        direct.open("more", "scans/s1/live", heard.put)
    direct.close()
    direct.close()
    ends = [heard.get_nowait().what for _ in range(heard.qsize())].count("closed")
    assert ends == MOST_SOCKETS


def test_scan_and_result_from_memory_are_shown_and_leave_nothing(tmp_path) -> None:
    scan = unmixel.open("demo:glass?scan=4x5&detector=12x12&seed=1")
    shown = Viewer(memory=20_000_000, runs=tmp_path)
    shown.show([scan, example_result()])
    assert [one.kind for one in shown.opened()] == ["scan", "run"]
    bundle = shown.run("r1").folder
    client = TestClient(create(shown))
    for opened, view in (("s1", "pattern"), ("r1", "run")):
        wanted = {"opened": opened, "view": view}
        python = client.post("/api/snippet", json=wanted).json()
        assert "as it was given to unmixel.view" in python["text"]
        command = client.post("/api/snippet", json={**wanted, "language": "command"}).json()
        assert command["text"] == ""
        assert "memory" in command["note"]
    with pytest.raises(InputError, match="path"):
        shown.begin_job(JobRequest(kind="run", scan="s1"))
    with pytest.raises(NotOpened):
        shown.scan("s2")
    shown.close()
    assert not bundle.exists()
    assert list(tmp_path.iterdir()) == []


def test_view_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "unmixel.web.widget", raising=False)
    with pytest.raises(MissingExtraError, match=r"anywidget.*unmixel\[jupyter\]"):
        unmixel.view("demo:glass")


@pytest.mark.parametrize(
    ("shown", "how"),
    [((), {}), (("x",), {"memory_MB": 0}), (("x",), {"memory_MB": float("nan")}), (("x",), {"height": 3})],
)
def test_view_refuses_what_makes_no_sense(shown, how) -> None:
    with pytest.raises(InputError):
        unmixel.view(*shown, **how)
