"""The fields of the invoice that a user fills in: one table, from which its schema and an empty invoice are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from unmixel.pipeline.resolve import SHIPPED

Value = str | int | float | bool


@dataclass(frozen=True)
class Field:
    """One field.

    Parameters
    ----------
    key : str
    kind : {"string", "integer", "number", "boolean"}
    en, ja : str
        Its labels.
    hint_en, hint_ja : str
        What to write into it, shown while it is empty.
    sets : str
        The value of the recipe that it sets; empty where it does something else.
    default : str, bool or None
    unit : str
    choices : tuple of str
    pattern : str
        Regular expression.
    rows : int
        Rows of a large text field; 0 for a line.
    """

    key: str
    kind: Literal["string", "integer", "number", "boolean"]
    en: str
    ja: str
    hint_en: str = ""
    hint_ja: str = ""
    sets: str = ""
    default: Value | None = None
    unit: str = ""
    choices: tuple[str, ...] = ()
    pattern: str = ""
    rows: int = 0

    def schema(self) -> dict[str, Any]:
        """Return its part of ``invoice.schema.json``."""
        found: dict[str, Any] = {"label": {"ja": self.ja, "en": self.en}, "type": self.kind}
        if self.default is not None:
            found["default"] = self.default
        if self.choices:
            found["enum"] = list(self.choices)
        if self.pattern:
            found["pattern"] = self.pattern
        if self.kind == "integer":
            found["minimum"] = 1
        if self.kind == "number":
            found["exclusiveMinimum"] = 0
        options: dict[str, Any] = {}
        if self.rows:
            options |= {"widget": "textarea", "rows": self.rows}
        if self.unit:
            options["unit"] = self.unit
        if self.hint_en:
            options["placeholder"] = {"ja": self.hint_ja, "en": self.hint_en}
        return found | ({"options": options} if options else {})


SETTINGS = (
    Field("recipe", "string", "Recipe", "レシピ", default="auto", choices=("auto", *sorted(SHIPPED.values()))),
    Field("components", "integer", "Number of components", "成分数", "empty: as the recipe says",
          "空欄の場合はレシピの値", sets="factorize.components"),
    Field("candidates", "string", "Candidate structures", "候補構造", "e.g. MgO, CuZr2; .cif files may be uploaded",
          "例：MgO, CuZr2（.cifファイルも登録可）"),
    Field("elements", "string", "Candidates made of these elements", "候補構造の構成元素", "e.g. Zr, Cu, Al",
          "例：Zr, Cu, Al"),
    Field("scan_shape", "string", "Scan shape (rows x columns)", "走査点数（行×列）", "e.g. 100x80",
          "例：100x80", sets="read.scan_shape", pattern="^$|^[1-9][0-9]*x[1-9][0-9]*$"),
    Field("drop_flyback", "boolean", "Leave out the flyback column", "振り戻し（フライバック）列の除外",
          sets="read.drop_flyback", default=False),
    Field("acceleration_voltage", "number", "Acceleration voltage", "加速電圧", "where the file does not say it",
          "ファイルに記録がない場合に記入", sets="read.voltage_kV", unit="kV"),
    Field("stem_convergence_semiangle", "number", "Convergence semiangle", "収束半角",
          "where the file does not say it", "ファイルに記録がない場合に記入", sets="read.convergence_mrad",
          unit="mrad"),
    Field("recipe_settings", "string", "Further settings of the recipe", "レシピの追加設定",
          "one a line, e.g. factorize.loss=kl", "1行に1項目　例：factorize.loss=kl", rows=4),
    Field("data_file", "string", "Name of the data file", "データファイル名", "where several were uploaded",
          "複数のファイルを登録する場合に記入"),
)  # fmt: skip
"""Fields that change what is done."""

CATALOGUE = (
    Field("specimen_label", "string", "Specimen label", "試料名"),
    Field("common_data_type", "string", "Data type", "登録データタイプ", default="STEM"),
    Field("common_data_origin", "string", "Data Origin", "データの起源", default="experiments"),
    Field("common_technical_category", "string", "Technical Category", "技術カテゴリー", default="measurement"),
    Field("common_reference", "string", "Reference", "参考文献"),
    Field("measurement_method_category", "string", "Method category", "計測法カテゴリー", default="顕微法"),
    Field("measurement_method_sub_category", "string", "Method sub-category", "計測法サブカテゴリー",
          default="走査透過電子顕微鏡法"),
)  # fmt: skip
"""Fields for finding the data again, as NIMS's template for electron microscopes has them."""

FIELDS = (*SETTINGS, *CATALOGUE)


def schema() -> dict[str, Any]:
    """Return the content of ``invoice.schema.json``.

    Examples
    --------
    >>> schema()["properties"]["custom"]["properties"]["components"]["label"]["ja"]
    '成分数'
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://rde.nims.go.jp/rde/dataset-templates/unmixel/invoice.schema.json",
        "description": "4D-STEM and spectrum images separated by unmixel (4D-STEM・スペクトルイメージのNMF解析)",
        "type": "object",
        "required": ["custom", "sample"],
        "properties": {
            "custom": {
                "type": "object",
                "label": {"ja": "固有情報", "en": "Custom Information"},
                "required": [],
                "properties": {field.key: field.schema() for field in FIELDS},
            },
            "sample": {
                "type": "object",
                "label": {"ja": "試料情報", "en": "Sample Information"},
                "required": ["names"],
                "properties": {},
            },
        },
    }


def blank(*, name: str = "unmixel", sample: str = "sample", date: str = "2000-01-01") -> dict[str, Any]:
    """Return an invoice with every default and nothing else, to be filled in; RDE writes its own in its place.

    Parameters
    ----------
    name : str
        Of the data.
    sample : str
        Name of the sample.
    date : str
        Of submission, ``YYYY-MM-DD``.
    """
    nobody = "0" * 56
    return {
        "datasetId": "00000000-0000-0000-0000-000000000000",
        "basic": {
            "dateSubmitted": date,
            "dataOwnerId": nobody,
            "dataName": name,
            "instrumentId": None,
            "experimentId": None,
            "description": None,
        },
        "custom": {field.key: field.default for field in FIELDS},
        "sample": {
            "sampleId": "",
            "names": [sample],
            "composition": None,
            "referenceUrl": None,
            "description": None,
            "generalAttributes": [],
            "specificAttributes": [],
            "ownerId": nobody,
        },
    }
