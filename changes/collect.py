"""Collect the fragments in this folder under a release in CHANGELOG.md:  python changes/collect.py 0.1.0"""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

KINDS = ("added", "changed", "fixed", "removed")
MARK = "<!-- releases -->\n"


def fragments(folder: Path) -> dict[str, list[Path]]:
    """Return the fragments of each kind, by name; refuse a file of any other kind."""
    found: dict[str, list[Path]] = {kind: [] for kind in KINDS}
    for path in sorted(folder.glob("*.md")):
        if path.name == "README.md":
            continue
        kind = path.name.removesuffix(".md").rpartition(".")[2]
        if kind not in found:
            raise SystemExit(f"{path.name}: expected <words>.<kind>.md with a kind of {', '.join(KINDS)}")
        found[kind].append(path)
    return found


def section(found: dict[str, list[Path]], version: str, day: str) -> str:
    """Return the section of a release."""
    text = f"\n## {version} ({day})\n"
    for kind, paths in found.items():
        if paths:
            items = (" ".join(path.read_text(encoding="utf-8").split()) for path in paths)
            text += f"\n### {kind.capitalize()}\n\n" + "".join(f"- {item}\n" for item in items)
    return text


def collect(folder: Path, changelog: Path, version: str, day: str) -> None:
    """Move the fragments of `folder` into `changelog`."""
    found = fragments(folder)
    head, mark, rest = changelog.read_text(encoding="utf-8").partition(MARK)
    if not mark:
        raise SystemExit(f"{changelog.name} has lost its line {MARK.strip()}")
    changelog.write_text(head + mark + section(found, version, day) + rest, encoding="utf-8")
    for paths in found.values():
        for path in paths:
            path.unlink()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    here = Path(__file__).parent
    collect(here, here.parent / "CHANGELOG.md", sys.argv[1], date.today().isoformat())
