"""Say in a few lines what the runs of `make demo` found:  python examples/demo_summary.py RUN [RUN ...]"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import unmixel
from unmixel.io.demo import phantom
from unmixel.testing import metrics


def judged(result: unmixel.Result) -> list[str]:
    """Return what the truth of a phantom says about a result."""
    _, truth = phantom(result.record["input"]["path"])
    match = metrics.match(
        result.maps,
        result.patterns,
        truth.maps,
        truth.patterns,
        used_pixels=result.factors.used_pixels,
    )
    n_found = metrics.found(match, truth.crystals)
    lines = [
        f"truth        {n_found} of {len(truth.crystals)} precipitates found (pattern and map agree to 0.8)",
        f"             their mean diameter is {truth.diameters[truth.crystals].mean():.3g} nm",
    ]
    if result.phases is not None:
        right = [
            result.phases.answers[int(result.groups.labels[component])].phase == kind.split(" ")[0]
            for component, kind in ((match.component[i], truth.phases[i]) for i in truth.crystals)
            if component >= 0
        ]
        lines.append(f"             the phase of {sum(right)} of them is named right")
    return lines


def told(result: unmixel.Result) -> list[str]:
    """Return the summary of one run."""
    factors, groups, particles = result.factors, result.groups, result.particles
    lines = [
        f"scan         {' x '.join(map(str, factors.maps.shape[1:]))} positions, "
        f"patterns of {' x '.join(map(str, factors.patterns.shape[1:]))} pixels",
        f"components   {factors.n_components}, relative error {factors.convergence.relative_error:.3g} "
        f"after {factors.convergence.n_sweeps} sweeps",
    ]
    if groups is not None:
        lines.append(f"groups       {groups.n_groups}, {int(groups.crystalline.sum())} of them crystalline")
    if result.phases is not None:
        named = [f"{answer.phase} (group {number})" for number, answer in enumerate(result.phases)]
        lines.append(f"phases       {', '.join(named)}")
    if particles is not None and np.isfinite(particles.mean_diameter):
        size = f"{particles.mean_diameter:.3g} {particles.unit}"
        lines.append(f"particles    {len(particles.table)}, mean diameter {size}")
    return lines


def main(folders: list[str]) -> None:
    """Print the summaries and where the reports are."""
    for folder in folders:
        result = unmixel.load(folder)
        path = str(result.record["input"]["path"])
        print(f"\n{path}")
        for line in [*told(result), *(judged(result) if path.startswith("demo:") else [])]:
            print(f"  {line}")
        seconds = sum(result.record["timings_s"].values())
        print(f"  time         {seconds:.0f} s")
        print(f"  report       {Path(folder) / 'report.html'}")
    print("\nOpen the reports in a browser; they need no network.")


if __name__ == "__main__":
    main(sys.argv[1:])
