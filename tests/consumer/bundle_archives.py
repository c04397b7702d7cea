"""Bundles made by hand, honest and not: what is in them can be anything."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

MIME = b"application/vnd.relineage.bundle+zip"
EVENT = (
    b'{"eventType":"COMPLETE","eventTime":"2026-01-31T10:00:00Z","run":{"runId":"0199c0de-0000-7000-8000-000000000001"},'
    b'"job":{"namespace":"n","name":"train"},"producer":"https://example.com",'
    b'"schemaURL":"https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"}'
)


def described(name: str, content: bytes) -> dict[str, Any]:
    return {"name": name, "size": len(content), "sha256": sha256(content).hexdigest()}


@dataclass
class Parts:
    """What a bundle is written from; every part can be spoiled."""

    members: dict[str, bytes] = field(default_factory=lambda: {"events.ndjson": EVENT + b"\n"})
    manifest: dict[str, Any] = field(default_factory=dict)
    raw_manifest: bytes | None = None
    head: bytes = MIME
    compression: int = zipfile.ZIP_DEFLATED
    more: list[tuple[str, bytes]] = field(default_factory=list)  # members that the manifest does not name

    def said(self) -> bytes:
        if self.raw_manifest is not None:
            return self.raw_manifest
        manifest = {
            "format": "relineage-bundle",
            "version": 1,
            "of": {"x": "run:0199c0de-0000-7000-8000-000000000001", "kind": "run"},
            "madeBy": "relineage 0.1.0",
            "asOf": "2026-01-31T10:00:00.000000Z",
            "runs": ["0199c0de-0000-7000-8000-000000000001"],
            "besides": [],
            "events": 1,
            "commits": [],
            "folders": [],
            "data": False,
            "members": [described(name, content) for name, content in self.members.items()],
            "missing": [],
        }
        return json.dumps(manifest | self.manifest).encode()

    def write(self, path: Path) -> Path:
        with zipfile.ZipFile(path, "w", self.compression) as archive:
            archive.writestr(zipfile.ZipInfo("mimetype", (1980, 1, 1, 0, 0, 0)), self.head)
            for name, content in [*self.members.items(), *self.more]:
                archive.writestr(name, content)
            archive.writestr("manifest.json", self.said())
        return path


Spoil = Callable[[Parts], None]
