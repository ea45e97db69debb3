"""The changelog is collected from fragments, one per change."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def collecting() -> ModuleType:
    """Return the script as a module."""
    spec = importlib.util.spec_from_file_location("collect", ROOT / "changes" / "collect.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_fragments_move_into_the_changelog_newest_first(tmp_path: Path, collecting: ModuleType) -> None:
    changelog = tmp_path / "CHANGELOG.md"
    changelog.write_text("# Changelog\n\n<!-- releases -->\n\n## 0.0.1 (2026-01-01)\n")
    folder = tmp_path / "changes"
    folder.mkdir()
    (folder / "README.md").write_text("stays")
    (folder / "two-words.fixed.md").write_text("Mended\nthis.\n")
    (folder / "reader.added.md").write_text("Reads that.\n")
    collecting.collect(folder, changelog, "0.1.0", "2026-02-03")
    assert changelog.read_text() == (
        "# Changelog\n\n<!-- releases -->\n"
        "\n## 0.1.0 (2026-02-03)\n\n### Added\n\n- Reads that.\n\n### Fixed\n\n- Mended this.\n"
        "\n## 0.0.1 (2026-01-01)\n"
    )
    assert [path.name for path in folder.iterdir()] == ["README.md"]


def test_every_fragment_here_has_a_known_kind_and_says_something(collecting: ModuleType) -> None:
    for paths in collecting.fragments(ROOT / "changes").values():
        for path in paths:
            assert len(path.read_text().split()) > 3, path.name


def test_a_fragment_of_unknown_kind_is_refused(tmp_path: Path, collecting: ModuleType) -> None:
    (tmp_path / "reader.new.md").write_text("Reads that.\n")
    with pytest.raises(SystemExit, match="kind of added, changed"):
        collecting.fragments(tmp_path)
