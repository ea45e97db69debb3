"""The parcels that unit tests export are judged here too."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "unit" / "io" / "exporters"))
