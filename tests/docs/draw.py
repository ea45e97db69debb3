"""Draw the pictures of a page anew: run its Python blocks and keep every PNG they write that the page shows.

python tests/docs/draw.py docs/tutorials/pca-nmf-constrained.md
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from pages import ROOT, blocks

IMAGES = ROOT / "docs" / "images"


def draw(page: Path) -> list[str]:
    """Return the names of the pictures that went to docs/images."""
    text, namespace = page.read_text(), {"__name__": "__main__"}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("examples").symlink_to(ROOT / "examples")
        for block in blocks(text):
            if block.action == "python":
                run(block.text, namespace)
        drawn = [path for path in sorted(Path().glob("*.png")) if f"images/{path.name}" in text]
        for path in drawn:
            (IMAGES / path.name).write_bytes(path.read_bytes())
        os.chdir(ROOT)
    return [path.name for path in drawn]


def run(text: str, namespace: dict[str, Any]) -> None:
    exec(compile(text, "page", "exec", dont_inherit=True), namespace)


if __name__ == "__main__":
    print(*draw(Path(sys.argv[1]).resolve()))
