"""How many components: what a rank job finds, kept as JSON and as figures in its folder."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from unmixel.dataset.rank import RankChoice
from unmixel.io.nexus import jsonable
from unmixel.web.run_models import RankCurve

COLUMNS = ("held_out", "uncertainty", "confirmed", "stability", "relative_error")


def keep_rank(choice: RankChoice, folder: Path) -> None:
    """Write what was found, and its figure as SVG and PNG."""
    from unmixel.report.canvas import png, svg
    from unmixel.report.rank import figure_rank

    curve = {
        "n_components": choice.n_components,
        "most": choice.most,
        "reason": choice.reason,
        "method": choice.method,
        "notes": choice.notes,
        "ranks": [score.n_components for score in choice.scores],
        "columns": {name: [asdict(score)[name] for score in choice.scores] for name in COLUMNS},
        "singular_values": choice.edge.values.tolist(),
        "noise_edge": choice.edge.edge,
    }
    (folder / "rank.json").write_text(json.dumps(jsonable(curve)), encoding="utf-8")
    figure = figure_rank(choice)
    (folder / "rank.svg").write_bytes(svg(figure))
    (folder / "rank.png").write_bytes(png(figure))


def curve_of(folder: Path) -> RankCurve:
    """Return what a rank job found."""
    return RankCurve.model_validate_json((folder / "rank.json").read_text(encoding="utf-8"))
