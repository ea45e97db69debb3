"""Jobs: begin, tell, stop, go on; what they find is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from unmixel.web.app import create
from unmixel.web.viewer import Viewer

pytestmark = pytest.mark.slow

GLASS = "demo:glass?scan=9x11&detector=20x17&dose=20000&seed=1&precipitates=2"


@pytest.fixture
def viewer(tmp_path: Path) -> Any:
    opened = Viewer(memory=50_000_000, runs=tmp_path)
    opened.show([GLASS])
    yield opened
    opened.close()


def ended(client: TestClient, viewer: Viewer, job: dict[str, Any]) -> dict[str, Any]:
    viewer.jobs.get(job["id"]).wait(300)
    for _ in range(200):
        told: dict[str, Any] = client.get(f"/api/jobs/{job['id']}").json()
        if told["status"] in ("finished", "stopped", "failed"):
            return told
        viewer.jobs.get(job["id"]).wait_for_news(10**9, 0.1)
    raise AssertionError(told)


def test_run_tells_how_it_goes_and_is_opened(viewer: Viewer) -> None:
    client = TestClient(create(viewer))
    asked = {
        "scan": "s1",
        "overrides": ["factorize.components=3", "interpret.measure={}"],
        "candidates": ["CuZr"],
    }
    job = client.post("/api/jobs", json=asked).json()
    assert client.post("/api/jobs", json=asked).status_code == 409
    assert client.get(f"/api/jobs/{job['id']}/rank/curve").status_code == 422
    with client.websocket_connect(f"/api/jobs/{job['id']}/events") as socket:
        events = [socket.receive_json()]
        while events[-1]["event"] != "end":
            events.append(socket.receive_json())
    assert events[0]["event"] == "job"
    assert {"stage", "sweep"} <= {event["event"] for event in events}
    told = ended(client, viewer, job)
    assert (told["status"], told["run"]) == ("finished", "r1"), told["error"]
    assert told["objective"] == sorted(told["objective"], reverse=True)
    shape = client.get(f"/api/jobs/{job['id']}/maps").headers["X-Shape"]
    assert shape.endswith(",9,11")
    summary = client.get("/api/runs/r1").json()
    assert (summary["scan"], summary["status"]) == ("s1", "finished")
    assert "phases" in summary["has"]
    again = client.post("/api/jobs", json=asked).json()  # never into the folder of the first
    ended(client, viewer, again)
    assert {path.name for path in viewer.folder.iterdir()} == {"demo-glass.run", "demo-glass-2.run"}


def test_run_is_stopped_and_goes_on(viewer: Viewer) -> None:
    client = TestClient(create(viewer))
    asked = {"scan": "s1", "overrides": ["factorize.max_iter=100000", "factorize.tol=0"]}
    job = client.post("/api/jobs", json=asked).json()
    work = viewer.jobs.get(job["id"])
    while not work.objective and not work.ended:
        work.wait_for_news(len(work.events), 10.0)
    assert client.post(f"/api/jobs/{job['id']}/stop").status_code == 200
    told = ended(client, viewer, job)
    assert told["status"] == "stopped"
    assert client.get(f"/api/runs/{told['run']}").json()["status"] == "interrupted"
    before = len(told["objective"])
    assert client.post(f"/api/jobs/{job['id']}/resume").json()["status"] == "running"
    while len(work.objective) <= before and not work.ended:
        work.wait_for_news(len(work.events), 10.0)
    assert len(work.objective) > before
    client.post(f"/api/jobs/{job['id']}/stop")
    assert ended(client, viewer, job)["status"] == "stopped"


def test_failure_is_told_without_whole_paths(viewer: Viewer) -> None:
    client = TestClient(create(viewer))
    told = ended(
        client,
        viewer,
        client.post("/api/jobs", json={"scan": "s1", "overrides": ["factorize.nothing=1"]}).json(),
    )
    assert told["status"] == "failed"
    assert "nothing" in told["error"]
    assert str(viewer.folder) not in str(told)


def test_rank_and_comparison(viewer: Viewer) -> None:
    client = TestClient(create(viewer))
    job = client.post(
        "/api/jobs", json={"scan": "s1", "kind": "rank", "ranks": [1, 2, 3], "restarts": 1}
    ).json()
    assert ended(client, viewer, job)["status"] == "finished"
    curve = client.get(f"/api/jobs/{job['id']}/rank/curve").json()
    assert curve["ranks"] == [1, 2, 3]
    assert len(curve["columns"]["held_out"]) == 3
    assert client.post("/api/figure", json={"opened": job["id"], "view": "rank"}).content.count(b"<svg") == 1
    job = client.post(
        "/api/jobs", json={"scan": "s1", "kind": "compare", "overrides": ["factorize.components=3"]}
    ).json()
    assert ended(client, viewer, job)["status"] == "finished"
    methods = {
        one["method"]: one for one in client.get(f"/api/jobs/{job['id']}/compare/methods").json()["methods"]
    }
    assert methods["pca"]["negative_share"] > 0
    assert methods["plain"]["negative_share"] == methods["constrained"]["negative_share"] == 0
    # PCA is the best of its rank, plain NMF is the best of those two that are not negative
    assert methods["pca"]["relative_error"] <= methods["plain"]["relative_error"] * (1 + 1e-5)
    figure = client.post("/api/figure", json={"opened": job["id"], "view": "methods"}).text
    assert all(name in figure for name in ("pca", "plain", "constrained"))
    reply = client.get(f"/api/jobs/{job['id']}/compare/pca/maps")
    maps = np.frombuffer(reply.content, reply.headers["X-Dtype"])
    assert maps.min() < 0
