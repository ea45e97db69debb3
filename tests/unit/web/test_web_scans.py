"""Screens 1 to 3 against the scan itself: pictures, calibration, preparation, the live socket."""

from __future__ import annotations

import json
import struct
import threading
from typing import Any, ClassVar

import numpy as np
import pytest
from fastapi.testclient import TestClient

import unmixel
from unmixel.dataset.scan import Scan
from unmixel.engines.lazy import wrap
from unmixel.web.models import Disk, Mask, Rectangle, Ring, Window
from unmixel.web.scan_view import MOST_SAMPLED, Patterns, ScanView
from unmixel.web.shapes import shares
from unmixel.web.tiles import TileStore
from unmixel.web.viewer import Viewer

DISK = {"kind": "disk", "center": [9.3, 7.6], "radius": 4.2}


def array(reply: Any) -> np.ndarray:
    """Return the array of a reply."""
    assert reply.status_code == 200, reply.text
    shape = tuple(int(n) for n in reply.headers["X-Shape"].split(","))
    return np.frombuffer(reply.content, np.dtype(reply.headers["X-Dtype"]).newbyteorder("<")).reshape(shape)


@pytest.fixture(scope="module")
def scan(viewer: Viewer) -> Scan:
    return viewer.scan("s1").scan


@pytest.fixture(scope="module")
def cube(scan: Scan) -> np.ndarray:
    return np.asarray(scan.data)


def test_session_and_card_say_what_is_opened(client: TestClient, scan: Scan) -> None:
    opened = client.get("/api/session").json()
    assert [one["kind"] for one in opened["opened"]] == ["scan", "run"]
    assert {"MgO", "Cu"} <= set(opened["phases"])
    card = client.get("/api/scans/s1/card").json()
    assert card["shape"] == list(scan.data.shape)
    assert card["pattern_axes"][0]["unit"] == "1/angstrom"
    assert any(row["light"] in ("green", "yellow") for row in card["rows"])


def test_pattern_is_that_of_the_file(client: TestClient, cube: np.ndarray) -> None:
    found = array(client.get("/api/scans/s1/pattern?at=3&at=5"))
    assert found.dtype == cube.dtype
    np.testing.assert_array_equal(found, cube[3, 5])
    for wrong in ("at=9&at=0", "at=3", "at=1&at=1&at=1", ""):
        assert client.get(f"/api/scans/s1/pattern?{wrong}").status_code == 422


class Counted:
    """A source in chunks that counts how often it is read."""

    data = np.arange(8 * 9 * 4 * 5, dtype=np.uint16).reshape(8, 9, 4, 5)
    shape, dtype, ndim, chunks = data.shape, data.dtype, 4, (4, 3, 4, 5)
    reads: ClassVar[list[Any]] = []

    def __getitem__(self, key: Any) -> np.ndarray:
        self.reads.append(key)
        return self.data[key]


def test_patterns_read_each_chunk_once_and_keep_to_their_room() -> None:
    data, reads = Counted.data, Counted.reads
    scan = Scan.from_array(wrap(Counted(), (4, 3, 4, 5)))
    reads.clear()
    patterns = Patterns(scan, room=4 * 480)
    for place in np.ndindex(4, 3):
        np.testing.assert_array_equal(patterns.at(place), data[place])
    assert len(reads) == 1
    for place in np.ndindex(8, 9):
        np.testing.assert_array_equal(patterns.at(place), data[place])
    assert sum(one.nbytes for one in patterns._kept.values()) <= 4 * 480
    small = Patterns(scan, room=480)
    np.testing.assert_array_equal(small.at((7, 8)), data[7, 8])
    assert small._kept == {}


def test_virtual_image_is_that_of_the_library(client: TestClient, scan: Scan) -> None:
    found = array(client.post("/api/scans/s1/virtual", json={"detector": DISK}))
    expected = unmixel.virtual_image(scan, unmixel.Disk(4.2, "px"), center=(9.3, 7.6))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    ring = {"kind": "annulus", "center": [9.3, 7.6], "inner": 2.5, "outer": 6.0}
    found = array(client.post("/api/scans/s1/virtual", json={"detector": ring}))
    expected = unmixel.virtual_image(scan, unmixel.Annulus(2.5, 6.0, "px"), center=(9.3, 7.6))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_summary_and_region_are_those_of_the_cube(client: TestClient, cube: np.ndarray) -> None:
    for name, reduce in {"sum": np.sum, "mean": np.mean, "max": np.max, "variance": np.var}.items():
        np.testing.assert_allclose(
            array(client.get(f"/api/scans/s1/summary/{name}")), reduce(cube, axis=(0, 1)), rtol=1e-5
        )
        np.testing.assert_allclose(
            array(client.get(f"/api/scans/s1/map/{name}")), reduce(cube, axis=(2, 3)), rtol=1e-5
        )
    box = {"kind": "rectangle", "first": [1, 2], "last": [7, 10]}
    reply = client.post("/api/scans/s1/region", json={"region": box})
    np.testing.assert_allclose(array(reply), cube[1:8, 2:11].mean(axis=(0, 1)), rtol=1e-6)
    assert reply.headers["X-Exact"] == "1"
    few = {"kind": "mask", "runs": [[0, 2], [30, 1]]}
    flat = cube.reshape(-1, *cube.shape[2:])
    np.testing.assert_allclose(
        array(client.post("/api/scans/s1/region", json={"region": few})),
        flat[[0, 1, 30]].mean(axis=0),
        rtol=1e-6,
    )


@pytest.mark.parametrize(
    "shape",
    [
        {"kind": "disk", "center": [500, 500], "radius": 3}, {"kind": "disk", "center": [5, 5], "radius": 0},
        {"kind": "annulus", "center": [5, 5], "inner": 4, "outer": 3}, {"kind": "window", "first": 0, "last": 3},
        {"kind": "rectangle", "first": [9, 9], "last": [2, 2]}, {"kind": "mask", "runs": [[9999, 3]]},
    ],
)  # fmt: skip
def test_shape_that_covers_nothing_is_told(client: TestClient, shape: dict[str, Any]) -> None:
    reply = client.post("/api/scans/s1/virtual", json={"detector": shape})
    assert reply.status_code == 422
    assert reply.json()["what"]


def test_shapes_cover_their_area() -> None:
    assert shares(Disk(center=(10, 12), radius=5), (24, 25)).sum() == pytest.approx(25 * np.pi)
    ring = Ring(center=(10, 12), inner=2, outer=5)
    assert shares(ring, (24, 25)).sum() == pytest.approx(21 * np.pi)
    # on pixels twice as high as wide, a radius is counted in their width
    assert shares(Disk(center=(10, 12), radius=5), (24, 25), step=(2, 1)).sum() == pytest.approx(12.5 * np.pi)
    assert shares(Rectangle(first=(1, 2), last=(1, 2)), (3, 4))[1, 2] == 1
    assert shares(Mask(runs=[(3, 2)]), (3, 4)).ravel()[3:5].tolist() == [1, 1]
    assert shares(Window(first=2, last=4), (9,)).tolist() == [0, 0, 1, 1, 1, 0, 0, 0, 0]
    assert shares(Disk(center=(0, 0), radius=1e6), (3, 4)).min() == 1


def test_spectra_have_windows() -> None:
    data = np.random.default_rng(0).poisson(5, (4, 5, 60)).astype(np.uint16)
    view = ScanView("s", "memory", "memory", Scan.from_array(data), memory=10**7)
    found = view.whole_virtual(Window(first=7, last=31))
    np.testing.assert_allclose(found.values, data[..., 7:32].sum(axis=-1))
    np.testing.assert_allclose(view.summaries("mean").pattern["mean"], data.mean(axis=(0, 1)))


def test_large_region_is_sampled_while_it_is_dragged_and_says_so() -> None:
    data = np.random.default_rng(0).poisson(5, (20, 20, 6, 7)).astype(np.uint16)
    view = ScanView("s", "memory", "memory", Scan.from_array(data), memory=10**7)
    box = Rectangle(first=(0, 0), last=(19, 19))
    sampled, exact = view.region(box, sampled=True)
    assert not exact
    assert abs(sampled.mean() - 5) < 5 * np.sqrt(5 / (MOST_SAMPLED * 42))
    whole, exact = view.region(box)
    assert exact
    np.testing.assert_allclose(whole, data.mean(axis=(0, 1)))


def test_rings_by_hand_lie_where_the_numbers_say(client: TestClient) -> None:
    asked = {
        "phase": "Al",
        "fit": False,
        "center": [9, 8],
        "step": 0.05,
        "ellipse": 1.2,
        "ellipse_angle_deg": 90,
    }
    reply = client.post("/api/scans/s1/calibrate", json=asked).json()
    assert not reply["trusted"]
    assert reply["ellipse"]["value"] == pytest.approx(1.2)
    assert reply["ellipse_angle_deg"]["value"] == pytest.approx(90)
    ring = reply["rings"][0]
    assert ring["hkl"] == [1, 1, 1]
    v, u = (np.array(ring["points"]) - [9, 8]).T
    assert np.abs(v).max() / np.abs(u).max() == pytest.approx(1.2, rel=1e-2)
    assert np.sqrt(np.abs(v).max() * np.abs(u).max()) * 0.05 == pytest.approx(np.sqrt(3) / 4.05, rel=2e-2)


@pytest.mark.slow
def test_calibration_is_found_on_patterns_of_a_known_phase() -> None:
    from unmixel.physics.crystal import Crystal
    from unmixel.testing.cameras import Camera
    from unmixel.web.calibrating import calibrated
    from unmixel.web.models import CalibrateRequest

    aluminium = Crystal.face_centred("Al", 4.05)
    camera = Camera(center=(48.6, 46.8), ratio=1.03, angle_deg=20.0)
    seen = camera.patterns(aluminium, [(0, 0, 1), (0, 1, 1), (1, 1, 2)], electrons=200_000)
    patterns = np.asarray(seen.patterns if hasattr(seen, "patterns") else seen)
    scan = Scan.from_array(
        patterns[None].astype(np.float32), pattern_step=(0.026, "1/angstrom"), n_pattern_axes=2
    )
    view = ScanView("s", "memory", "memory", scan, memory=10**8)
    request = CalibrateRequest(phase="Al", of="max", center=(47.5, 47.5), step=0.026)
    reply = calibrated(view, aluminium, request)
    assert reply.trusted, reply.words
    assert reply.center_v.value == pytest.approx(48.6, abs=0.2)
    assert reply.center_u.value == pytest.approx(46.8, abs=0.2)
    assert reply.ellipse.value == pytest.approx(1.03, abs=0.01)
    assert len(reply.residuals) > 10


def test_every_step_tells_what_it_did_with_pictures(client: TestClient, scan: Scan) -> None:
    steps = [
        {"name": "crop", "parameters": {"pattern": [[2, 18], [1, 17]]}},
        {"name": "poisson_weights", "parameters": {}},
    ]
    reply = client.post("/api/scans/s1/prepare", json={"steps": steps})
    assert reply.status_code == 200, reply.text
    told = reply.json()
    assert [step["name"] for step in told["steps"]] == ["crop", "poisson_weights"]
    assert told["whole"]
    before, after = (
        array(client.get(f"/api/arrays/{told['steps'][0][key]}"))
        for key in ("pattern_before", "pattern_after")
    )
    assert before.shape == scan.pattern_shape
    np.testing.assert_allclose(after, before[2:18, 1:17])
    assert told["steps"][0]["pattern_after"] == told["steps"][1]["pattern_before"]


def test_array_that_has_gone_is_not_found(client: TestClient) -> None:
    assert client.get("/api/arrays/0123").status_code == 404


def test_live_socket_answers_with_heads_and_values(client: TestClient, cube: np.ndarray) -> None:
    with client.websocket_connect("/api/scans/s1/live", ["unmixel"]) as socket:
        assert socket.accepted_subprotocol == "unmixel"
        socket.send_json({"seq": 7, "what": "pattern", "position": [2, 3]})
        head, values = _message(socket.receive_bytes())
        assert (head["seq"], head["what"], head["exact"]) == (7, "pattern", True)
        np.testing.assert_array_equal(values, cube[2, 3])
        socket.send_json({"seq": 8, "what": "virtual", "detector": DISK, "exact": True})
        head, values = _message(socket.receive_bytes())
        while head["done"] < 1:
            head, values = _message(socket.receive_bytes())
        assert (head["seq"], head["exact"]) == (8, True)
        assert np.isfinite(values).all()
        socket.send_json(
            {"seq": 9, "what": "region", "region": {"kind": "rectangle", "first": [0, 0], "last": [1, 1]}}
        )
        head, values = _message(socket.receive_bytes())
        np.testing.assert_allclose(values, cube[:2, :2].mean(axis=(0, 1)), rtol=1e-6)


def test_newest_request_wins(viewer: Viewer, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    view = viewer.scan("s1")
    before = view.patterns.at

    def slow(position: tuple[int, ...]) -> np.ndarray:
        time.sleep(0.2)
        return before(position)

    monkeypatch.setattr(view.patterns, "at", slow)
    with client.websocket_connect("/api/scans/s1/live") as socket:
        for seq in range(50):
            socket.send_json({"seq": seq, "what": "pattern", "position": [0, 0]})
        seen = [_message(socket.receive_bytes())[0]["seq"]]
        while seen[-1] < 49:
            seen.append(_message(socket.receive_bytes())[0]["seq"])
    assert len(seen) <= 4  # the first, what came while it was answered, and the last


@pytest.mark.slow
def test_another_detector_does_not_wait_for_the_end_of_reading(
    client: TestClient, viewer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = viewer.scan("s1")
    store = TileStore(view.scan, 10**8)
    go = threading.Event()
    fill = store.fill

    def later() -> None:
        go.wait(60)
        fill()

    monkeypatch.setattr(store, "fill", later)
    monkeypatch.setitem(vars(view), "store", store)
    with client.websocket_connect("/api/scans/s1/live") as socket:
        for seq, radius in ((1, 3.0), (2, 5.0)):
            wanted = {**DISK, "radius": radius}
            socket.send_json({"seq": seq, "what": "virtual", "detector": wanted, "exact": True})
            head, values = _message(socket.receive_bytes())
            assert (head["seq"], head["done"], head["final"]) == (seq, 0, False)
            assert np.isnan(values).all()
        go.set()
        while not head["final"]:
            head, values = _message(socket.receive_bytes())
            assert head["seq"] == 2
        assert (head["done"], head["exact"]) == (1, True)
        assert np.isfinite(values).all()


def _message(message: bytes) -> tuple[dict[str, Any], np.ndarray]:
    (length,) = struct.unpack("<I", message[:4])
    assert (4 + length) % 8 == 0
    head = json.loads(message[4 : 4 + length])
    return head, np.frombuffer(message[4 + length :], head["dtype"]).reshape(head["shape"])
