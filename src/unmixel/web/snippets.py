"""Copy as Python, copy as command: the present view as text that does the same."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from unmixel.core.errors import InputError
from unmixel.web.models import Disk, Mask, Rectangle, Ring, Shape, Snippet, SnippetRequest, Window
from unmixel.web.run_view import RunView
from unmixel.web.scan_view import ScanView

NO_COMMAND = "The command line has no such picture; this shows it in the viewer."
ONLY_HERE = "This lies in the notebook's memory only: no command reaches it before it is saved."


def scan_snippet(view: ScanView, request: SnippetRequest) -> Snippet:
    """Return a view of a scan as text.

    Raises
    ------
    InputError
        When the request lacks what the view shows.
    """
    if request.language == "command":
        return _command(view, request)
    body = _PYTHON.get(request.view)
    if body is None:
        raise InputError("view", expected="a view of a scan", got=request.view, hint="name a run")
    return Snippet(text="\n".join([*_opening(view), *body(view, request)]) + "\n")


def run_snippet(run: RunView, request: SnippetRequest) -> Snippet:
    """Return a view of a run as text."""
    if run.given and request.language == "command":
        return Snippet(text="", note=ONLY_HERE)
    if request.language == "command":
        if request.view == "run":
            recipe = str(Path(_typed(run.folder)) / "recipe.yaml")
            told = str(run.input.get("path", "FILE"))
            return Snippet(
                text=shlex.join(["unmixel", "run", told, "--recipe", recipe, "--out", "again.run"]) + "\n"
            )
        return Snippet(text=shlex.join(["unmixel", "open", _typed(run.folder)]) + "\n", note=NO_COMMAND)
    read = f"result = unmixel.load({_typed(run.folder)!r})"
    lines = ["import unmixel", "", "# result: as it was given to unmixel.view" if run.given else read]
    tails = {
        "run": ["print(result.factors.convergence)", "maps, patterns = result.maps, result.patterns"],
        "groups": _groups(run, request),
        "phases": ["for row in result.phases.table():", "    print(row)"],
        "particles": ["for particle in result.particles.table:", "    print(particle)"],
    }
    if request.view not in tails:
        raise InputError("view", expected=" or ".join(tails), got=request.view, hint="name a scan")
    return Snippet(text="\n".join([*lines, *tails[request.view]]) + "\n")


def comparison_snippet(first: RunView, second: RunView, request: SnippetRequest) -> Snippet:
    """Return two runs side by side as text: a page with their recipes, numbers and components in pairs."""
    if first.given or second.given:
        return Snippet(text="", note=ONLY_HERE)
    one, two = _typed(first.folder), _typed(second.folder)
    if request.language == "command":
        return Snippet(text=shlex.join(["unmixel", "compare", one, two, "--out", "comparison.html"]) + "\n")
    lines = [
        "from unmixel.lab.compare import compare",
        "",
        f"page = compare({one!r}, {two!r}, out='comparison.html')",
    ]
    return Snippet(text="\n".join([*lines, "print(page)"]) + "\n")


def history_snippet(names: Sequence[str], request: SnippetRequest) -> Snippet:
    """Return the list of runs as text: their records, or all of them opened."""
    if request.language == "command":
        return Snippet(text=shlex.join(["unmixel", "open", *names]) + "\n")
    lines = [
        "import json",
        "from pathlib import Path",
        "",
        "for path in sorted(Path().glob('*/record.json')):",
        "    record = json.loads(path.read_text(encoding='utf-8'))",
        "    print(path.parent.name, record['status'], record['started'], record['input']['path'])",
    ]
    return Snippet(text="\n".join(lines) + "\n")


def _typed(path: Path) -> str:
    """Return a path as short as it can be typed from where the viewer was started."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _groups(run: RunView, request: SnippetRequest) -> list[str]:
    if request.height is None:
        return ["print(result.groups.labels, result.groups.rotation_deg)"]
    name, settings = run.clusterer
    given = {**settings, "cut": request.height}
    return [
        "from unmixel.core import registry",
        "",
        f"clusterer = registry.load('clusterers', {name!r})(**{given!r})",
        "groups = clusterer.group(result.factors, seed=0)",
        "print(groups.labels, groups.rotation_deg)",
    ]


def _opening(view: ScanView) -> list[str]:
    if view.given:
        return ["import numpy as np", "import unmixel", "", "# scan: as it was given to unmixel.view"]
    given = [repr(view.address)]
    for one in view.reading:
        key, _, value = one.partition("=")
        shape = "(" + ", ".join(value.split("x")) + ",)" if key == "read.scan_shape" else "True"
        given.append(f"{key.removeprefix('read.')}={shape}")
    return ["import numpy as np", "import unmixel", "", f"scan = unmixel.open({', '.join(given)})"]


def _pattern(view: ScanView, request: SnippetRequest) -> list[str]:
    position = request.position or [0] * len(view.scan.scan_axes)
    index = ", ".join(map(str, position)) or "..."
    return [f"pattern = np.asarray(scan.data[{index}])"]


def _region(view: ScanView, request: SnippetRequest) -> list[str]:
    shape = _needed(request)
    if isinstance(shape, (Rectangle, Window)):
        mean = ", ".join(str(i) for i in range(len(view.scan.scan_axes)))
        return [f"pattern = np.asarray(scan.data[{_slices(shape)}].mean(axis=({mean},)))"]
    return [
        *_mask(shape, "scan.scan_shape"),
        "pattern = np.mean([np.asarray(scan.data[tuple(at)]) for at in np.argwhere(inside)], axis=0)",
    ]


def _virtual(view: ScanView, request: SnippetRequest) -> list[str]:
    shape = _needed(request)
    if isinstance(shape, Disk):
        detector = f"unmixel.Disk({shape.radius:g}, 'px')"
        return [f"image = unmixel.virtual_image(scan, {detector}, center={_pair(shape.center)})"]
    if isinstance(shape, Ring):
        detector = f"unmixel.Annulus({shape.inner:g}, {shape.outer:g}, 'px')"
        return [f"image = unmixel.virtual_image(scan, {detector}, center={_pair(shape.center)})"]
    if isinstance(shape, (Rectangle, Window)):
        last = ", ".join(str(-i) for i in range(len(view.scan.pattern_axes), 0, -1))
        return [f"image = np.asarray(scan.data[..., {_slices(shape)}].sum(axis=({last},)))"]
    return [
        *_mask(shape, "scan.pattern_shape"),
        "flat = scan.data.reshape(*scan.scan_shape, -1)",
        "image = np.asarray(flat[..., np.flatnonzero(inside)].sum(axis=-1))",
    ]


def _summary(view: ScanView, request: SnippetRequest) -> list[str]:
    statistic = {"variance": "var"}.get(request.statistic or "mean", request.statistic or "mean")
    axes = range(len(view.scan.scan_axes))
    return [f"pattern = np.asarray(scan.data.{statistic}(axis=({', '.join(f'{i}' for i in axes)},)))"]


def _map(view: ScanView, request: SnippetRequest) -> list[str]:
    statistic = {"variance": "var"}.get(request.statistic or "sum", request.statistic or "sum")
    axes = range(-len(view.scan.pattern_axes), 0)
    return [f"image = np.asarray(scan.data.{statistic}(axis=({', '.join(f'{i}' for i in axes)},)))"]


def _calibrate(view: ScanView, request: SnippetRequest) -> list[str]:
    from unmixel.interpret.calibration import axes_calibration
    from unmixel.pipeline.naming import USUAL_VOLTAGE

    how = request.calibrate
    if how is None or how.center is None:
        raise InputError(
            "calibrate", expected="a phase and a centre", got="none", hint="send what the reply said"
        )
    step: tuple[float, float]
    if how.step is not None:
        step = (how.step, how.step)
    else:
        voltage = view.scan.instrument.voltage_kV or USUAL_VOLTAGE
        step = axes_calibration(view.scan.pattern_axes, how.center, voltage).step
    rotation = [
        "moved = unmixel.center_of_mass(scan, unit='px', center=fit.center)",
        "turned = unmixel.scan_rotation(moved.v, moved.u)",
        "print(turned.angle_deg, turned.error_deg)",
    ]
    return [
        "from unmixel.dataset.calibration import Calibration",
        "from unmixel.physics.cells import structures",
        "",
        f"axes = tuple(range({len(view.scan.scan_axes)}))",
        f"pattern = np.asarray(scan.data.{how.of}(axis=axes))",
        f"(crystal,) = structures([{how.phase!r}])",
        f"start = Calibration.from_steps({_pair(how.center)}, {_pair(step)})",
        "fit = unmixel.calibrate(pattern, crystal, start=start)",
        "print(fit.words)",
        "calibrated = fit.on(scan)",
        *(rotation if how.rotation else []),
    ]


def _prepare(view: ScanView, request: SnippetRequest) -> list[str]:
    lines = ["from unmixel.core import registry", "", "prepared = scan"]
    for step in request.steps or []:
        given = ", ".join(
            f"{key}={_python(value)}" for key, value in step.parameters.items() if key != "when"
        )
        lines.append(f"prepared = registry.load('steps', {step.name!r})({given}).apply(prepared)")
    return [*lines, "for step in prepared.history:", "    print(step.name, step.effect)"]


def _run(view: ScanView, request: SnippetRequest) -> list[str]:
    return [f"result = unmixel.run(scan, overrides={list(request.overrides)!r})"]


def _rank(view: ScanView, request: SnippetRequest) -> list[str]:
    return [
        "from unmixel.pipeline.rank import rank",
        "",
        f"choice = rank(scan, overrides={list(request.overrides)!r})",
        "print(choice.n_components, choice.reason)",
    ]


def _methods(view: ScanView, request: SnippetRequest) -> list[str]:
    overrides = [*view.reading, *request.overrides]
    return [
        "from pathlib import Path",
        "from unmixel.web.compare import compare",
        "",
        "folder = Path('methods')  # PCA, plain and constrained: arrays, errors, and a figure",
        "folder.mkdir()",
        f"compare({view.address!r}, {overrides!r}, folder, print)",
    ]


_PYTHON: dict[str, Callable[[ScanView, SnippetRequest], list[str]]] = {
    "pattern": _pattern,
    "region": _region,
    "virtual": _virtual,
    "summary": _summary,
    "map": _map,
    "calibrate": _calibrate,
    "prepare": _prepare,
    "run": _run,
    "rank": _rank,
    "methods": _methods,
}


def _command(view: ScanView, request: SnippetRequest) -> Snippet:
    if view.given:
        return Snippet(text="", note=ONLY_HERE)
    if request.view not in ("run", "rank", "prepare"):
        return Snippet(text=shlex.join(["unmixel", "open", view.address]) + "\n", note=NO_COMMAND)
    sets = [*view.reading, *request.overrides]
    if request.view == "prepare" and request.steps is not None:
        sets.append("prepare=" + json.dumps([{step.name: step.parameters} for step in request.steps]))
    verb = "rank" if request.view == "rank" else "run"
    words = ["unmixel", verb, view.address]
    for one in sets:
        words += ["--set", one]
    return Snippet(text=shlex.join(words) + "\n")


def _needed(request: SnippetRequest) -> Shape:
    if request.shape is None:
        raise InputError("shape", expected="what is drawn", got="none", hint="")
    return request.shape


def _pair(pair: tuple[float, float]) -> str:
    return f"({pair[0]:.10g}, {pair[1]:.10g})"


def _slices(shape: Rectangle | Window) -> str:
    if isinstance(shape, Window):
        return f"{shape.first}:{shape.last + 1}"
    runs = zip(shape.first, shape.last, strict=True)
    return ", ".join(f"{first}:{last + 1}" for first, last in runs)


def _mask(shape: Disk | Ring | Mask, grid: str) -> list[str]:
    if isinstance(shape, Mask):
        runs = [list(run) for run in shape.runs]
        return [
            f"inside = np.zeros({grid}, bool)",
            f"for start, length in {runs}:",
            "    inside.flat[start : start + length] = True",
        ]
    lines = ["from unmixel.physics.rings import disc_shares", ""]
    disc = "disc_shares({}, {:g}, center={}, step=(1.0, 1.0))"
    if isinstance(shape, Disk):
        return [*lines, f"inside = {disc.format(grid, shape.radius, _pair(shape.center))} >= 0.5"]
    outer = disc.format(grid, shape.outer, _pair(shape.center))
    inner = disc.format(grid, shape.inner, _pair(shape.center))
    return [*lines, f"inside = {outer} - {inner} >= 0.5"]


def _python(value: object) -> str:
    """Return a value of a recipe as Python: lists are tuples there."""
    if isinstance(value, list):
        return "(" + "".join(f"{_python(one)}, " for one in value) + ")"
    return repr(value)
