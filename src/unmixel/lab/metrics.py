"""The words of the verdict table: what each metric means, its unit, and which way is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["higher", "lower", "neither"]


@dataclass(frozen=True)
class Metric:
    """A number by which results are judged or described.

    Parameters
    ----------
    name, unit : str
    better : {"higher", "lower", "neither"}
        ``"neither"`` for what only describes.
    meaning : str
    """

    name: str
    unit: str
    better: Direction
    meaning: str


METRICS = {
    metric.name: metric
    for metric in (
        Metric("truth_error", "", "lower", "||W H - L||^2 / ||L||^2 with L the noise-free data"),
        Metric(
            "found", "", "higher", "true precipitates with pattern cosine and map Pearson of at least 0.8"
        ),
        Metric("false_reports", "", "lower", "reported precipitates that do not exist"),
        Metric("cosine", "", "higher", "mean pattern cosine of the true precipitates' partners"),
        Metric("grouping", "", "higher", "adjusted Rand index of the groups against the true phases"),
        Metric("phase_accuracy", "", "higher", "share of found precipitates whose phase is named rightly"),
        Metric("held_out", "", "lower", "whitened squared error on counts that no fit has seen, per value"),
        Metric(
            "tells",
            "",
            "higher",
            "rank correlation of the score with the truth over better and worse results",
        ),
        Metric(
            "stability", "", "higher", "pattern cosine times map Pearson between fits to independent counts"
        ),
        Metric("out_of_band", "", "lower", "share of the maps' power beyond the probe's resolution limit"),
        Metric(
            "dips",
            "",
            "lower",
            "share of pattern pixels in dips narrower than the beam and deeper than noise",
        ),
        Metric("error", "", "neither", "exact ||X - W H|| / ||X|| of the data that were fitted"),
        Metric("chi_square", "", "neither", "mean of (X - W H)^2 / expected counts"),
        Metric("components", "", "neither", "number of components"),
        Metric("sweeps", "", "neither", "passes over maps and patterns"),
        Metric("seconds", "s", "lower", "wall time of the recipe"),
        Metric("peak_MB", "", "lower", "largest resident memory of the process"),
    )
}
"""Metric by name, in the order of the table."""

COSTS = ("seconds", "peak_MB")
