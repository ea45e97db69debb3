"""Orientations as EBSD programs read them: .ang of EDAX TSL and .ctf of Oxford Channel 5.

Three frames meet in such a file.

- **Positions**: x grows to the right, y downwards, in both formats.
- **Euler angles** (Bunge) refer to a sample's frame. Neither format says which; files of the vendors often use another
  one than that of their positions. Here it is the frame of the positions: x to the right, y downwards, z along the
  electrons. orix takes it so; MTEX does with ``EBSD.load(name, 'setting', 0)`` for .ang and
  ``EBSD.load(name, 'EulerCorrection', rotation.id)`` for .ctf (older versions, without these options, do so anyway).
- **Crystal**: EDAX lays x along a and z along c* (x along a* and z along c in monoclinic crystals), Oxford x along a*
  and z along c. For hexagonal axes the two are 30 degrees apart: phi2 of Oxford is that of EDAX plus 30. orix takes
  both formats with x along a, so that hexagonal and trigonal phases of a .ctf come out turned by 30 degrees there.

References
----------
MTEX, ``interfaces/loadEBSD_ang.m`` (``X||a`` of trigonal and hexagonal phases) and ``loadEBSD_ctf.m``
(``x||a*, z||c``). DREAM.3D, filter "Read CTF Data", option "Convert Hexagonal X-Axis to EDAX Standard". orix,
``io/plugins``. Britton et al., Materials Characterization 117, 113 (2016), on frames of EBSD.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmixel.core.errors import InputError
from unmixel.dataset.axes import Axis
from unmixel.dataset.orientations import Orientations, PhaseCell
from unmixel.io.atomic import write_text
from unmixel.physics.orientation import bunge_deg
from unmixel.physics.symmetry import LAUE_CLASSES, symmetry

Float = NDArray[np.float64]

_EDAX_CODES = {
    "-1": "1", "2/m": "2", "mmm": "22", "4/m": "4", "4/mmm": "42", "-3": "3", "-3m": "32", "6/m": "6",
    "6/mmm": "62", "m-3": "23", "m-3m": "43",
}  # fmt: skip
_NOTHING_RAD = 4 * np.pi
# what EDAX writes for each Euler angle of a position without orientation
_NM_PER_UM = 1000.0


@dataclass(frozen=True)
class SampleFrame:
    """The frame that Euler angles refer to, in terms of right, up, and against the electrons.

    Parameters
    ----------
    x, y, z : (float, float, float)
        Its axes; orthonormal and right-handed.

    Examples
    --------
    >>> SampleFrame().matrix.tolist()
    [[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]]
    """

    x: tuple[float, float, float] = (1.0, 0.0, 0.0)
    y: tuple[float, float, float] = (0.0, -1.0, 0.0)
    z: tuple[float, float, float] = (0.0, 0.0, -1.0)

    def __post_init__(self) -> None:
        rows = self.matrix
        if not (np.allclose(rows @ rows.T, np.eye(3), atol=1e-6) and np.linalg.det(rows) > 0):
            raise InputError(
                "SampleFrame",
                expected="three axes of length 1, at right angles and right-handed",
                got=f"{self.x}, {self.y}, {self.z}",
                hint="SampleFrame() is the frame of the positions",
            )

    @property
    def matrix(self) -> Float:
        """Axes as rows, shape (3, 3)."""
        return np.array([self.x, self.y, self.z], np.float64)


def write_ang(
    path: str | Path,
    orientations: Orientations,
    *,
    frame: SampleFrame | None = None,
    overwrite: bool = False,
) -> Path:
    """Write an .ang file as EDAX TSL has them, whole or not at all.

    Columns: phi1, Phi, phi2 in radians, x, y in micrometres (1 for a position where the scan is not calibrated), image
    quality (0: not known), confidence, phase from 1 on, detector signal (0) and fit (0). Positions without orientation
    have phase 0, confidence -1, fit 180 and 4 pi for all angles.

    Parameters
    ----------
    path : str or Path
        Ends with ``.ang``.
    orientations : Orientations
        Of a scan with one or two axes.
    frame : SampleFrame, optional
        What Euler angles refer to; that of the positions where it is not given.
    overwrite : bool
        Whether a file of that name is replaced.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        When the file is there, its name ends otherwise, the scan has no axis or more than two, or there is no phase.
    """
    grid = _Grid.of(orientations)
    path = _checked(path, ".ang", orientations, overwrite=overwrite)
    frames = [_edax_frame(cell) for cell in orientations.phases]
    angles = _angles(orientations, frames, frame or SampleFrame())
    known = orientations.known.ravel()
    radians = np.where(known[:, None], np.deg2rad(angles), _NOTHING_RAD)
    x, y = grid.places()
    confidence = np.where(known, orientations.confidence.ravel(), -1.0)
    phase = np.where(known, orientations.phase.ravel() + 1, 0)
    rows = [
        f"{a:10.6f} {b:10.6f} {c:10.6f} {i:14.8f} {j:14.8f} {0:8.3f} {q:7.4f} {p:3d} {0:6d} {0 if p else 180:7.3f}"
        for (a, b, c), i, j, q, p in zip(radians, x, y, confidence, phase, strict=True)
    ]
    write_text(path, "\n".join([*_ang_header(orientations, grid), *rows, ""]))
    return path


def write_ctf(
    path: str | Path,
    orientations: Orientations,
    *,
    frame: SampleFrame | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a .ctf file as Oxford's Channel 5 has them, whole or not at all.

    Columns: phase from 1 on (0: none), X, Y in micrometres (1 for a position where the scan is not calibrated), bands
    (0), error (0, or 3 where there is no orientation), Euler angles in degrees, MAD (0: not known), BC (255 times the
    confidence) and BS (0).

    Parameters
    ----------
    path : str or Path
        Ends with ``.ctf``.
    orientations : Orientations
        Of a scan with one or two axes.
    frame : SampleFrame, optional
        What Euler angles refer to; that of the positions where it is not given.
    overwrite : bool
        Whether a file of that name is replaced.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        As for `write_ang`.
    """
    grid = _Grid.of(orientations)
    path = _checked(path, ".ctf", orientations, overwrite=overwrite)
    frames = [_oxford_frame(cell) for cell in orientations.phases]
    angles = _angles(orientations, frames, frame or SampleFrame())
    known = orientations.known.ravel()
    x, y = grid.places()
    contrast = np.round(255 * orientations.confidence.ravel()).astype(int)
    phase = np.where(known, orientations.phase.ravel() + 1, 0)
    rows = [
        f"{p}\t{i:.8f}\t{j:.8f}\t0\t{0 if p else 3}\t{a:.5f}\t{b:.5f}\t{c:.5f}\t0.0000\t{q}\t0"
        for (a, b, c), i, j, q, p in zip(
            np.where(known[:, None], angles, 0.0), x, y, contrast, phase, strict=True
        )
    ]
    write_text(path, "\r\n".join([*_ctf_header(path.stem, orientations, grid), *rows, ""]))
    return path


def write_maps(folder: Path, orientations: Orientations | None) -> tuple[str, ...]:
    """Write ``orientations.ang`` and ``orientations.ctf`` of a scan with two axes to a run folder.

    Returns
    -------
    tuple of str
        Names of the files; none where nothing has an orientation.
    """
    if orientations is None or len(orientations.axes) != 2 or not orientations.known.any():
        return ()
    write_ang(folder / "orientations.ang", orientations, overwrite=True)
    write_ctf(folder / "orientations.ctf", orientations, overwrite=True)
    return ("orientations.ang", "orientations.ctf")


@dataclass(frozen=True)
class _Grid:
    """Positions of a map, in rows."""

    rows: int
    columns: int
    step_y: float
    step_x: float

    @classmethod
    def of(cls, orientations: Orientations) -> _Grid:
        axes = orientations.axes
        if len(axes) not in (1, 2) or {axis.unit for axis in axes} - {"nm", "px"}:
            raise InputError(
                "orientations",
                expected="a scan of one or two axes in nm or px",
                got=", ".join(f"{axis.name} in {axis.unit}" for axis in axes) or "no axes",
                hint="orientations of groups are no map: write those of orientation_map",
            )
        step_y, step_x = (1.0, *map(_step, axes))[-2:]
        rows, columns = (1, *orientations.phase.shape)[-2:]
        return cls(rows, columns, step_x if len(axes) == 1 else step_y, step_x)

    def places(self) -> tuple[Float, Float]:
        """Return x and y of all positions, row by row; both start at 0."""
        y, x = np.indices((self.rows, self.columns), np.float64).reshape(2, -1)
        return x * self.step_x, y * self.step_y


def _step(axis: Axis) -> float:
    """Return the step of an axis in micrometres, 1 without calibration."""
    return abs(axis.scale) / _NM_PER_UM if axis.unit == "nm" else 1.0


def _checked(path: str | Path, suffix: str, orientations: Orientations, *, overwrite: bool) -> Path:
    path = Path(path)
    if path.suffix.lower() != suffix:
        raise InputError(
            "file name",
            expected=f"one that ends with {suffix}",
            got=path.name,
            hint="other formats have another verb",
        )
    if path.exists() and not overwrite:
        raise InputError(
            f"file {path}",
            expected="none of that name",
            got="a file",
            hint="choose another name or overwrite=True",
        )
    if not orientations.phases:
        raise InputError(
            "orientations",
            expected="at least one phase",
            got="none",
            hint="name the phases first: unmixel.identify",
        )
    return path


def _angles(orientations: Orientations, frames: list[Float], frame: SampleFrame) -> Float:
    """Return Euler angles in degrees of all positions, shape (n, 3), with each phase's axes as the format has them."""
    phase = orientations.phase.ravel()
    matrices = orientations.matrices.reshape(-1, 3, 3)
    axes = np.array(frames)[np.maximum(phase, 0)]
    return bunge_deg(frame.matrix @ matrices @ np.swapaxes(axes, 1, 2))


def _axes(first: Float, third: Float) -> Float:
    """Return a right-handed frame as rows; the two directions are at right angles."""
    x, z = first / np.linalg.norm(first), third / np.linalg.norm(third)
    return np.stack([x, np.cross(z, x), z])


def _oxford_frame(cell: PhaseCell) -> Float:
    """Return Oxford's axes of a phase as rows in the crystal's frame: x along a*, z along c."""
    direct = symmetry(cell.space_group, cell.lengths, cell.angles_deg).direct
    return _axes(np.linalg.inv(direct).T[0], direct[2])


def _edax_frame(cell: PhaseCell) -> Float:
    """Return EDAX's axes of a phase: x along a, z along c*; of a monoclinic one those of Oxford."""
    found = symmetry(cell.space_group, cell.lengths, cell.angles_deg)
    if found.laue == "2/m":
        return _oxford_frame(cell)
    return _axes(found.direct[0], np.linalg.inv(found.direct).T[2])


def _edax_code(cell: PhaseCell) -> str:
    """Return EDAX's code of a Laue class; 20 is 2/m with b as its axis."""
    found = symmetry(cell.space_group, cell.lengths, cell.angles_deg)
    along_b = abs(found.standard[2] @ found.direct[1]) > 0.99 * np.linalg.norm(found.direct[1])
    return "20" if found.laue == "2/m" and along_b else _EDAX_CODES[found.laue]


def _ang_header(orientations: Orientations, grid: _Grid) -> Iterator[str]:
    yield "# TEM_PIXperUM          1.000000"
    for name in ("x-star", "y-star", "z-star", "WorkingDistance"):
        yield f"# {name:22s}0.000000"
    yield "#"
    for number, cell in enumerate(orientations.phases, start=1):
        yield f"# Phase {number}"
        yield f"# MaterialName  \t{cell.name}"
        yield "# Formula     \t"
        yield "# Info \t\t"
        yield f"# {'Symmetry':22s}{_edax_code(cell)}"
        yield f"# {'LatticeConstants':22s}" + " ".join(f"{v:.4f}" for v in (*cell.lengths, *cell.angles_deg))
        yield "# NumberFamilies        0"
        yield "#"
    yield "# GRID: SqrGrid"
    yield f"# XSTEP: {grid.step_x:.8f}"
    yield f"# YSTEP: {grid.step_y:.8f}"
    yield f"# NCOLS_ODD: {grid.columns}"
    yield f"# NCOLS_EVEN: {grid.columns}"
    yield f"# NROWS: {grid.rows}"
    yield "#"
    for name in ("OPERATOR: \tunmixel", "SAMPLEID: \t", "SCANID: \t"):
        yield f"# {name}"
        yield "#"


def _ctf_header(name: str, orientations: Orientations, grid: _Grid) -> Iterator[str]:
    yield "Channel Text File"
    yield f"Prj\t{name}"
    yield "Author\tunmixel"
    yield "JobMode\tGrid"
    yield f"XCells\t{grid.columns}"
    yield f"YCells\t{grid.rows}"
    yield f"XStep\t{grid.step_x:.8f}"
    yield f"YStep\t{grid.step_y:.8f}"
    for number in (1, 2, 3):
        yield f"AcqE{number}\t0"
    yield (
        "Euler angles refer to Sample Coordinate system (CS0)!\tMag\t0\tCoverage\t100\tDevice\t0\tKV\t0\t"
        "TiltAngle\t0\tTiltAxis\t0"
    )
    yield f"Phases\t{len(orientations.phases)}"
    for cell in orientations.phases:
        found = symmetry(cell.space_group, cell.lengths, cell.angles_deg)
        lengths, angles = (";".join(f"{v:.4f}" for v in values) for values in (cell.lengths, cell.angles_deg))
        laue = LAUE_CLASSES.index(found.laue) + 1
        yield f"{lengths}\t{angles}\t{cell.name}\t{laue}\t{found.number}\t\t\t"
    yield "Phase\tX\tY\tBands\tError\tEuler1\tEuler2\tEuler3\tMAD\tBC\tBS"
