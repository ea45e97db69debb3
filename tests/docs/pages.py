"""Reads the blocks of a documentation page that are meant to run.

A page is Markdown. Blocks run in the order of the page, in a folder of their own that holds `examples/`:

- every ``python`` block, all blocks of a page in one namespace;
- a ``console`` block after the comment ``<!-- run -->``: its lines that start with ``$ unmixel``;
- any block after ``<!-- file: NAME -->`` is written to that file;
- a block after ``<!-- skip: REASON -->`` is left alone.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).parents[2]

FENCE = re.compile(
    r"(?:<!--\s*(?P<mark>run|skip|file)(?::\s*(?P<word>[^>]*?))?\s*-->\s*\n+)?"
    r"^(?P<indent>[ ]*)```(?P<language>\w+)[^\n]*\n(?P<body>.*?)^(?P=indent)```\s*$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """One runnable block: what to do with `text`; `line` is where it starts in the page."""

    action: Literal["python", "shell", "file"]
    text: str
    line: int
    name: str = ""


def pages() -> list[Path]:
    """Return every page of documentation, relative to the root."""
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [page.relative_to(ROOT) for page in found if page.exists()]


def blocks(text: str) -> list[Block]:
    """Return the runnable blocks of a page, in order."""
    found = []
    for match in FENCE.finditer(text):
        mark, language, body = match["mark"], match["language"], textwrap.dedent(match["body"])
        line = text[: match.start("body")].count("\n") + 1
        if mark == "skip":
            continue
        if mark == "file":
            found.append(Block("file", body, line, name=match["word"].strip()))
        elif language == "python":
            found.append(Block("python", body, line))
        elif mark == "run":
            commands = [c[2:] for c in body.replace("\\\n", " ").splitlines() if c.startswith("$ unmixel")]
            found.append(Block("shell", "\n".join(commands), line))
    return found
