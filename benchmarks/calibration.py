"""How far calibrations can be trusted: pulls, starts that are wrong, phases that are wrong, and the MgO scan.

    python benchmarks/calibration.py --seeds 20

Simulated patterns of 96 x 96 pixels of seven crystals along [001], [011] and [112], 200,000 electrons each, of which
half diffuse (docs/decisions/0018-calibration.md). The scan of MgO is read where ../shared/data has it.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

import unmixel
from unmixel.dataset.calibration import Calibration
from unmixel.dataset.distortion import Distortion
from unmixel.dataset.lens import Lens
from unmixel.physics.crystal import Crystal
from unmixel.testing.cameras import Camera
from unmixel.testing.crystals import groups_of, zirconium_alloys

ROOT = Path(__file__).parents[1]
SCAN = ROOT / ".." / "shared" / "data" / "mgo_sped" / "mgo_nanoparticles.zspy"
CRYSTALS = [Crystal.face_centred("Al", 4.05), *zirconium_alloys()]
AXES = ((0, 0, 1), (0, 1, 1), (1, 1, 2))
START = Calibration.from_steps((47.5, 47.5), (0.025, 0.025))


def random_camera(random):
    """Return a camera that differs from the start by up to 5 % in scale, 5 % in ellipse and 2 px in centre."""
    center = 47.5 + random.uniform(-1.4, 1.4, 2)
    return Camera(
        (float(center[0]), float(center[1])),
        0.025 * (1 + random.uniform(-0.05, 0.05)),
        random.uniform(1, 1.05),
        random.uniform(0, 180),
    )


def starts(n_seeds):
    """Print how many patterns with a wrong start are calibrated, and the pulls of those that are trusted."""
    random = np.random.default_rng(5)
    print("phase: trusted, of them with a scale off by 0.5 % or more, rms pulls of centre v, u and scale")
    for crystal in CRYSTALS:
        pulls, off = [], 0
        for seed in range(n_seeds):
            camera = random_camera(random)
            seen = camera.patterns(crystal, AXES, electrons=200_000, seed=100 + 10 * seed)
            fit = unmixel.calibrate(seen, crystal, start=START)
            if fit.trusted:
                errors = np.array([*fit.center_error, fit.scale_error])
                pulls.append([*np.subtract(fit.center, camera.center), fit.scale - camera.scale] / errors)
                off += abs(fit.scale / camera.scale - 1) >= 0.005
        rms = np.sqrt(np.mean(np.square(pulls), axis=0)).round(2) if pulls else "-"
        print(f"{crystal.name}: {len(pulls)} of {n_seeds}, {off}, {rms}", flush=True)


def wrong_phases(n_seeds):
    """Print how often a wrong phase is trusted, and which."""
    camera = Camera((48.6, 46.8), 0.025 / 1.04, 1.03, 20.0)
    trusted, tried = [], 0
    for crystal in CRYSTALS:
        for seed in range(n_seeds):
            seen = camera.patterns(crystal, AXES, electrons=200_000, seed=100 + 10 * seed)
            for other in CRYSTALS:
                if other is crystal:
                    continue
                fit = unmixel.calibrate(seen, other, start=START)
                tried += 1
                if fit.trusted:
                    trusted.append(f"{crystal.name} as {other.name} (scale x {fit.scale / camera.scale:.3f})")
    print(f"wrong phases trusted: {len(trusted)} of {tried}")
    for line in sorted(set(trusted)):
        print("  ", line, flush=True)


def distortions(n_seeds):
    """Print which terms of a known distortion come back, how often one is claimed where there is none, and pulls."""
    cases = {
        "none": Distortion(), "perspective": Distortion(perspective=(0.03, -0.01)),
        "decentering": Distortion(decentering=(0.0, 0.015)), "threefold": Distortion(threefold=(0.0, 0.02)),
        "barrel": Distortion(barrel=0.03), "spiral": Distortion(spiral=0.03),
        "perspective and barrel": Distortion(perspective=(0.03, 0.0), barrel=-0.03),
    }  # fmt: skip
    lens = Lens(start=Calibration.from_steps((47.5, 47.5), (0.0253, 0.0253)))
    print("distortion: right terms and no other, rms pull of coefficients, rms in px without and with them")
    for name, truth in cases.items():
        right, pulls, rms = 0, [], []
        camera = Camera((48.1, 47.2), ratio=1.02, angle_deg=25.0, distortion=truth)
        for seed in range(n_seeds):
            seen = camera.patterns(CRYSTALS[0], (*AXES, (1, 1, 1)), electrons=200_000, seed=1000 + 10 * seed)
            fit = unmixel.calibrate(seen, CRYSTALS[0], start=lens)
            found, error = fit.calibration.distortion, fit.distortion_errors
            right += found.terms == truth.terms
            pulls += list(
                ((found.coefficients - truth.coefficients) / np.where(error > 0, error, 1))[error > 0]
            )
            rms.append((fit.rms_plain_px, fit.rms_px))
        pull = f"{np.sqrt(np.mean(np.square(pulls))):.2f}" if pulls else "-"
        print(f"{name}: {right} of {n_seeds}, {pull}, {np.mean(rms, axis=0).round(3)}", flush=True)


def mgo():
    """Print the spacings that means of 25 positions of the MgO scan show, with the file's own scale."""
    if not SCAN.exists():
        print("the MgO scan is not beside the repository")
        return
    data = np.asarray(unmixel.open(SCAN).data[:, :])
    blocks = data.reshape(21, 5, 21, 5, 144, 144).mean(axis=(1, 3)).reshape(-1, 144, 144)
    used = np.ones((144, 144), bool)
    used[22:50, 60:90] = False  # a ghost of the camera
    used[:3] = False
    groups = groups_of(list(blocks))
    groups = replace(groups, used_pixels=np.broadcast_to(used, blocks.shape))
    where = Calibration.from_steps((71.7, 72.0), (0.03246, 0.03246))
    rows = unmixel.d_spacings(groups, where, spot_size=1.5).rows
    for hkl, square in (("111", 3), ("200", 4), ("220", 8), ("311", 11), ("400", 16), ("420", 20)):
        d = 4.217 / square**0.5
        for kind in ("pair", "spot"):
            found = np.array([row.d for row in rows if row.kind == kind and abs(row.d / d - 1) < 0.025])
            if len(found):
                off = 100 * (np.median(found) / d - 1)
                print(
                    f"{hkl} {kind}: {len(found)}, d {np.median(found):.4f} ({off:+.2f} %), spread {found.std():.4f}"
                )
    cif = ROOT / "examples" / "data" / "MgO.cif"
    for reach in (1.2, np.inf):
        fit = unmixel.calibrate(blocks[::8], cif, start=where, used=used, reach=reach)
        print(f"reach {reach}: scale {fit.scale:.5f}, error {fit.scale_error:.2g}; {fit.words}")


def main():
    """Print all of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=20)
    seeds = parser.parse_args().seeds
    starts(seeds)
    wrong_phases(max(1, seeds // 10))
    distortions(seeds)
    mgo()


if __name__ == "__main__":
    main()
