"""A content as its facets say it, so that it can be compared without its data.

Decides what is believed: columns, leaves and tensors only as far as the recorded digests bind them. What differs
between two contents is decided in the emitter's `compare`.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from ...emitter.digests import Column, Content, Model, Refused, Tensor
from ...emitter.digests.appending import bound, column
from ...emitter.digests.framing import digest, labelled, merkle_root, number


def content_said(content: Mapping[str, Any], model: Mapping[str, Any]) -> Content:
    """A content as facets say it. Columns, leaves and tensors that its digests do not bind are left out."""
    digests = tuple(texts(content.get("digests")))
    rows = content.get("rows")
    rows = rows if isinstance(rows, int) else None
    columns = tuple(one for one in map(_column, objects(content.get("columns"))) if one is not None)
    try:
        whole = bound(columns, rows=rows or 0, size=0, varies=False).digest in digests
    except (Refused, ValueError, OverflowError):
        whole = False
    tensors = tuple(one for one in map(_tensor, objects(model.get("tensorDigests"))) if one is not None)
    return Content(
        digests=digests,
        kind=str(content.get("kind")),
        rows=rows,
        columns=columns if whole else (),
        model=Model(tensor_digests=tensors) if tensors and _weights(tensors) in digests else None,
    )


def _weights(tensors: tuple[Tensor, ...]) -> str | None:
    try:
        raw = sorted({bytes.fromhex(one.digest.partition(":")[2]) for one in tensors})
    except ValueError:
        return None
    return labelled("b3-weights1", digest("b3-weights1 root", number(len(raw)), merkle_root(raw)))


def _column(said: Mapping[str, Any]) -> Column | None:
    name, type_, digest_, leaves = (said.get(key) for key in ("name", "type", "digest", "leaves"))
    if not (isinstance(name, str) and isinstance(type_, str) and isinstance(digest_, str)):
        return None
    if isinstance(leaves, str):
        try:
            made = column(name, type_, base64.b64decode(leaves, validate=True))
        except ValueError:
            made = None
        if made is not None and made.digest == digest_:
            return made
    return Column(name=name, type=type_, digest=digest_)


def _tensor(said: Mapping[str, Any]) -> Tensor | None:
    name, dtype, shape, digest_ = (said.get(key) for key in ("name", "dtype", "shape", "digest"))
    if not (isinstance(name, str) and isinstance(dtype, str) and isinstance(digest_, str)):
        return None
    if not isinstance(shape, list):
        return None
    return Tensor(name=name, dtype=dtype, shape=tuple(shape), digest=digest_)


def texts(value: object) -> list[str]:
    """The texts of a list; none where it is no list."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def objects(value: object) -> list[dict[str, Any]]:
    """The objects of a list; none where it is no list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
