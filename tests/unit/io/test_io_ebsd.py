"""Files of orientations say what they were given, in the frames of their formats; orix, where it is there, agrees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from unmixel.core.errors import InputError
from unmixel.dataset.axes import Axis
from unmixel.dataset.orientations import Orientations, PhaseCell
from unmixel.io.ebsd import SampleFrame, write_ang, write_ctf
from unmixel.physics.crystal import direct_axes
from unmixel.physics.orientation import from_bunge_deg

CUBIC = PhaseCell("Cu", (3.615,) * 3, (90.0,) * 3, "F m -3 m", "m-3m")
HEXAGONAL = PhaseCell("alpha Zr", (3.232, 3.232, 5.147), (90.0, 90.0, 120.0), "P 63/m m c", "6/mmm")
MONOCLINIC = PhaseCell("ZrO2", (5.15, 5.21, 5.32), (90.0, 99.2, 90.0), "P 1 21/c 1", "2/m")
DOWN = np.diag([1.0, -1.0, -1.0])  # right, up, against the electrons -> right, down, along them


def orientations(phases=(CUBIC, HEXAGONAL), shape=(4, 5), *, step=0.5) -> Orientations:
    n = int(np.prod(shape))
    phase = (np.arange(n) % (len(phases) + 1) - 1).reshape(shape)
    matrices = Rotation.random(n, random_state=0).as_matrix().reshape(*shape, 3, 3)
    matrices[phase < 0] = np.nan
    confidence = np.where(phase >= 0, np.linspace(0.5, 1.0, n).reshape(shape), 0.0)
    names = ("y", "x")[-len(shape) :]
    axes = tuple(Axis(name, size, scale=step, unit="nm") for name, size in zip(names, shape, strict=True))
    return Orientations(phase, matrices, confidence, axes, tuple(phases), np.zeros((*shape, 3), np.intp))


def numbers(path: Path, mark: str) -> np.ndarray:
    lines = path.read_text().splitlines()
    first = max(i for i, line in enumerate(lines) if line.startswith(mark)) + 1
    return np.array([[float(word) for word in line.split()] for line in lines[first:]])


def angle_deg(first, second) -> np.ndarray:
    return np.rad2deg(Rotation.from_matrix(np.swapaxes(first, -1, -2) @ second).magnitude())


def in_file(cell: PhaseCell, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return the axes of a format as rows in the crystal's frame."""
    x, z = x / np.linalg.norm(x), z / np.linalg.norm(z)
    return np.array([x, np.cross(z, x), z])


def test_ang_holds_angles_places_and_phases(tmp_path: Path) -> None:
    given = orientations()
    path = write_ang(tmp_path / "a.ang", given)
    rows = numbers(path, "#")
    assert rows.shape == (20, 10)
    known = given.known.ravel()
    np.testing.assert_array_equal(rows[:, 7], np.where(known, given.phase.ravel() + 1, 0))
    np.testing.assert_allclose(rows[:, 6], np.where(known, given.confidence.ravel(), -1), atol=1e-4)
    np.testing.assert_allclose(rows[:5, 3], np.arange(5) * 0.0005, atol=1e-12)
    np.testing.assert_allclose(rows[::5, 4], np.arange(4) * 0.0005, atol=1e-12)
    np.testing.assert_allclose(rows[~known, :3], 4 * np.pi, atol=1e-5)
    # EDAX has a along x, as here: only the sample's frame is another one
    found = from_bunge_deg(np.rad2deg(rows[known, :3]))
    assert angle_deg(DOWN @ given.matrices[given.known], found).max() < 1e-3


def test_ang_header_names_phases_and_grid(tmp_path: Path) -> None:
    text = write_ang(tmp_path / "a.ang", orientations((CUBIC, HEXAGONAL, MONOCLINIC))).read_text()
    words = [" ".join(line.split()[1:]) for line in text.splitlines() if line.startswith("#")]
    for line in ("Phase 1", "MaterialName Cu", "Symmetry 43", "Symmetry 62", "Symmetry 20", "GRID: SqrGrid",
                 "MaterialName alpha Zr", "NCOLS_ODD: 5", "NCOLS_EVEN: 5", "NROWS: 4", "XSTEP: 0.00050000",
                 "LatticeConstants 3.2320 3.2320 5.1470 90.0000 90.0000 120.0000"):  # fmt: skip
        assert line in words


def test_ctf_holds_angles_in_oxfords_frame(tmp_path: Path) -> None:
    """x along a* and z along c: hexagonal axes are 30 degrees apart from those of EDAX, monoclinic ones too differ."""
    given = orientations((CUBIC, HEXAGONAL, MONOCLINIC))
    rows = numbers(write_ctf(tmp_path / "a.ctf", given), "Phase\tX\tY")
    assert rows.shape == (20, 11)
    known = given.known.ravel()
    np.testing.assert_array_equal(rows[:, 0], np.where(known, given.phase.ravel() + 1, 0))
    np.testing.assert_array_equal(rows[:, 4], np.where(known, 0, 3))
    for number, cell in enumerate(given.phases):
        direct = direct_axes(cell.lengths, cell.angles_deg)
        axes = in_file(cell, np.linalg.inv(direct).T[0], direct[2])
        here = given.phase.ravel() == number
        found = from_bunge_deg(rows[here, 5:8])
        wanted = DOWN @ given.matrices[given.phase == number] @ axes.T
        assert angle_deg(wanted, found).max() < 1e-3


def test_oxford_adds_30_degrees_to_phi2_of_hexagonal_crystals(tmp_path: Path) -> None:
    given = orientations((HEXAGONAL,))
    edax = np.rad2deg(numbers(write_ang(tmp_path / "a.ang", given), "#")[:, :3])
    oxford = numbers(write_ctf(tmp_path / "a.ctf", given), "Phase\tX\tY")[:, 5:8]
    known = given.known.ravel()
    np.testing.assert_allclose(oxford[known, :2], edax[known, :2], atol=1e-3)
    np.testing.assert_allclose((oxford[known, 2] - edax[known, 2]) % 360, 30, atol=1e-3)


def test_ctf_header_names_phases_and_grid(tmp_path: Path) -> None:
    path = write_ctf(tmp_path / "a.ctf", orientations())
    assert b"\r\n" in path.read_bytes()
    lines = path.read_text().splitlines()
    assert lines[0] == "Channel Text File"
    for line in ("JobMode\tGrid", "XCells\t5", "YCells\t4", "XStep\t0.00050000", "Phases\t2"):
        assert line in lines
    zirconium = lines[lines.index("Phases\t2") + 2].split("\t")
    assert zirconium[:5] == ["3.2320;3.2320;5.1470", "90.0000;90.0000;120.0000", "alpha Zr", "9", "194"]


@pytest.mark.parametrize("write", [write_ang, write_ctf])
def test_no_file_is_replaced_unasked(tmp_path: Path, write) -> None:
    name = tmp_path / f"a.{write.__name__[-3:]}"
    write(name, orientations())
    before = name.read_bytes()
    with pytest.raises(InputError, match="overwrite"):
        write(name, orientations((CUBIC,)))
    assert name.read_bytes() == before
    write(name, orientations((CUBIC,)), overwrite=True)
    assert name.read_bytes() != before
    assert [path.name for path in tmp_path.iterdir()] == [name.name]


@pytest.mark.parametrize("write", [write_ang, write_ctf])
def test_what_is_no_map_is_refused(tmp_path: Path, write) -> None:
    name = tmp_path / f"a.{write.__name__[-3:]}"
    groups = replace(orientations(), axes=(Axis("group", 4, unit="s"), Axis("x", 5)))
    for given, word in ((groups, "nm or px"), (replace(orientations(), phases=()), "phase")):
        with pytest.raises(InputError, match=word):
            write(name, given)
    with pytest.raises(InputError, match="ends with"):
        write(tmp_path / "a.txt", orientations())


def test_line_scans_and_scans_without_calibration_have_steps(tmp_path: Path) -> None:
    line = numbers(write_ang(tmp_path / "line.ang", orientations(shape=(5,))), "#")
    assert (line[:, 4] == 0).all()
    np.testing.assert_allclose(line[:, 3], np.arange(5) * 0.0005, atol=1e-12)
    given = orientations()
    bare = replace(given, axes=(Axis("y", 4), Axis("x", 5)))
    np.testing.assert_array_equal(numbers(write_ang(tmp_path / "px.ang", bare), "#")[:5, 3], np.arange(5))


def test_another_sample_frame_turns_all_angles(tmp_path: Path) -> None:
    """x upwards, y to the left, z against the electrons."""
    given = orientations((CUBIC,))
    frame = SampleFrame((0.0, 1.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 0.0, 1.0))
    rows = numbers(write_ang(tmp_path / "a.ang", given, frame=frame), "#")
    found = from_bunge_deg(np.rad2deg(rows[given.known.ravel(), :3]))
    assert angle_deg(frame.matrix @ given.matrices[given.known], found).max() < 1e-3
    with pytest.raises(InputError, match="right-handed"):
        SampleFrame((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0))


@pytest.mark.parametrize("kind", ["ang", "ctf"])
@pytest.mark.filterwarnings("ignore")
def test_orix_reads_the_same(tmp_path: Path, kind: str) -> None:
    io = pytest.importorskip("orix.io", reason="orix is not installed")
    given = orientations((CUBIC, HEXAGONAL), shape=(6, 7), step=2.5)
    path = {"ang": write_ang, "ctf": write_ctf}[kind](tmp_path / f"a.{kind}", given)
    found = io.load(path)
    assert found.shape == (6, 7)
    assert (found.dx, found.dy) == pytest.approx((0.0025, 0.0025))
    np.testing.assert_array_equal(found.phase_id.reshape(6, 7) == -1, ~given.known)
    np.testing.assert_array_equal(found.phase_id.reshape(6, 7)[given.known], given.phase[given.known] + 1)
    assert [phase.name for number, phase in found.phases if number > 0] == ["Cu", "alpha Zr"]
    assert [phase.point_group.laue.name for number, phase in found.phases if number > 0] == ["m-3m", "6/mmm"]
    # an orientation of orix takes the sample's frame to the crystal's, which has a along x in both formats
    matrices = found.rotations.to_matrix().reshape(6, 7, 3, 3)
    for number, cell in enumerate(given.phases):
        here = given.phase == number
        axes = np.eye(3)
        if kind == "ctf" and cell is HEXAGONAL:
            axes = Rotation.from_rotvec([0, 0, -np.pi / 6]).as_matrix()
        wanted = DOWN @ given.matrices[here] @ axes.T
        assert angle_deg(np.swapaxes(matrices[here], 1, 2), wanted).max() < 0.01
