"""Content digests: pure functions from data to identity, as `docs/digests.md` specifies them.

`content_of` decides by the type of the data which digests apply, and looks only at libraries that the caller
has already imported. Files are never unpickled. What the specification does not cover raises `Refused`;
whether that becomes a warning, an error or a reference is the caller's business, and so are names, events and
facets.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import formats
from .files import Progress, file_digest, folder_digest, is_folder, state_of, unchanged
from .framing import DISTINCTIVE_BYTES
from .plain import bytes_content, json_content, text_content
from .records import Column, Content, Model, Refused, TableDigest, Tensor
from .rows import RowsState, rows_state
from .safetensors import INDEX_SUFFIX, checkpoint_in, safetensors_digest
from .tables import is_table, table_digest
from .tensors import TensorsDigest, is_array, tensors_digest
from .torch_models import architecture_digest, is_module, is_tensor, state_digest

if TYPE_CHECKING:
    import pyarrow as pa

    from .cache import DigestCache

__all__ = ["Column", "Content", "Model", "Refused", "Tensor", "cache_in", "content_of"]


def content_of(
    data: object, *, rows: bool = False, cache: DigestCache | None = None, progress: Progress | None = None
) -> Content:
    """The identities of `data`.

    Tables (pandas, Arrow, polars, a list of texts), numpy arrays, torch tensors and dicts of them, torch modules,
    scikit-learn estimators, text, bytes, plain JSON values, and a `pathlib.Path` to a file or folder. A
    Parquet, Arrow IPC (Feather), CSV, npy, npz or safetensors file, and a folder that holds one safetensors
    checkpoint, carries the digest of its content beside that of its bytes; where that content is refused,
    `absent` says why.

    Args:
        data: what is to be identified.
        rows: with the digest of the rows in any order, if it is a table; about 1 µs a row.
        cache: of digests of files; None reads every file.
        progress: is told how many of a file's or folder's bytes are read; a file of a known format is read
            once more, or twice, and told of anew each time.

    Raises:
        Refused: the data is outside the specification, or cannot be read.
    """
    if isinstance(data, Path):
        return _folder(data, cache, progress) if is_folder(data) else _file(data, rows, cache, progress)
    if isinstance(data, str):
        return text_content(data)
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes_content(data)
    if is_table(data):
        found = table_digest(data)
        modality = "text" if isinstance(data, list) else "tabular"
        return _table_content(found, rows_state(data).digest if rows else None, modality=modality)
    if is_array(data) or is_tensor(data):
        return _array(data)
    if is_module(data):
        return _module(data)
    if isinstance(data, dict) and any(is_array(value) or is_tensor(value) for value in data.values()):
        return _state(data)
    if (base := sys.modules.get("sklearn.base")) is not None and isinstance(data, base.BaseEstimator):
        return _estimator(data)
    return json_content(data)


def cache_in(home: Path | None) -> DigestCache | None:
    """The cache of digests in the folder `.relineage`; None without one, or where Python came without SQLite."""
    if home is None:
        return None
    try:
        from .cache import DigestCache
    except ImportError:
        return None
    return DigestCache(home / "cache")


def _table_content(found: TableDigest, rows: str | None, *, modality: str = "tabular") -> Content:
    return Content(
        digests=(found.digest,) if rows is None else (found.digest, rows),
        kind="table",
        modality=modality,
        rows=found.rows,
        bytes=found.bytes,
        columns=found.columns,
        distinctive=found.distinctive,
    )


def _array(array: Any) -> Content:
    return _array_content(state_digest({"": array}))


def _array_content(found: TensorsDigest) -> Content:
    shape = found.members[0].shape
    return Content(
        digests=(found.tensors, found.weights),
        kind="tensors",
        modality="tensor",
        rows=shape[0] if shape else None,
        bytes=found.bytes,
        distinctive=found.distinctive,
    )


def _state(state: Mapping[Any, Any]) -> Content:
    for name in state:
        if not isinstance(name, str):
            raise Refused(f"the name {name!r} is not text", where="tensor names", advice="use text names")
    framework = "torch" if any(map(is_tensor, state.values())) else None
    return _tensors(state_digest(state), framework=framework)


def _module(module: Any) -> Content:
    architecture = architecture_digest(module)
    found = replace(state_digest(module.state_dict()), architecture=architecture)
    return _tensors(found, framework="torch", modality="model")


def _tensors(found: TensorsDigest, *, framework: str | None = None, modality: str = "tensor") -> Content:
    model = Model(
        tensors=found.tensors,
        weights=found.weights,
        architecture=found.architecture,
        framework=framework,
        parameters=found.elements,
        tensor_digests=found.members,
        aliases=found.aliases,
    )
    return Content(
        digests=(found.tensors, found.weights),
        kind="tensors",
        modality=modality,
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


def _folder(folder: Path, cache: DigestCache | None, progress: Progress | None) -> Content:
    """The digest of the manifest, behind that of the one safetensors checkpoint that lies in the folder."""
    inner, absent = None, None
    with ExitStack() as stack:
        try:
            if (checkpoint := checkpoint_in(folder)) is not None:
                found = stack.enter_context(safetensors_digest(checkpoint, progress=progress))
                inner = _tensors(found, modality="model")
        except Refused as refused:
            absent = f"no digest of the content: {refused}"
        try:
            digest, size = folder_digest(folder, cache=cache, progress=progress)
        except Refused as refused:
            if inner is None:
                raise
            return replace(inner, absent=f"no digest of the folder: {refused}")
    if inner is not None:
        return replace(inner, digests=(*inner.digests, digest))
    return _files_content("folder", digest, size, absent)


def _files_content(kind: str, digest: str, size: int, absent: str | None) -> Content:
    """What is known of files by their bytes alone; `absent` says why there is no more."""
    return Content(
        digests=(digest,),
        kind=kind,
        modality="file",
        bytes=size,
        distinctive=size >= DISTINCTIVE_BYTES,
        absent=absent,
    )


def _file(path: Path, rows: bool, cache: DigestCache | None, progress: Progress | None) -> Content:
    """The digest of the bytes, behind that of the content where the format is known."""
    began = time.time_ns()
    with unchanged(path):
        state = state_of(path)
        raw, size = file_digest(path, cache=cache, progress=progress)
        kind = formats.kind_of(path)
        if rows and kind in formats.TABLES:
            kind += "+rows"  # kept apart from what was found without them
        inner, absent = None, None
        if cache is not None and kind is not None:
            inner = cache.content(state, kind)
        kept = inner is not None
        if not kept:
            try:
                inner = _inside(path, rows, progress)
            except Refused as refused:
                absent = f"no digest of the content: {refused}"
    if inner is not None:
        if cache is not None and kind is not None and not kept:
            cache.keep_content(state, kind, inner, began)
        return replace(inner, digests=(*inner.digests, raw))
    return _files_content("bytes", raw, size, absent)


def _inside(path: Path, rows: bool, progress: Progress | None) -> Content | None:
    """What a file of a known format holds; None for any other format."""
    suffix = path.suffix.lower()
    if suffix == ".safetensors" or path.name.lower().endswith(INDEX_SUFFIX):
        with safetensors_digest(path, progress=progress) as found:
            return _tensors(found, modality="model")
    if suffix in formats.TABLES:
        return _table_file(path, rows, progress)
    if suffix == ".npy":
        return _array_content(tensors_digest([""], lambda _: formats.npy_bits(path)))
    if suffix == ".npz":
        return _tensors(formats.npz_digest(path))
    if suffix in formats.PICKLES:
        raise formats.never_loaded(path)
    return None


def _table_file(path: Path, rows: bool, progress: Progress | None) -> Content:
    if not rows:
        return _table_content(formats.file_table_digest(path, progress=progress), None)
    state: RowsState | None = None

    def add(part: pa.Table) -> None:
        nonlocal state
        state = rows_state(part) if state is None else state + rows_state(part)

    found = formats.file_table_digest(path, progress=progress, also=add)
    return _table_content(found, (state or RowsState.without_rows(found.schema)).digest)
