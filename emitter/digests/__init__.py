"""Content digests: pure functions from data to identity, as `docs/digests.md` specifies them.

`content_of` decides by the type of the data which digests apply, and looks only at libraries that the caller
has already imported. Files are never unpickled. What the specification does not cover raises `Refused`;
whether that becomes a warning, an error or a reference is the caller's business, and so are names, events and
facets.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .files import file_digest, folder_digest, unchanged
from .framing import DISTINCTIVE_BYTES
from .plain import bytes_content, json_content, text_content
from .records import Column, Content, Model, Refused, Tensor
from .tables import is_table, table_digest, to_arrow

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Column", "Content", "Model", "Refused", "Tensor", "content_of"]


def content_of(data: object) -> Content:
    """The identities of `data`.

    Tables (pandas, Arrow, polars, a list of texts), numpy arrays and dicts of them, scikit-learn estimators,
    text, bytes, plain JSON values, and a `pathlib.Path` to a file or folder. A Parquet, Arrow IPC (Feather),
    npy or npz file carries the digest of its content beside that of its bytes; where that content is refused,
    `absent` says why.

    Raises:
        Refused: the data is outside the specification, or cannot be read.
    """
    numpy = sys.modules.get("numpy")
    if isinstance(data, Path):
        return _folder(data) if data.is_dir() else _file(data)
    if isinstance(data, str):
        return text_content(data)
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes_content(data)
    if is_table(data):
        return _table(to_arrow(data), modality="text" if isinstance(data, list) else "tabular")
    if numpy is not None:
        if isinstance(data, numpy.ndarray):
            return _array(data)
        if isinstance(data, dict) and any(isinstance(value, numpy.ndarray) for value in data.values()):
            return _state(data)
    if (base := sys.modules.get("sklearn.base")) is not None and isinstance(data, base.BaseEstimator):
        return _estimator(data)
    return json_content(data)


def _table(table: pa.Table, *, modality: str = "tabular") -> Content:
    found = table_digest(table)
    return Content(
        digests=(found.digest,),
        kind="table",
        modality=modality,
        rows=found.rows,
        bytes=found.bytes,
        columns=found.columns,
        distinctive=found.distinctive,
    )


def _array(array: Any) -> Content:
    from .tensors import tensors_digest

    found = tensors_digest({"": array})
    return Content(
        digests=(found.tensors, found.weights),
        kind="tensors",
        modality="tensor",
        rows=array.shape[0] if array.ndim else None,
        bytes=found.bytes,
        distinctive=found.distinctive,
    )


def _state(state: dict[Any, Any]) -> Content:
    from .tensors import tensors_digest

    for name in state:
        if not isinstance(name, str):
            raise Refused(f"the name {name!r} is not text", where="tensor names", advice="use text names")
    found = tensors_digest(state)
    model = Model(
        tensors=found.tensors,
        weights=found.weights,
        architecture=found.architecture,
        parameters=found.elements,
        tensor_digests=found.members,
    )
    return Content(
        digests=(found.tensors, found.weights),
        kind="tensors",
        modality="tensor",
        bytes=found.bytes,
        distinctive=found.distinctive,
        model=model,
    )


def _estimator(estimator: Any) -> Content:
    from .estimators import estimator_digest

    found = estimator_digest(estimator)
    return Content(
        digests=(found.digest,),
        kind="estimator",
        modality="model",
        bytes=found.bytes,
        distinctive=found.distinctive,
        model=found.model,
    )


def _folder(folder: Path) -> Content:
    digest, size = folder_digest(folder)
    return Content(
        digests=(digest,), kind="folder", modality="file", bytes=size, distinctive=size >= DISTINCTIVE_BYTES
    )


def _file(path: Path) -> Content:
    """The digest of the bytes, behind that of the content where the format is known."""
    with unchanged(path):
        raw, size = file_digest(path)
        inner, absent = None, None
        try:
            inner = _inside(path)
        except Refused as refused:
            absent = f"no digest of the content: {refused}"
    if inner is not None:
        return replace(inner, digests=(*inner.digests, raw))
    return Content(
        digests=(raw,),
        kind="bytes",
        modality="file",
        bytes=size,
        distinctive=size >= DISTINCTIVE_BYTES,
        absent=absent,
    )


def _inside(path: Path) -> Content | None:
    """What a file of a known format holds; None for any other format."""
    suffix = path.suffix.lower()
    if suffix not in (".parquet", ".pq", ".feather", ".arrow", ".npy", ".npz"):
        return None
    try:
        if suffix in (".npy", ".npz"):
            import numpy as np

            with path.open("rb") as file:
                loaded = np.load(file, allow_pickle=False)
                return _array(loaded) if isinstance(loaded, np.ndarray) else _state(dict(loaded))
        import pyarrow as pa

        if suffix in (".parquet", ".pq"):
            import pyarrow.parquet as pq

            with pq.ParquetFile(path) as parquet:  # no folder name becomes a column, as in read_table
                return _table(parquet.read())
        with pa.OSFile(str(path)) as source:
            return _table(pa.ipc.open_file(source).read_all())
    except Refused:
        raise
    except Exception as error:  # whatever the reader of a format makes of a damaged file
        raise Refused(f"not readable as {suffix} ({error})", where=str(path), advice="check it") from error
