"""Write what the viewer's server says of its API into openapi.json, from which `npm run types` makes TypeScript."""

from __future__ import annotations

import json
from pathlib import Path

from unmixel.web.app import description

TARGET = Path(__file__).with_name("openapi.json")


def text() -> str:
    """Return the description of the API, without the version of unmixel."""
    document = description()
    document["info"]["version"] = "-"
    return json.dumps(document, indent=1) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
