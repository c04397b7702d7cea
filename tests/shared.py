"""Where the specification's schemas and the events written by others lie: beside the repository, not in it."""

import os
from pathlib import Path

SHARED = Path(os.environ.get("RELINEAGE_SHARED", Path(__file__).resolve().parents[2] / "shared"))
