"""A viewer of its own and a real browser for the end-to-end tests."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

QUIET = (
    "--no-sandbox",  # the tests may run as root, and open nothing but the viewer
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")

ROOT = Path(__file__).parents[2]
GLASS = "demo:glass?scan=32x32&detector=48x48&dose=20000&seed=1"


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium as the system has it; nothing is downloaded."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install playwright"
    )
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("there is no Chromium here: apt install chromium")
    with playwright.sync_playwright() as player:
        opened = player.chromium.launch(executable_path=found, args=list(QUIET))
        yield opened
        opened.close()


def call(*command: str, cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the page's sources with what they are built and tested with."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("there is no node here: what ships is checked by its digests all the same")
    web = tmp_path_factory.mktemp("sources") / "web"
    shutil.copytree(ROOT / "web", web, ignore=shutil.ignore_patterns("node_modules", "schema.ts"))
    call(npm, "ci", cwd=web)
    return web


@contextmanager
def viewer(*files: str, folder: Path) -> Iterator[str]:
    """Serve files by the command that users call; gives the address with its token."""
    command = [sys.executable, "-m", "unmixel", "open", *files, "--no-browser", "--runs", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder) as server:
        assert server.stdout is not None
        try:
            address = server.stdout.readline().strip()
            assert address.startswith("http://127.0.0.1:"), f"no address: {address!r}"
            yield address
        finally:
            server.terminate()
            server.wait(20)


@pytest.fixture(scope="session")
def glass(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a viewer with a small simulated scan."""
    with viewer(GLASS, folder=tmp_path_factory.mktemp("viewer")) as address:
        yield address


@pytest.fixture
def page(browser: Any, glass: str) -> Iterator[Any]:
    """The page with the scan open; a test fails where the page met an error of its own."""
    with opened(browser, glass) as shown:
        yield shown


@contextmanager
def opened(browser: Any, address: str) -> Iterator[Any]:
    """Open an address; complain of what the page's console complained of."""
    context = browser.new_context(viewport={"width": 1400, "height": 900}, accept_downloads=True)
    shown = context.new_page()
    errors: list[str] = []
    shown.on("pageerror", lambda error: errors.append(str(error)))
    shown.on("console", lambda message: message.type == "error" and errors.append(message.text))
    asked: list[str] = []
    shown.on("request", lambda request: asked.append(request.url))
    shown.goto(address)
    shown.wait_for_selector("nav button")
    yield shown
    context.close()
    own = address.split("/#")[0]
    assert not [
        url for url in asked if not url.startswith((own, own.replace("http", "ws"), "data:", "blob:"))
    ]
    assert not errors


@pytest.fixture
def shown(browser: Any) -> Callable[..., AbstractContextManager[Any]]:
    """Opens files in a viewer of their own: ``with shown("scan.npz", folder=tmp_path) as page``."""

    @contextmanager
    def both(*files: str, folder: Path) -> Iterator[Any]:
        with viewer(*files, folder=folder) as address, opened(browser, address) as page:
            yield page

    return both
