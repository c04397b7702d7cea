"""Rows as bytes: each row of a table becomes one unambiguous run of bytes.

Decides the form of a cell and of a row (`docs/digests.md`, "Rows"), and builds them for thousands of rows at
a time: numpy lays what has one width side by side, Arrow joins what has not. What a column may hold and how a
value is made canonical is `columns`' part, what becomes of the bytes is `rows`'.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .columns import fields_of, fixed_values, layout_of, plain_array, validity
from .records import Refused

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_FIRST_ROWS = 16
_BLOCK_ROWS = 8192
_BLOCK_BYTES = 16 << 20


def encoded_rows(table: pa.Table, head: bytes) -> Iterator[tuple[bytes, list[int]]]:
    """Give the rows in blocks: the bytes of many rows, and where each of them begins, the end at last.

    A row is `head`, then its cells in the order of the table's columns. Blocks begin with 16 rows and
    grow to 8,192, or to about 16 MiB: Arrow does not say how long rows are that dictionaries or views hold.

    Raises:
        Refused: this version of Arrow lacks a conversion that a column needs.
    """
    import numpy as np
    import pyarrow as pa

    start, most = 0, _FIRST_ROWS
    while start < table.num_rows:
        rows = min(most, table.num_rows - start)
        parts: list[Any] = [np.full(rows, np.void(head))]
        for name, column in zip(table.schema.names, table.columns, strict=True):
            try:
                parts += _column(column.slice(start, rows))
            except pa.ArrowException as error:
                where = f"column {name!r}"
                raise Refused(f"type {column.type}: {error}", where=where, advice="cast it") from error
        raw, bounds = _buffers(_joined(parts, rows))
        yield raw.to_pybytes(), bounds.tolist()
        start += rows
        most = max(1, min(2 * rows, _BLOCK_ROWS, _BLOCK_BYTES * rows // raw.size))


def _column(column: pa.ChunkedArray) -> list[Any]:
    """The cells of one column of a block; chunks become one only where there are several."""
    import pyarrow as pa

    chunks = [chunk for chunk in column.chunks if len(chunk)]
    if len(chunks) == 1:
        return _cells(chunks[0])
    return [pa.concat_arrays([_joined(_cells(chunk), len(chunk)) for chunk in chunks])]


def _cells(array: pa.Array) -> list[Any]:
    """The parts of one cell, for each value of an array: numpy arrays and binary arrays of its length.

    A part of fixed width is a numpy array with an element a value; a part of any length is a binary array.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    array = plain_array(array)
    rows, layout = len(array), layout_of(array.type)
    if layout == "null":
        return [np.zeros(rows, np.uint8)]
    mask = validity(array)
    valid = np.ones(rows, np.uint8) if mask is None else mask.view(np.uint8)
    if layout == "struct":
        return [valid, *(part for field in fields_of(array) for part in _cells(field))]
    if layout == "bool":
        return [valid, array.fill_null(False).to_numpy(zero_copy_only=False).view(np.uint8)]
    if layout == "text":
        texts = array.cast(pa.large_binary()).fill_null(b"")  # a null slot may have bytes behind it
        return [valid, pc.binary_length(texts).to_numpy().astype("<u8"), texts]
    if layout == "list":
        lengths = pc.list_value_length(array).fill_null(0).to_numpy().astype("<u8")
        items = array.flatten()  # without what lies behind nulls and between views
        raw, bounds = pa.py_buffer(b""), np.zeros(1, np.int64)
        if len(items):  # an empty array may have no buffers
            raw, bounds = _buffers(_joined(_cells(items), len(items)))
        ends = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        return [valid, lengths, _binary(raw, bounds[ends])]
    width = array.type.bit_width // 8
    return [valid, fixed_values(array, mask).view(f"<u{width}" if width <= 8 else f"V{width}")]


def _joined(parts: list[Any], rows: int) -> pa.Array:
    """One binary array: for each row the bytes of all parts, one after the other."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    pieces: list[Any] = []
    fixed: list[Any] = []
    for part in [*parts, None]:
        if isinstance(part, np.ndarray):
            fixed.append(part)
            continue
        if fixed:
            block = np.empty(rows, dtype=[("", one.dtype) for one in fixed])  # packed: no padding
            for i, one in enumerate(fixed):
                block[f"f{i}"] = one
            pieces.append(_binary(block, np.arange(rows + 1) * block.itemsize))
            fixed = []
        if part is not None:
            pieces.append(part)
    if len(pieces) == 1:
        return pieces[0]
    return pc.binary_join_element_wise(*pieces, pa.scalar(b"", pa.large_binary()))


def _binary(data: Any, bounds: np.ndarray) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    bounds = np.ascontiguousarray(bounds, dtype="<i8")
    buffers = [None, pa.py_buffer(bounds), data if isinstance(data, pa.Buffer) else pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.large_binary(), len(bounds) - 1, buffers)


def _buffers(array: pa.Array) -> tuple[pa.Buffer, np.ndarray]:
    """The bytes of a binary array, and the offset of each value in them, the end at last."""
    import numpy as np
    import pyarrow as pa

    bounds = np.frombuffer(array.buffers()[1], dtype="<i8", count=len(array) + 1, offset=8 * array.offset)
    return array.buffers()[2] or pa.py_buffer(b""), bounds
