"""Text, bytes and small JSON values as bytes.

JSON has one form here: keys sorted by code point, no spaces, UTF-8, the shortest digits that give the number
back. What JSON cannot say apart (tuples and lists, number and text keys) or at all (NaN) is refused, never
bent.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from .framing import DISTINCTIVE_BYTES, hasher, labelled, utf8
from .records import Content, Refused


def text_content(text: str) -> Content:
    """`b3-bytes1` of the UTF-8 bytes: the same as of a file that holds just this text."""
    return _content(utf8(text, where="text"), kind="text", modality="text")


def bytes_content(data: bytes | bytearray | memoryview) -> Content:
    """`b3-bytes1` of the bytes."""
    return _content(data if isinstance(data, bytes) else bytes(data), kind="bytes", modality=None)


def json_content(value: object) -> Content:
    """`b3-bytes1` of the canonical JSON text; never distinctive.

    Raises:
        Refused: a value without a JSON form, named by its path.
    """
    return _content(canonical_json(value), kind="json", modality=None)


def canonical_json(value: object, *, where: str = "value") -> bytes:
    """The one JSON text of a value, in UTF-8; `where` is for the error.

    Raises:
        Refused: a value without a JSON form, named by its path.
    """
    try:
        plain = _plain(value, where)
    except RecursionError:
        raise Refused("nested too deeply", where=where, advice="flatten it, or pass it as bytes") from None
    text = json.dumps(plain, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return utf8(text, where=where)


def _plain(value: object, path: str) -> Any:
    if (numpy := sys.modules.get("numpy")) is not None and isinstance(value, numpy.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise Refused(f"{value} has no JSON form", where=path, advice="use null, text or an array")
        return value
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise Refused(f"the key {key!r} is not text", where=path, advice="use text keys")
        return {key: _plain(part, f"{path}[{key!r}]") for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part, f"{path}[{i}]") for i, part in enumerate(value)]
    kind = type(value)
    raise Refused(
        f"{kind.__module__}.{kind.__qualname__} has no digest",
        where=path,
        advice="pass a frame, arrays by name, a scikit-learn estimator, text, bytes, a path or plain JSON",
    )


def _content(data: bytes, *, kind: str, modality: str | None) -> Content:
    state = hasher(size=len(data))
    state.update(data)
    varied = data[:1] * len(data) != data
    return Content(
        digests=(labelled("b3-bytes1", state.digest()),),
        kind=kind,
        modality=modality,
        bytes=len(data),
        distinctive=kind != "json" and len(data) >= DISTINCTIVE_BYTES and varied,
    )
