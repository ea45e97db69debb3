"""The terms of ``metadata.json`` with names, types and units: one table, from which its definition is made too.

Keys that begin with ``stem.``, ``ted.`` and ``eels.`` are those of NIMS's template for electron microscopes
(RDE_ELECTRON_MICROSCOPE_STANDARD), with its units, so that one search finds both; ``stem.convergence_semiangle`` and
``stem.probe_current`` stand in its invoice. Where that template has one image and a 4D scan two, the names say which is
meant. It gives numbers as text; here they are numbers. Keys that begin with ``edx.`` and ``unmixel.`` are new.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from unmixel.rde.facts import DIFFRACTION, EDX, EELS

Kind = Literal["string", "integer", "number", "boolean"]


@dataclass(frozen=True)
class Term:
    """One term.

    Parameters
    ----------
    key : str
    kind : {"string", "integer", "number", "boolean"}
    unit : str
        Empty for a plain number or text.
    en, ja : str
        Its names.
    told : callable
        Returns its value from `Facts` (from `GroupFacts`, for a term of groups); None where it is not known.
    form : str
        ``date-time`` for a moment.
    headline : bool
        Whether RDE copies it into the description of the data.
    """

    key: str
    kind: Kind
    unit: str
    en: str
    ja: str
    told: Callable[[Any], Any]
    form: str = ""
    headline: bool = False


_G = "1/angstrom"

MEASURED = (
    Term("measurement_technique", "string", "", "Measurement technique", "測定手法", lambda f: f.measured_by),
    Term("stem.file_name", "string", "", "File name", "ファイル名", lambda f: f.file_name),
    Term("stem.microscope_information", "string", "", "Microscope information", "電子顕微鏡情報",
         lambda f: f.instrument("microscope")),
    Term("stem.acceleration_voltage", "number", "V", "Acceleration voltage", "加速電圧",
         lambda f: f.instrument("voltage_kV", 1e3)),
    Term("stem.stem_camera_length", "number", "mm", "STEM camera length", "STEMカメラ長",
         lambda f: f.instrument("camera_length_mm")),
    Term("stem.convergence_semiangle", "number", "mrad", "Convergence semiangle", "収束半角",
         lambda f: f.instrument("convergence_mrad")),
    Term("stem.probe_current", "number", "pA", "Probe current", "プローブ電流",
         lambda f: f.instrument("current_pA")),
    Term("stem.dwell_time", "number", "us", "Dwell time", "画素滞在時間",
         lambda f: f.instrument("dwell_s", 1e6)),
    Term("stem.pixel_number_along_x_axis", "integer", "pixel", "Number of scan positions along x",
         "x方向の走査点数", lambda f: f.size("x")),
    Term("stem.pixel_number_along_y_axis", "integer", "pixel", "Number of scan positions along y",
         "y方向の走査点数", lambda f: f.size("y")),
    Term("stem.pixel_size_along_x_axis", "number", "nm", "Scan step along x", "x方向の走査間隔",
         lambda f: f.step("x", "nm")),
    Term("stem.pixel_size_along_y_axis", "number", "nm", "Scan step along y", "y方向の走査間隔",
         lambda f: f.step("y", "nm")),
    Term("stem.pixel_actual_size_along_x_axis", "number", "nm", "Scanned length along x", "x方向の走査範囲",
         lambda f: f.extent("x", "nm")),
    Term("stem.pixel_actual_size_along_y_axis", "number", "nm", "Scanned length along y", "y方向の走査範囲",
         lambda f: f.extent("y", "nm")),
    Term("ted.detector", "string", "", "Detector (4D-STEM)", "検出器（4D-STEM）", lambda f: f.detector(DIFFRACTION)),
    Term("ted.pixel_number_along_x_axis", "integer", "pixel", "Pixels of a diffraction pattern along x",
         "電子回折図形のx方向の画素数", lambda f: f.size("u")),
    Term("ted.pixel_number_along_y_axis", "integer", "pixel", "Pixels of a diffraction pattern along y",
         "電子回折図形のy方向の画素数", lambda f: f.size("v")),
    Term("ted.pixel_size_along_x_axis", "number", _G, "Pixel size of a diffraction pattern along x",
         "電子回折図形のx方向の画素サイズ", lambda f: f.step("u", _G)),
    Term("ted.pixel_size_along_y_axis", "number", _G, "Pixel size of a diffraction pattern along y",
         "電子回折図形のy方向の画素サイズ", lambda f: f.step("v", _G)),
    Term("eels.detector", "string", "", "Detector (EELS)", "検出器（EELS）", lambda f: f.detector(EELS)),
    Term("eels.energy_dispersion_per_channel", "number", "eV", "Energy dispersion per channel (EELS)",
         "エネルギー分散（EELS）", lambda f: f.dispersion(EELS)),
    Term("eels.number_of_channels", "integer", "pixel", "Number of channels (EELS)",
         "チャンネル数（EELS）", lambda f: f.channels(EELS)),
    Term("edx.detector", "string", "", "Detector (EDX)", "検出器（EDX）", lambda f: f.detector(EDX)),
    Term("edx.energy_dispersion_per_channel", "number", "eV", "Energy per channel (EDX)",
         "チャンネル当たりのエネルギー（EDX）", lambda f: f.dispersion(EDX)),
    Term("edx.number_of_channels", "integer", "pixel", "Number of channels (EDX)",
         "チャンネル数（EDX）", lambda f: f.channels(EDX)),
    Term("unmixel.input_format", "string", "", "File format", "ファイル形式", lambda f: f.input("format")),
    Term("unmixel.input_sha256", "string", "", "SHA-256 of the raw data", "生データのSHA-256",
         lambda f: f.input("sha256")),
    Term("unmixel.input_sha256_covers", "string", "", "What the SHA-256 covers", "SHA-256の対象範囲",
         lambda f: f.input("covers")),
    Term("unmixel.data_warnings", "string", "", "Warnings of the data card", "データに関する注意",
         lambda f: f.warnings),
)  # fmt: skip
"""What was measured."""

PROCESSED = (
    Term("unmixel.version", "string", "", "Version of unmixel", "unmixelのバージョン",
         lambda f: f.record("versions", "unmixel")),
    Term("unmixel.processed_date_time", "string", "", "Time of processing", "解析日時",
         lambda f: f.record("started"), form="date-time"),
    Term("unmixel.recipe", "string", "", "Recipe", "レシピ", lambda f: f.record("recipe_from")),
    Term("unmixel.recipe_sha256", "string", "", "SHA-256 of the recipe", "レシピのSHA-256",
         lambda f: f.record("identity", "recipe_sha256")),
    Term("unmixel.random_seed", "integer", "", "Random seed", "乱数シード", lambda f: f.record("seed")),
    Term("unmixel.beam_position_x", "number", "pixel", "Position of the direct beam along x",
         "ダイレクトビームのx位置", lambda f: f.done("center", "center_u_px")),
    Term("unmixel.beam_position_y", "number", "pixel", "Position of the direct beam along y",
         "ダイレクトビームのy位置", lambda f: f.done("center", "center_v_px")),
    Term("unmixel.gain", "number", "", "Gain (variance / mean of the counts)",
         "ゲイン（計数値の分散／平均）", lambda f: f.done("poisson_weights", "gain")),
    Term("unmixel.method", "string", "", "Method of decomposition", "分解手法",
         lambda f: "non-negative matrix factorisation (非負値行列因子分解)"),
    Term("unmixel.constraints", "string", "", "Constraints", "制約条件", lambda f: f.constraints),
    Term("unmixel.number_of_components", "integer", "", "Number of components", "成分数",
         lambda f: f.result.factors.n_components, headline=True),
    Term("unmixel.number_of_sweeps", "integer", "", "Number of sweeps", "反復回数",
         lambda f: f.result.factors.convergence.n_sweeps),
    Term("unmixel.converged", "boolean", "", "Stop rule met", "収束判定",
         lambda f: f.result.factors.convergence.converged),
    Term("unmixel.relative_error", "number", "", "Relative error of the model", "モデルの相対誤差",
         lambda f: f.result.factors.convergence.relative_error),
    Term("unmixel.chi_square", "number", "", "Reduced chi-square against Poisson noise",
         "ポアソン雑音に対する換算カイ二乗値", lambda f: f.chi_square),
    Term("unmixel.number_of_flagged_components", "integer", "", "Components to look at with care",
         "要注意の成分数", lambda f: f.flagged),
)  # fmt: skip
"""What was done with it."""

FOUND = (
    Term("unmixel.number_of_groups", "integer", "", "Number of groups", "グループ数", lambda f: f.n_groups,
         headline=True),
    Term("unmixel.number_of_crystalline_groups", "integer", "", "Number of crystalline groups",
         "結晶性グループ数", lambda f: f.n_crystalline),
    Term("unmixel.phases", "string", "", "Phases", "相", lambda f: f.phases, headline=True),
    Term("unmixel.number_of_particles", "integer", "", "Number of particles", "粒子数",
         lambda f: f.n_particles, headline=True),
    Term("unmixel.mean_diameter", "number", "nm", "Mean particle diameter", "平均粒径",
         lambda f: f.particles("mean_diameter"), headline=True),
    Term("unmixel.mean_diameter_lower", "number", "nm", "Mean diameter, lower 95 % limit",
         "平均粒径の95%信頼下限", lambda f: f.particles("mean_interval", 0)),
    Term("unmixel.mean_diameter_upper", "number", "nm", "Mean diameter, upper 95 % limit",
         "平均粒径の95%信頼上限", lambda f: f.particles("mean_interval", 1)),
    Term("unmixel.median_diameter", "number", "nm", "Median particle diameter", "粒径の中央値",
         lambda f: f.particles("median_diameter")),
    Term("unmixel.number_density", "number", "1/nm^2", "Number density of particles", "粒子の数密度",
         lambda f: f.particles("number_density")),
    Term("unmixel.area_fraction", "number", "", "Area fraction of particles", "粒子の面積率",
         lambda f: f.particles("area_fraction", unit="")),
)  # fmt: skip
"""What was found in the whole scan."""

OF_GROUPS = (
    Term("unmixel.group", "integer", "", "Group", "グループ番号", lambda g: g.number),
    Term("unmixel.group_components", "string", "", "Components of the group", "グループの成分番号",
         lambda g: g.components),
    Term("unmixel.group_strength", "number", "", "Share of the counts", "全計数に占める割合",
         lambda g: g.strength),
    Term("unmixel.group_crystalline", "boolean", "", "Pattern with spots (crystalline)",
         "回折斑点の有無（結晶性）", lambda g: g.crystalline),
    Term("unmixel.group_phase", "string", "", "Phase of the group", "グループの相", lambda g: g.phase("phase")),
    Term("unmixel.group_phase_score", "number", "", "Score of the phase", "相の一致度",
         lambda g: g.phase("score")),
    Term("unmixel.group_phase_margin", "number", "", "Margin to the next phase", "次候補との一致度の差",
         lambda g: g.phase("margin")),
    Term("unmixel.group_zone_axis", "string", "", "Zone axis", "晶帯軸", lambda g: g.phase("zone_axis")),
    Term("unmixel.group_number_of_particles", "integer", "", "Particles of the group", "グループの粒子数",
         lambda g: g.n_particles),
    Term("unmixel.group_mean_diameter", "number", "nm", "Mean particle diameter of the group",
         "グループの平均粒径", lambda g: g.mean_diameter),
)  # fmt: skip
"""What was found for each group: the repeated part of ``metadata.json``."""

OF_THE_SCAN = (*MEASURED, *PROCESSED, *FOUND)
TERMS = (*OF_THE_SCAN, *OF_GROUPS)
