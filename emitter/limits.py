"""How large a facet may be on the wire, and where the rest goes.

Decides that a facet has at most 64 kB and an event at most 900 kB (brokers refuse 1 MB by default; a thousand
columns of `dataQualityMetrics` are 245 kB). What is beyond is cut, details before whole columns, and the whole
is kept as one object beside the events, named by the digest of its bytes.
"""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .guard import Guard

FACET_BYTES = 63 * 1024  # redaction and escaping may still add a little to what is measured here
EVENT_BYTES = 900_000
_dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_NEVER_CUT = ("_producer", "_schemaURL", "digests")  # what a facet, or a version, is


def size_of(value: object) -> int:
    """Bytes of a JSON value on the wire."""
    return len(_dumps(value).encode("utf-8", "surrogatepass"))


def size_of_facets(facets: Mapping[str, Any]) -> int:
    """Bytes of the facets of one entity on the wire; of those that do not change any more they are known."""
    rest, size = {}, 0
    for key, facet in facets.items():
        if (known := getattr(facet, "wire_bytes", None)) is None:
            rest[key] = facet
        else:
            size += len(key.encode()) + 4 + known
    return size + size_of(rest)


def fit(facet: Mapping[str, Any], limit_bytes: int = FACET_BYTES) -> tuple[Mapping[str, Any], bool]:
    """A facet that is small enough, and whether something was left out.

    The leaves of columns go first, all of them. Of statistics, histograms give way before columns do, those of
    the last columns first, then frequent values. Then the field with the most bytes gives way: a list or an object
    keeps its first entries, a text its beginning.
    """
    size = getattr(facet, "wire_bytes", None)
    if (size_of(facet) if size is None else size) <= limit_bytes:
        return facet, False
    fitted = dict(facet)
    cut = False
    if size_of(fitted) > limit_bytes and any("leaves" in one for one in _objects(fitted.get("columns"))):
        fitted["columns"] = [
            {key: value for key, value in one.items() if key != "leaves"}
            for one in _objects(fitted["columns"])
        ]
        cut = True
    for part in ("histogram", "top"):
        excess = size_of(fitted) - limit_bytes
        if excess > 0 and any(one.get(part) for one in _objects(fitted.get("features"))):
            fitted["features"] = _without(part, fitted["features"], excess)
            cut = True
    while (excess := size_of(fitted) - limit_bytes) > 0:
        key = max((key for key in fitted if key not in _NEVER_CUT), key=lambda key: size_of(fitted[key]))
        smaller = _first_part(fitted[key], size_of(fitted[key]) - excess)
        if smaller == fitted[key]:
            break
        fitted[key] = smaller
        cut = True
    return fitted, cut


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _without(part: str, entries: list[Any], excess: int) -> list[Any]:
    """The entries, from the last one on without that part of theirs, until so many bytes are saved."""
    kept: list[Any] = []
    for one in reversed(entries):
        if excess > 0 and isinstance(one, Mapping) and one.get(part):
            excess -= size_of({part: one[part]}) - 1  # a comma instead of two braces
            one = {key: value for key, value in one.items() if key != part}
        kept.append(one)
    return kept[::-1]


def _first_part(value: Any, limit_bytes: int) -> Any:
    if isinstance(value, str):
        return (
            value.encode("utf-8", "surrogatepass")[: max(0, limit_bytes - 8)].decode("utf-8", "ignore") + "…"
        )
    left = limit_bytes - 2
    if isinstance(value, Mapping):
        pairs = {}
        for key, item in value.items():
            left -= size_of(key) + size_of(item) + 2
            if left < 0:
                break
            pairs[key] = item
        return pairs
    if isinstance(value, list):
        for count, item in enumerate(value):
            left -= size_of(item) + 1
            if left < 0:
                return value[:count]
    return value


def keep(value: Mapping[str, Any], folder: Callable[[], Path], guard: Guard) -> str:
    """Write a JSON value, secrets redacted, as `<digest>.json` into a folder; the digest (b3-bytes1) is of
    those bytes. It names them also where they cannot be written, which the guard meets: the event is worth more.
    """
    from blake3 import blake3

    from ..facets.encode import encode

    data = encode(value)
    digest = "b3-bytes1:" + blake3(data).hexdigest()
    with guard.protecting("keeping what does not fit into an event"):
        file = folder() / f"{digest}.json"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            half = file.with_name(f".{digest}.{os.getpid()}-{os.urandom(4).hex()}")
            half.write_bytes(data)
            half.replace(file)  # whole or not at all
    return digest
