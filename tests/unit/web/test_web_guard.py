"""Who may ask: wrong token, other origin, wrong host, paths, sizes, malformed messages."""

from __future__ import annotations

import json

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from unmixel.web.app import guarded
from unmixel.web.guard import MOST_BODY, MOST_MESSAGE, MOST_SOCKETS, new_token
from unmixel.web.viewer import Viewer

PATHS = ["/api/session", "/api/scans/s1/card", "/api/runs", "/api/jobs", "/api/help/en", "/api/arrays/none"]
TOKEN = "a-token-for-tests"
PROTOCOLS = ["unmixel", f"token.{TOKEN}"]
LIVE = "/api/scans/s1/live"
SOCKETS = "ws://127.0.0.1:8000"


def told(reply: object) -> str:
    """Return everything that a reply tells."""
    return f"{dict(reply.headers)} {reply.text}"  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], f"{TOKEN}x"])
def test_wrong_token_gets_nothing(guard: TestClient, path: str, token: str) -> None:
    reply = guard.get(path, headers={"X-Unmixel-Token": token})
    assert reply.status_code == 401
    assert "glass" not in told(reply)
    assert TOKEN not in told(reply)


def test_right_token_gets_an_answer(guard: TestClient) -> None:
    assert guard.get("/api/session").json()["opened"][0]["kind"] == "scan"


def test_token_in_the_address_is_not_taken(guard: TestClient) -> None:
    reply = guard.get(f"/api/session?token={TOKEN}", headers={"X-Unmixel-Token": ""})
    assert reply.status_code == 401


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://127.0.0.1:9999",
        "https://127.0.0.1:8000.evil.example",
        "null",
        "file://",
    ],
)
@pytest.mark.parametrize("path", ["/api/session", "/"])
def test_other_origin_is_refused_even_with_the_token(guard: TestClient, origin: str, path: str) -> None:
    reply = guard.get(path, headers={"Origin": origin})
    assert reply.status_code == 403
    assert "access-control-allow-origin" not in reply.headers


def test_own_origin_is_let_in(guard: TestClient) -> None:
    assert guard.get("/api/session", headers={"Origin": "http://127.0.0.1:8000"}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "[::1", ""])
def test_rebound_host_name_is_refused(guard: TestClient, host: str) -> None:
    assert guard.get("/api/session", headers={"Host": host}).status_code == 403


def test_cross_site_request_is_refused(guard: TestClient) -> None:
    assert guard.get("/api/session", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../app.py", "/assets/..%2fapp.py", "/assets/%2e%2e/app.py", "/assets//etc/passwd", "/../../etc/passwd",
        "/assets/..\\app.py", "/api/arrays/..%2f..%2fetc%2fpasswd", "/api/runs/..%2f..%2fetc", "/etc/passwd",
        "/api/jobs/..%2f/maps", "/openapi.json", "/docs",
    ],
)  # fmt: skip
def test_nothing_beside_the_page_can_be_reached(guard: TestClient, path: str) -> None:
    reply = guard.get(path)
    assert reply.status_code == 404
    assert "root:" not in reply.text
    assert "import" not in reply.text


def test_run_is_opened_by_a_listed_name_only(guard: TestClient) -> None:
    for name in ("../other.run", "/etc", ".", "all.nxs/../all.nxs"):
        assert guard.post("/api/runs", json={"name": name}).status_code == 404


@pytest.mark.parametrize(
    "override",
    [
        "read.reader=numpy", "read.dataset=/etc/passwd", "interpret.identify.candidates=[/etc/passwd]",
        "interpret.identify={candidates: [secret.cif]}", "prepare=[{mask_image: {image: secret.npy}}]",
        "factorize.constraints.pinned.patterns=~/secret.npz#a", "interpret.identify.candidates=[.]",
    ],
)  # fmt: skip
def test_job_names_no_file(guard: TestClient, viewer: Viewer, override: str) -> None:
    reply = guard.post("/api/jobs", json={"scan": "s1", "overrides": [override]})
    assert reply.status_code == 422
    assert viewer.jobs.all() == []


def test_step_names_no_file(guard: TestClient) -> None:
    step = {"name": "mask_image", "parameters": {"image": "/etc/passwd"}}
    assert guard.post("/api/scans/s1/prepare", json={"steps": [step]}).status_code == 422


def test_oversized_request_is_refused(guard: TestClient) -> None:
    reply = guard.post("/api/scans/s1/virtual", content=b" " * (MOST_BODY + 1))
    assert reply.status_code == 413
    chunks = (b" " * 500_000 for _ in range(MOST_BODY // 500_000 + 1))
    assert guard.post("/api/scans/s1/virtual", content=chunks).status_code == 413


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[" * 50_000, b"null", b"1e999", b'{"detector": 1}'])
def test_malformed_body_is_told(guard: TestClient, body: bytes) -> None:
    reply = guard.post("/api/scans/s1/virtual", content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code in (400, 422)
    assert set(reply.json()) == {"what", "expected", "got", "hint"}


def test_page_may_do_little(guard: TestClient) -> None:
    headers = guard.get("/api/session").headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "unsafe-eval" not in policy
    assert "http" not in policy
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"


def test_path_prefix_is_stripped_or_not(viewer: Viewer) -> None:
    behind = TestClient(
        guarded(viewer, TOKEN, hosts=("hub.example",), root_path="/user/me/proxy/1"),
        base_url="https://hub.example",
        headers={"X-Unmixel-Token": TOKEN, "Origin": "https://hub.example"},
    )
    for path in ("/user/me/proxy/1/api/session", "/api/session"):
        assert behind.get(path).status_code == 200
    assert behind.get("/user/other/api/session").status_code == 404
    assert behind.get("/user/me/proxy/1/api/session", headers={"X-Unmixel-Token": "x"}).status_code == 401


def closed(guard: TestClient, path: str, protocols: list[str], *sent: str | bytes, **headers: str) -> int:
    """Return the code with which a socket is closed after messages."""
    with guard.websocket_connect(SOCKETS + path, protocols, headers=headers) as socket:
        for message in sent:
            socket.send_text(message) if isinstance(message, str) else socket.send_bytes(message)
        with pytest.raises(WebSocketDisconnect) as end:
            socket.receive_text()
    return end.value.code


@pytest.mark.parametrize("protocols", [[], ["unmixel"], ["unmixel", "token.wrong"], ["token."]])
def test_socket_needs_the_token(guard: TestClient, protocols: list[str]) -> None:
    assert closed(guard, LIVE, protocols) == 4401


def test_socket_of_another_origin_or_host_is_closed(guard: TestClient) -> None:
    assert closed(guard, LIVE, PROTOCOLS, Origin="http://evil.example") == 4403
    assert closed(guard, LIVE, PROTOCOLS, Host="evil.example") == 4403


def test_socket_of_something_unknown_is_closed(guard: TestClient) -> None:
    assert closed(guard, "/api/scans/s77/live", PROTOCOLS) == 4404
    assert closed(guard, "/api/jobs/j77/events", PROTOCOLS) == 4404


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"\x00\x01", 1003), ("{", 1007), ("[]", 1007), ("[" * 10_000, 1007), ('{"seq": 1, "what": "exec"}', 1007),
        (json.dumps({"seq": -1, "what": "pattern", "position": [0, 0]}), 1007),
        (json.dumps({"seq": 1, "what": "pattern", "position": [0, 0], "more": 1}), 1007),
        (json.dumps({"seq": 1, "what": "pattern", "position": [0] * 9}), 1007),
        ('{"seq": 1, "what": "virtual", "detector": {"kind": "disk", "center": [0, 0], "radius": "a"}}', 1007),
        ('{"seq": 1, "what": "virtual", "detector": {"kind": "disk", "center": [0, 0], "radius": Infinity}}', 1007),
        (" " * (MOST_MESSAGE + 1), 1009),
    ],
)  # fmt: skip
def test_malformed_message_closes_the_socket_with_its_code(
    guard: TestClient, message: str | bytes, code: int
) -> None:
    assert closed(guard, LIVE, PROTOCOLS, message) == code


def test_message_that_does_not_fit_is_told_and_the_socket_lives(guard: TestClient) -> None:
    with guard.websocket_connect(SOCKETS + LIVE, PROTOCOLS) as socket:
        socket.send_json({"seq": 5, "what": "pattern", "position": [99, 0]})
        assert socket.receive_json()["seq"] == 5
        socket.send_json({"seq": 6, "what": "pattern", "position": [0, 0]})
        assert b'"seq":6' in socket.receive_bytes()


def test_number_of_sockets_is_bounded(viewer: Viewer) -> None:
    guard = TestClient(guarded(viewer, TOKEN), base_url="http://127.0.0.1:8000")
    guard.app._sockets = MOST_SOCKETS
    assert closed(guard, LIVE, PROTOCOLS) == 1013


def test_tokens_are_long_and_differ() -> None:
    tokens = {new_token() for _ in range(20)}
    assert len(tokens) == 20
    assert min(map(len, tokens)) >= 43
