"""A viewer of a small glass and of a run that has everything, spoken to without a network."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("fastapi", reason="the viewer is an extra: pip install unmixel[web]")

from fastapi.testclient import TestClient

from unmixel.io.store import write_bundle
from unmixel.testing.results import example_result
from unmixel.web.app import create, guarded
from unmixel.web.viewer import Viewer

GLASS = "demo:glass?scan=9x11&detector=20x17&dose=20000&seed=1&precipitates=2"
TOKEN = "a-token-for-tests"
BASE = "http://127.0.0.1:8000"


@pytest.fixture(scope="session")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewer]:
    folder = tmp_path_factory.mktemp("runs")
    bundle = folder / "all.nxs"
    write_bundle(bundle, example_result())
    opened = Viewer(memory=50_000_000, runs=folder)
    opened.show([GLASS, str(bundle)])
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def client(viewer: Viewer) -> TestClient:
    """Speaks to the application itself; its end does not end the viewer."""
    return TestClient(create(viewer))


@pytest.fixture(scope="session")
def guard(viewer: Viewer) -> TestClient:
    """Speaks to the application as it is served."""
    return TestClient(guarded(viewer, TOKEN), base_url=BASE, headers={"X-Unmixel-Token": TOKEN})
