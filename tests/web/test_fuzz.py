"""A thousand requests made from the description of the API: none is a fault of the server, none tells a secret."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable

from unmixel.io.store import write_bundle
from unmixel.testing.results import example_result
from unmixel.web.app import description, guarded
from unmixel.web.jobs import Work
from unmixel.web.viewer import Viewer

# loaded here: deep in the work of hypothesis Python 3.11 cannot parse a module any more
pytest.importorskip("schemathesis.generation.jsonschema.strategy", reason="comes with make test-web")
schemathesis = pytest.importorskip("schemathesis", reason="comes with the environment of make test-web")

pytestmark = pytest.mark.slow

GLASS = "demo:glass?scan=9x11&detector=20x17&dose=20000&seed=1&precipitates=2"
TOKEN, BASE = "a-token-for-tests", "http://127.0.0.1:8000"
CASES = 1000


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewer]:
    folder = tmp_path_factory.mktemp("secret-folder")
    write_bundle(folder / "all.nxs", example_result())
    opened = Viewer(memory=50_000_000, runs=folder)
    opened.show([GLASS, str(folder / "all.nxs")])
    yield opened
    opened.close()


def test_no_request_is_a_fault_or_tells_a_secret(viewer: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the requests mean something that is opened, half a random id; half are right by the description."""

    def begun(work: Work) -> None:
        work.status = "finished"  # nothing is started for real

    monkeypatch.setattr(Work, "begin", begun)
    client = TestClient(
        guarded(viewer, TOKEN),
        base_url=BASE,
        headers={"X-Unmixel-Token": TOKEN},
        raise_server_exceptions=False,
    )
    operations = [found.ok() for found in schemathesis.openapi.from_dict(description()).get_all_operations()]
    secrets = (TOKEN, str(viewer.folder), "Traceback", str(Path.home()))
    tried: list[int] = []
    faults: list[str] = []

    def ask(case: Any) -> None:
        if len(tried) % 2 and isinstance(case.path_parameters, dict) and "id" in case.path_parameters:
            case.path_parameters["id"] = (
                "r1" if "/runs" in case.path else "j1" if "/jobs" in case.path else "s1"
            )
        sent = case.as_transport_kwargs(base_url=BASE)
        kept = {
            key: sent[key]
            for key in ("method", "url", "params", "json", "headers")
            if sent.get(key) is not None
        }
        if sent.get("data") is not None:
            kept["content"] = sent["data"]
        headers = {**dict(kept.pop("headers", {})), "X-Unmixel-Token": TOKEN, "Host": "127.0.0.1:8000"}
        reply = client.request(
            **kept, headers={key: value for key, value in headers.items() if value.isascii()}
        )
        tried.append(reply.status_code)
        if reply.status_code >= 500 or any(secret in f"{reply.headers}{reply.text}" for secret in secrets):
            faults.append(f"{kept} -> {reply.status_code} {reply.text[:300]}")

    for operation in operations:
        for mode in schemathesis.GenerationMode:

            @settings(
                max_examples=CASES // len(operations),
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def each(case: Any) -> None:
                ask(case)

            with suppress(Unsatisfiable):  # what takes nothing cannot be asked wrongly
                each()
    assert faults == []
    assert len(tried) >= CASES
    assert {200, 404, 422} <= set(tried)
