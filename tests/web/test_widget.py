"""The viewer as a Jupyter widget: the object, its messages, a notebook that runs, and its page in a real browser."""

from __future__ import annotations

import base64
import json
import queue
from pathlib import Path
from typing import Any

import pytest

import unmixel
from unmixel.core.errors import UnmixelError

pytestmark = pytest.mark.slow

pytest.importorskip("anywidget", reason='the widget is an extra: pip install "unmixel[jupyter]"')

GLASS = "demo:glass?scan=16x20&detector=32x32&dose=20000&seed=1"
WAIT = 30.0


@pytest.fixture
def widget(tmp_path):
    made = unmixel.view(GLASS, runs=tmp_path, memory_MB=50, height=700)
    said: queue.Queue[tuple[dict[str, Any], list[bytes]]] = queue.Queue()
    made.send = lambda content, buffers=None: said.put((content, list(buffers or [])))
    made.said = said
    yield made
    made.close()


def says(widget: Any, **message: Any) -> None:
    """Hand a message to the widget as Jupyter does."""
    widget._handle_custom_msg(message, [])


def test_page_is_sent_when_asked_for_and_not_held_by_the_notebook(widget):
    says(widget, kind="page", id="x-page")
    content, _ = widget.said.get(timeout=WAIT)
    assert content["id"] == "x-page"
    assert len(content["script"]) > 50_000
    assert content["script"] not in json.dumps(widget.get_state(), default=str)
    assert widget.get_state()["height"] == 700


def test_requests_and_refusals_come_back_under_their_id(widget):
    says(widget, kind="ask", id="1", path="session")
    content, (body,) = widget.said.get(timeout=WAIT)
    assert (content["kind"], content["id"], content["status"]) == ("reply", "1", 200)
    assert [one["kind"] for one in json.loads(body)["opened"]] == ["scan"]
    says(widget, kind="ask", id="2", method="POST", path="snippet", text="x" * 3_000_000)
    assert widget.said.get(timeout=WAIT)[0]["status"] == 422
    says(widget, kind="something else", id="3")
    says(widget, kind="ask")
    assert widget.said.empty()


def test_closed_widget_answers_that_it_is_closed(widget):
    widget.close()
    widget.close()
    says(widget, kind="ask", id="1", path="session")
    assert widget.said.get(timeout=WAIT)[0]["kind"] == "closed"


def test_what_cannot_be_opened_leaves_no_viewer(tmp_path):
    with pytest.raises(UnmixelError):
        unmixel.view(tmp_path / "missing.zspy")


def test_a_kernel_answers_the_page_by_its_comm(tmp_path):
    """A real kernel: a cell makes the widget; a request goes in as Jupyter's page sends it, and its reply comes out."""
    manager = pytest.importorskip("jupyter_client.manager", reason="jupyter_client is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    with manager.run_kernel(cwd=str(tmp_path), kernel_name="python3") as kernel:

        def told(kind: str) -> dict[str, Any]:
            while True:
                message = kernel.get_iopub_msg(timeout=2 * WAIT)
                assert message["msg_type"] != "error", message["content"]
                if message["msg_type"] == kind:
                    return message

        kernel.execute(f"import unmixel\nw = unmixel.view(unmixel.open({GLASS!r}))\nw")
        model = told("execute_result")["content"]["data"]["application/vnd.jupyter.widget-view+json"][
            "model_id"
        ]
        asked = {"kind": "ask", "id": "v-1", "path": "session"}
        content = {"comm_id": model, "data": {"method": "custom", "content": asked}}
        kernel.shell_channel.send(kernel.session.msg("comm_msg", content))
        reply = told("comm_msg")
        assert reply["content"]["data"]["content"]["status"] == 200
        assert json.loads(bytes(reply["buffers"][0]))["opened"][0]["kind"] == "scan"
        kernel.execute("w.close()\nprint('closed')")
        assert told("stream")["content"]["text"] == "closed\n"


HOST = """<!doctype html><body><h1>a notebook</h1><div id=cell></div><script type=module>
const heard = [];
window.model = {
  get: () => 700, off() {},
  send: (content) => window.toKernel(JSON.stringify(content)),
  on: (event, hear) => event === "msg:custom" && heard.push(hear),
};
window.fromKernel = (content, parts) => {
  const views = parts.map((text) => {
    const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
    return new DataView(bytes.buffer);
  });
  for (const hear of heard) hear(content, views);
};
const source = document.getElementById("source").textContent;
const module = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
window.done = module.default.render({ model: window.model, el: document.getElementById("cell") });
</script><script type="text/plain" id=source>%s</script></body>"""


class Host:
    """Stands for the notebook's page: shows the widget's module and carries its messages."""

    def __init__(self, browser: Any, widget: Any, path: Path) -> None:
        self.page, self._widget = browser.new_page(viewport={"width": 1400, "height": 860}), widget
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.expose_function("toKernel", lambda text: says(widget, **json.loads(text)))
        path.write_text(HOST % widget._esm, encoding="utf-8")
        self.page.goto(path.as_uri())

    def until(self, found: Any) -> None:
        """Carry what the kernel says until something is so."""
        for _ in range(600):
            while not self._widget.said.empty():
                content, parts = self._widget.said.get()
                coded = [base64.b64encode(part).decode() for part in parts]
                self.page.evaluate("([content, parts]) => fromKernel(content, parts)", [content, coded])
            if found():
                return
            self.page.wait_for_timeout(50)
        raise AssertionError("it did not come")


def test_the_page_works_inside_the_widget(browser, widget, tmp_path):
    host = Host(browser, widget, tmp_path / "notebook.html")
    frame = host.page.frame_locator("iframe")
    place = frame.get_by_test_id("place")
    drawn = frame.get_by_test_id("Pattern").locator("canvas.pixels:not([hidden])")
    host.until(lambda: drawn.count() == 1 and place.count() == 1)
    assert "y 8" in place.inner_text()
    bright = (
        "canvas => new Set(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data).size"
    )
    host.until(lambda: drawn.evaluate(bright) > 10)
    frame.get_by_label("Detector", exact=True).select_option("disk")
    host.until(lambda: frame.get_by_label("Radius (px)").count() == 1)
    frame.get_by_role("heading", name="Pattern").click()
    host.page.keyboard.press("w")
    host.until(lambda: "y 7" in place.inner_text())
    frame.get_by_role("button", name="Copy as Python").first.click()
    host.until(lambda: frame.locator(".snippet pre").count() == 1)
    assert GLASS in frame.locator(".snippet pre").inner_text()
    host.until(lambda: frame.locator(".empty").count() == 0)
    host.page.screenshot(path=tmp_path / "widget.png")
    host.page.evaluate("() => window.done()")
    assert host.page.locator("iframe").count() == 0
    assert host.errors == []
    host.page.close()
