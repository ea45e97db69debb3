"""The page that ships is the one that its sources make: told by digests, so without node."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "web"
ASSETS = ROOT / "src" / "unmixel" / "web" / "assets"
LOOSE = (
    "index.html",
    "openapi.json",
    "package-lock.json",
    "package.json",
    "tsconfig.json",
    "vite.config.ts",
)

pytestmark = pytest.mark.skipif(
    not SOURCES.is_dir(), reason="the sources of the page are in the repository only"
)


def digests(paths: list[Path], root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(paths)
    }


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_assets_were_built_from_these_sources():
    sources = [SOURCES / name for name in LOOSE]
    sources += [path for path in files(SOURCES / "src") if path.name != "schema.ts"]
    manifest = json.loads((ASSETS / "manifest.json").read_text())
    assert manifest["sources"] == digests(sources, SOURCES), "the sources of the page have changed: make web"


def test_assets_are_as_they_were_built():
    manifest = json.loads((ASSETS / "manifest.json").read_text())
    written = [path for path in files(ASSETS) if path.name != "manifest.json"]
    assert manifest["assets"] == digests(written, ASSETS), "built assets were changed by hand: make web"


def test_page_is_small_and_asks_nobody():
    shipped = [path for path in files(ASSETS) if path.name != "manifest.json"]
    assert {path.suffix for path in shipped} == {".html", ".css", ".js"}
    assert sum(path.stat().st_size for path in shipped) < 200_000
    for path in shipped:
        text = path.read_text(encoding="utf-8")
        addresses = set(re.findall(r"https?://[^\s\"'`)]+", text)) - {
            "http://www.w3.org/2000/svg",  # names of languages, which nobody fetches
            "http://www.w3.org/1999/xhtml",
            "http://www.w3.org/1998/Math/MathML",
            "http://www.w3.org/1999/xlink",
        }
        assert not addresses, path.name
        assert "sourceMappingURL" not in text


def test_page_uses_relative_addresses():
    page = (ASSETS / "index.html").read_text(encoding="utf-8")
    assert all(address.startswith(("./", "data:")) for address in re.findall(r'(?:src|href)="([^"]+)"', page))


def test_lock_file_names_no_registry():
    assert '"resolved"' not in (SOURCES / "package-lock.json").read_text()


def test_api_is_described_as_the_server_has_it():
    pytest.importorskip("fastapi")
    from unmixel.web.app import description

    known = json.loads((SOURCES / "openapi.json").read_text())
    now = description()
    now["info"]["version"] = known["info"]["version"]
    assert known == json.loads(json.dumps(now)), "the API has changed: python web/api_schema.py && make web"
