"""What browser and server say to each other about jobs and runs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from unmixel.web.models import AxisModel, Index, Model, Name

JobKind = Literal["run", "rank", "compare"]
JobStatus = Literal["running", "stopping", "stopped", "finished", "failed"]
Override = Annotated[str, Field(max_length=500, pattern=r"^[^=\n]+=[^\n]*$")]


class JobRequest(Model):
    """Begin a job: a run, a search for the number of components, or PCA / plain / constrained side by side."""

    scan: Name
    kind: JobKind = "run"
    overrides: list[Override] = Field(
        default_factory=list, max_length=50, description="As --set takes them: key=value."
    )
    ranks: list[Annotated[int, Field(ge=1, le=500)]] | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="Of a rank: numbers to try; by the noise edge by default.",
    )
    restarts: Annotated[int, Field(ge=1, le=10)] = 2
    candidates: list[Name] = Field(
        default_factory=list,
        max_length=50,
        description="Phases that groups may be: names of the session's list.",
    )


class Job(Model):
    """Where a job stands."""

    id: str
    kind: JobKind
    scan: str
    status: JobStatus
    stage: str = Field(description="As the run says it: read, prepare: center, factorize, ...")
    sweeps: int
    limit: int = Field(description="Largest number of sweeps.")
    objective: list[float] = Field(description="After each sweep.")
    notes: list[str]
    error: str | None = None
    run: str | None = Field(default=None, description="Id of the run, as soon as it can be looked at.")
    pictures: int = Field(default=0, description="Counts up each time maps and patterns were renewed.")
    started: str
    seconds: float


class JobEvent(Model):
    """Text message of a job's socket; first the whole job, then what is new."""

    event: Literal["job", "stage", "sweep", "note", "pictures", "end"]
    job: Job | None = None
    stage: str | None = None
    sweep: int | None = None
    limit: int | None = None
    objective: float | None = None
    note: str | None = None
    pictures: int | None = None
    status: JobStatus | None = None
    run: str | None = None


class RankCurve(Model):
    """What held-out electrons say of each number of components."""

    n_components: int = Field(description="What is recommended.")
    most: int = Field(description="The data do not support more.")
    reason: str
    method: str
    notes: list[str]
    ranks: list[int]
    columns: dict[
        Literal["held_out", "uncertainty", "confirmed", "stability", "relative_error"], list[float | None]
    ]
    singular_values: list[float]
    noise_edge: float


class CompareMethod(Model):
    """One way of separating: its arrays lie at `api/jobs/{id}/compare/{method}/{maps|patterns}`."""

    method: Literal["pca", "plain", "constrained"]
    words: str
    n_components: int
    relative_error: float | None
    negative_share: float = Field(description="Share of the values of maps and patterns that are below 0.")


class Comparison(Model):
    """PCA, plain and constrained NMF on the same prepared scan."""

    methods: list[CompareMethod]


class Convergence(Model):
    """How the factorisation came to its end."""

    objective: list[float]
    relative_error: float | None
    n_sweeps: int
    converged: bool
    reason: str


class Component(Model):
    """One component; all maps and patterns lie at `api/runs/{id}/components/{maps|patterns}`."""

    index: int
    strength: float
    flags: list[str]
    group: int | None
    rotation_deg: float | None
    stability: float | None
    map_error: float | None = Field(description="Typical standard error over typical value.")
    pattern_error: float | None


class RunSummary(Model):
    """What a run found and how."""

    id: str
    name: str
    status: str
    scan: str | None
    scan_axes: list[AxisModel]
    pattern_axes: list[AxisModel]
    convergence: Convergence
    components: list[Component]
    chi2: float | None
    has: list[Literal["residual", "leftovers", "groups", "phases", "particles", "orientations", "report"]]
    notes: list[str]
    timings_s: dict[str, float]
    recipe: dict[str, Any]
    record: dict[str, Any]


class GroupModel(Model):
    """One group; all maps and patterns lie at `api/runs/{id}/groups/{maps|patterns}`."""

    index: int
    members: list[int]
    strength: float
    crystalline: bool
    phase: str | None


class Merge(Model):
    """One merge of the dendrogram, as scipy writes it: clusters a and b join at a height."""

    a: int
    b: int
    height: float
    size: int


class GroupsReply(Model):
    """Groups, their tree and its cut."""

    labels: list[int]
    rotation_deg: list[float]
    mirrored: list[bool]
    tree: list[Merge]
    leaves: list[int] = Field(description="Order in which leaves stand so that no lines cross.")
    cut: float
    cut_reason: str
    method: str
    groups: list[GroupModel]


class CutRequest(Model):
    """Ask for groups at another height of the tree."""

    height: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
    align: bool = Field(
        default=False, description="Whether to turn and average patterns too, which takes a moment."
    )


class CutReply(Model):
    """Groups at that height; aligned patterns and maps by key at `api/arrays/{key}`."""

    cut: float
    labels: list[int]
    rotation_deg: list[float]
    groups: list[GroupModel]
    patterns: str | None = Field(
        default=None, description="Key of an array (g, *pattern_shape), where asked for."
    )
    maps: str | None = Field(default=None, description="Key of an array (g, *scan_shape), where asked for.")


class Spot(Model):
    """A measured spot of a pattern."""

    v: float = Field(description="Pixel.")
    u: float
    g: tuple[float, float] = Field(description="(v, u) in 1/angstrom.")
    intensity: float


class ExpectedSpot(Model):
    """A spot that a structure should have; `spot` is the measured one found there, or null."""

    v: float
    u: float
    hkl: tuple[int, int, int]
    intensity: float
    doubled: bool
    spot: int | None


class Match(Model):
    """How a candidate fits: expected spots, or radii of rings."""

    phase: str
    by: str
    score: float
    probability: float | None
    explained: float | None
    seen: float | None
    zone_axis: tuple[int, int, int] | None
    rotation_deg: float | None
    scale: float
    residual: float | None
    spots: list[ExpectedSpot]
    rings: list[float] = Field(description="Radii in 1/angstrom, where the answer rests on rings.")


class Answer(Model):
    """What the pattern of a group was found to be, best candidate first: the second is the runner-up."""

    group: int
    phase: str
    by: str
    reason: str
    margin: float | None
    spots: list[Spot]
    matches: list[Match]
    halo: list[float] = Field(description="Positions of rings of a pattern without spots, 1/angstrom.")


class PhasesReply(Model):
    """Answers for all groups."""

    candidates: list[str]
    center: tuple[float, float]
    scale: float = Field(description="1/angstrom a pixel.")
    answers: list[Answer]
    notes: list[str]


class ParticleModel(Model):
    """One particle; lengths in the unit of the scan axes."""

    id: int
    group: int
    component: int
    y: float
    x: float
    area: float
    diameter: float
    on_border: bool
    fit_diameter: float | None
    aspect_ratio: float | None


class Histogram(Model):
    """Counts between edges (one more than counts)."""

    edges: list[float]
    counts: list[int]


class ParticlesReply(Model):
    """Particles and their statistics; labels (g, *scan_shape) at `api/runs/{id}/particles/labels`."""

    unit: str
    n_groups: int
    particles: list[ParticleModel]
    number_density: float | None
    area_fraction: float | None
    volume_fraction: float | None
    mean_diameter: float | None
    mean_interval: tuple[float, float] | None
    median_diameter: float | None
    median_interval: tuple[float, float] | None
    histogram: Histogram
    notes: list[str]


class HistoryRow(Model):
    """A run that lies beside, opened or not."""

    id: str | None = Field(description="Null where it is not opened; POST api/runs opens it.")
    name: str
    status: str | None
    started: str | None
    input: str | None
    components: int | None = Field(default=None, description="Of an opened run.")
    relative_error: float | None = Field(default=None, description="Of an opened run.")


class OpenRunRequest(Model):
    """Open a run that the history lists."""

    name: Name


class CompareRunsReply(Model):
    """How two runs differ: changed values of the recipe, and components matched by pattern and map."""

    first: str
    second: str
    recipe: dict[str, tuple[Any, Any]] = Field(description="Dotted key to the value in each.")
    pairs: list[tuple[Index, Index]] = Field(description="Component of the first and its best of the second.")
    pattern_cosine: list[float]
    map_cosine: list[float]
    relative_error: tuple[float | None, float | None]
