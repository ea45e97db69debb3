"""What browser and server say to each other about a scan: requests and replies as pydantic models.

Arrays travel as bytes (see `unmixel.web.arrays`), everything else as JSON. A number that is not known is null.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e9, le=1e9)]
Percent = Annotated[float, Field(allow_inf_nan=False, ge=0, le=100)]
Size = Annotated[float, Field(allow_inf_nan=False, gt=0, le=1e6)]
Index = Annotated[int, Field(ge=0, le=10_000_000)]
Pair = tuple[Number, Number]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Statistic = Literal["sum", "max", "variance", "mean"]
Language = Literal["en", "ja"]


class Model(BaseModel):
    """Unknown fields are refused; nothing changes after it was made."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Problem(Model):
    """Why a request was not answered."""

    what: str = Field(description="What is wrong.")
    expected: str = Field(default="", description="What would have been right.")
    got: str = Field(default="", description="What came.")
    hint: str = Field(default="", description="What to do.")


class Opened(Model):
    """A scan or a run that this viewer shows."""

    id: str
    name: str = Field(description="Last part of its path, or its address.")
    kind: Literal["scan", "run"]
    scan: str | None = Field(default=None, description="Of a run: id of its scan, where that is opened too.")
    status: str | None = Field(
        default=None, description="Of a run: finished, running, interrupted or failed."
    )


class Session(Model):
    """What is opened, and by which version."""

    version: str
    opened: list[Opened]
    languages: list[Language]
    memory_bytes: int = Field(description="Budget for all stores together.")
    steps: list[str] = Field(description="Names of the steps of preparation.")
    constraints: list[str] = Field(description="Names of the constraints.")
    phases: list[str] = Field(description="Built-in cells, for calibration and as candidates.")


class AxisModel(Model):
    """One axis: value at index i is offset + i scale, in `unit`; `px` where it is not calibrated."""

    name: str
    size: int
    scale: float
    offset: float
    unit: str


class CardLine(Model):
    """One line of the data card; `light` says whether it can be trusted."""

    label: str
    value: str
    light: Literal["green", "yellow", "red", "none"]
    reason: str


class Card(Model):
    """What a scan is and whether its numbers can be trusted."""

    title: str
    kind: Literal["patterns", "spectra"]
    shape: list[int]
    dtype: str
    n_bytes: int
    scan_axes: list[AxisModel]
    pattern_axes: list[AxisModel]
    rows: list[CardLine]
    values: dict[str, Any] = Field(description="The same facts for programs.")


class Disk(Model):
    """A disk on the detector (or on the scan), in pixels; pixels that its border cuts count with their share."""

    kind: Literal["disk"] = "disk"
    center: Pair = Field(description="(row, column) in pixels; 0 is the middle of the first.")
    radius: Size


class Ring(Model):
    """A ring on the detector, in pixels; pixels that its borders cut count with their share."""

    kind: Literal["annulus"] = "annulus"
    center: Pair
    inner: Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
    outer: Size


class Rectangle(Model):
    """Whole pixels: rows first[0] to last[0] and columns first[1] to last[1], both included."""

    kind: Literal["rectangle"] = "rectangle"
    first: tuple[Index, Index]
    last: tuple[Index, Index]


class Window(Model):
    """Whole channels of spectra (or positions of a line scan): first to last, both included."""

    kind: Literal["window"] = "window"
    first: Index
    last: Index


class Mask(Model):
    """Any set of pixels: rows of runs (start, length) over the flattened image, in ascending order."""

    kind: Literal["mask"] = "mask"
    runs: list[tuple[Index, Index]] = Field(min_length=1, max_length=20_000)


Shape = Annotated[Disk | Ring | Rectangle | Window | Mask, Field(discriminator="kind")]


class VirtualRequest(Model):
    """Ask for the image of a virtual detector."""

    detector: Shape
    exact: bool = Field(default=True, description="False takes the quick sums of bins where they are there.")


class RegionRequest(Model):
    """Ask for the mean pattern of the positions of a region of the scan."""

    region: Shape


class LivePattern(Model):
    """Over the live socket: the pattern of one position."""

    seq: Index
    what: Literal["pattern"]
    position: list[Index] = Field(max_length=4, description="Index along each scan axis.")


class LiveVirtual(Model):
    """Over the live socket: the image of a virtual detector."""

    seq: Index
    what: Literal["virtual"]
    detector: Shape
    exact: bool = False


class LiveRegion(Model):
    """Over the live socket: the mean pattern of a region."""

    seq: Index
    what: Literal["region"]
    region: Shape
    exact: bool = Field(default=False, description="False lets some of many positions stand for all.")


LiveRequest = Annotated[LivePattern | LiveVirtual | LiveRegion, Field(discriminator="what")]


class ArrayHead(Model):
    """Head of a binary message of the live socket; the same as the X- headers of a binary reply."""

    seq: int = Field(description="Of the request it answers.")
    what: Literal["pattern", "virtual", "region"]
    shape: list[int]
    dtype: Literal["uint8", "uint16", "uint32", "float32"]
    exact: bool = Field(description="Whether it is what reading all data gives; false for sums of bins.")
    done: float = Field(
        default=1.0, ge=0, le=1, description="Share of the scan that is in it; NaN stands elsewhere."
    )
    final: bool = Field(
        default=True, description="False while the scan is being read and a better answer follows."
    )


class LiveProblem(Model):
    """Text message of the live socket: a request that cannot be answered."""

    seq: int
    problem: Problem


class StoreState(Model):
    """How far the store for virtual images is filled."""

    done: float = Field(ge=0, le=1)
    exact_from: Literal["memory", "scratch", "file"] = Field(
        description="Where exact pixels come from: memory, a temporary file, or a pass over the data."
    )
    bytes_memory: int
    bytes_scratch: int
    bin_pixels: list[int] = Field(description="Size of a bin along each pattern axis, in pixels.")


class CalibrateRequest(Model):
    """Ask for a calibration by rings or spots of a known phase, from the mean (or maximum) pattern."""

    phase: Name = Field(description="Built-in cell, or a structure opened with the viewer.")
    of: Literal["mean", "max"] = "mean"
    center: Pair | None = Field(default=None, description="(v, u) in pixels to begin from.")
    step: Size | None = Field(
        default=None, description="1/angstrom a pixel to begin from, where the axes do not say it."
    )
    ellipse: Annotated[float, Field(ge=1, le=2, allow_inf_nan=False)] = Field(
        default=1.0, description="Long over short axis to begin from."
    )
    ellipse_angle_deg: Number = Field(default=0.0, description="Of the long axis, counter-clockwise from +u.")
    fit: bool = Field(default=True, description="False only draws rings where these numbers put them.")
    rotation: bool = Field(
        default=False, description="Whether to find detector against scan too: a pass over the data."
    )


class RingLine(Model):
    """A ring that the phase should have, as it lies on the detector under the fit."""

    hkl: tuple[int, int, int]
    radius: float = Field(description="1/angstrom.")
    intensity: float = Field(description="Expected, strongest 1.")
    points: list[tuple[float, float]] = Field(description="(v, u) in pixels along the ring.")


class ResidualPoint(Model):
    """A measured spot or ring against the family it was given to."""

    v: float
    u: float
    hkl: tuple[int, int, int]
    measured: float = Field(description="1/angstrom.")
    expected: float
    percent: float
    azimuth_deg: float
    used: bool


class Fitted(Model):
    """A number with its standard error; null where the data do not determine it."""

    value: float
    error: float | None


class CalibrateReply(Model):
    """A calibration, how well it is known, and what to draw over the pattern."""

    phase: str
    trusted: bool
    words: str
    done: float = Field(description="Share of the scan that the pattern rests on.")
    center_v: Fitted
    center_u: Fitted
    scale: Fitted = Field(description="1/angstrom a pixel.")
    ellipse: Fitted = Field(description="Long over short axis.")
    ellipse_angle_deg: Fitted = Field(description="Of the long axis, counter-clockwise from +u.")
    rotation: Fitted | None = Field(
        description="Detector against scan in degrees, where asked for and clear."
    )
    chi_square: float | None
    degrees_of_freedom: int
    rms_percent: float | None
    rings: list[RingLine]
    residuals: list[ResidualPoint]


class StepEntry(Model):
    """A step of preparation as a recipe writes it."""

    name: Name
    parameters: dict[str, Any] = Field(default_factory=dict, max_length=40)


class PrepareRequest(Model):
    """Ask what steps do; null takes those of the recipe that suits the scan."""

    steps: list[StepEntry] | None = Field(default=None, max_length=20)


class Prepared(Model):
    """What one step did: axes after it and pictures before and after (`api/arrays/{key}`)."""

    name: str
    parameters: dict[str, Any]
    effect: str
    warnings: list[str]
    values: dict[str, Any]
    scan_axes: list[AxisModel]
    pattern_axes: list[AxisModel]
    pattern_before: str = Field(description="Key of the mean pattern before.")
    pattern_after: str
    map_before: str = Field(description="Key of the scan image before.")
    map_after: str


class PrepareReply(Model):
    """All steps in order."""

    steps: list[Prepared]
    n_positions: int = Field(description="Positions of the scan that the pictures rest on.")
    whole: bool = Field(description="Whether those are all of them.")


class SnippetRequest(Model):
    """Ask for the present view as text that does the same."""

    view: Literal[
        "pattern", "region", "virtual", "summary", "map", "calibrate", "prepare", "run", "rank",
        "groups", "phases", "particles", "compare", "methods", "history",
    ]  # fmt: skip
    opened: Name = Field(
        default="history", description="Id of the scan or run; of the history of runs nothing is needed."
    )
    other: Name | None = Field(default=None, description="Of a comparison: id of the second run.")
    language: Literal["python", "command"] = "python"
    position: list[Index] | None = Field(default=None, max_length=4)
    shape: Shape | None = None
    statistic: Statistic | None = None
    calibrate: CalibrateRequest | None = None
    steps: list[StepEntry] | None = Field(default=None, max_length=20)
    overrides: list[Annotated[str, Field(max_length=500)]] = Field(default_factory=list, max_length=50)
    height: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None


class Snippet(Model):
    """Text to copy; `note` where the view has no such form."""

    text: str
    note: str = ""


class FigureRequest(Model):
    """Ask for a picture with scale bar of what is shown."""

    opened: Name
    view: Literal[
        "pattern", "region", "virtual", "summary", "map",
        "component", "residual", "groups", "dendrogram", "phases", "particles", "histogram", "convergence", "rank",
        "calibrate", "prepare", "compare", "methods",
    ]  # fmt: skip
    other: Name | None = Field(default=None, description="Of a comparison: id of the second run.")
    calibrate: CalibrateRequest | None = Field(
        default=None, description="Of a calibration: it is fitted again, or its rings are drawn as it says."
    )
    steps: list[StepEntry] | None = Field(default=None, max_length=20, description="As for `PrepareRequest`.")
    format: Literal["svg", "png"] = "svg"
    position: list[Index] | None = Field(default=None, max_length=4)
    shape: Shape | None = None
    statistic: Statistic | None = None
    index: Index = Field(default=0, description="Component, group or step.")
    candidate: Index = Field(default=0, description="Of phases: 0 the best, 1 the runner-up, ...")
    height: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = Field(
        default=None, description="Of groups and their tree: another cut than the run's."
    )
    side: Literal["map", "pattern"] = "pattern"
    log: bool = False
    percentiles: tuple[Percent, Percent] = (0.0, 100.0)
    colormap: Literal["gray", "viridis", "magma", "cividis", "inferno"] = "gray"
    title: Annotated[str, Field(max_length=200)] = ""


class WidgetMessage(Model):
    """What the page says to the kernel where it is a Jupyter widget: a request, or about a socket."""

    kind: Literal["page", "ask", "open", "send", "close"]
    id: Name = Field(description="Chosen by the page; of a request or a socket.")
    method: Literal["GET", "POST"] = "GET"
    path: Annotated[str, Field(max_length=4000)] = Field(
        default="", description="Below `api/`, with its query."
    )
    text: str = Field(default="", description="Body of a request, or message for a socket.")
