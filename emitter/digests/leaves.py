"""A column as leaves: what is hashed of 65,536 rows of it.

Decides where columns are cut and what is written of each type, as `docs/digests.md` has it in words; what is not
named there is refused. What the values of an Arrow array are is decided in `columns.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .columns import (
    LEAF_ROWS,
    descriptor,
    fields_of,
    fixed_values,
    has_nan,
    layout_of,
    lengths_of,
    numbers_of,
    plain_array,
    text_bytes,
    validity,
)
from .framing import frame, hasher, number

if TYPE_CHECKING:
    import pyarrow as pa


def cut(chunks: Sequence[pa.Array], *, leaves: int = 1) -> list[list[pa.Array]]:
    """The rows of the chunks in pieces of 65,536, each the slices it is made of; the last may be shorter.

    Args:
        chunks: in their order.
        leaves: how many pieces that lie in one chunk are handed out as one slice, at most.
    """
    pieces: list[list[pa.Array]] = []
    free = 0
    for chunk in chunks:
        start = 0
        while start < len(chunk):
            if free == 0:
                pieces.append([])
                free = LEAF_ROWS * max(1, min(leaves, (len(chunk) - start) // LEAF_ROWS))
            part = chunk.slice(start, free)
            pieces[-1].append(part)
            start += len(part)
            free -= len(part)
    return pieces


def leaf_head(kind: pa.DataType, *, where: str) -> bytes:
    """What all leaves of a column begin with: the framed descriptor, without zones.

    Raises:
        Refused: as `descriptor`.
    """
    return frame(descriptor(kind, where=where, zones=False).encode())


def leaf(head: bytes, arrays: Sequence[pa.Array], *, nan_is_null: bool = False) -> tuple[bytes, int]:
    """The leaf of one piece of a column, and the bytes of its values as encoded.

    Args:
        head: of the column.
        arrays: the slices of at most 65,536 rows, read as if they were one; their physical types may differ.
        nan_is_null: floats without nulls whose NaN stands for the missing value (numpy-backed pandas columns).
    """
    state = hasher("b3-table1 leaf")
    if nan_is_null and not any(array.null_count for array in arrays):
        parts = [numbers_of(array) for array in arrays]
        bitmap = b""
        if any(map(has_nan, parts)):
            missing = [np.isnan(part) for part in parts]
            bitmap = _bits([~gap for gap in missing])
            zero = parts[0].dtype.type(0)
            parts = [np.where(gap, zero, part) for gap, part in zip(missing, parts, strict=True)]
        size = _write_all(parts, state, head + number(sum(map(len, parts))) + frame(bitmap))
        return bytes(state.digest()), size
    size = _write([plain_array(array) for array in arrays if len(array)], state, head)
    return bytes(state.digest()), size


def leaves(
    head: bytes, pieces: Sequence[Sequence[pa.Array]], *, nan_is_null: bool = False
) -> tuple[bytes, int]:
    """The leaves of several pieces one after another, and the bytes of their values.

    Of numbers without nulls and NaN, a leaf is one call that hashes, begun with what all whole leaves begin with:
    threads that come back to Python between such calls wait for each other, the longer the more they do there.

    Args:
        head: as for `leaf`.
        pieces: as `cut` makes them.
        nan_is_null: as for `leaf`.
    """
    found: list[bytes] = []
    size = 0
    for piece in pieces:
        first = piece[0]
        if len(piece) == 1 and not first.null_count and layout_of(first.type) in ("fixed", "float"):
            made, written = _leaves_of_numbers(head, first, nan_is_null)
        else:
            slices = [piece] if len(piece) > 1 else cut(piece)
            done = [leaf(head, rows, nan_is_null=nan_is_null) for rows in slices]
            made, written = [one for one, _ in done], sum(count for _, count in done)
        found += made
        size += written
    return b"".join(found), size


def _leaves_of_numbers(head: bytes, array: pa.Array, nan_is_null: bool) -> tuple[list[bytes], int]:
    """The leaves of one array of numbers without nulls: one leaf, or several whole ones."""
    values = numbers_of(array)
    rows = min(LEAF_ROWS, len(array))
    begun = hasher("b3-table1 leaf")
    begun.update(head + number(rows) + frame(b"") + number(values.nbytes // len(array) * rows))
    found = []
    for i, part in enumerate(values.reshape(len(array) // rows, -1)):
        if part.dtype.kind == "f" and has_nan(part):
            one, _ = leaf(head, [array.slice(i * rows, rows)], nan_is_null=nan_is_null)
        else:
            state = begun.copy()
            state.update(part.view(np.uint8))
            one = state.digest()
        found.append(one)
    return found, values.nbytes


def is_constant(head: bytes, chunks: Sequence[pa.Array], *, nan_is_null: bool = False) -> bool:
    """Whether all rows are equal as encoded: each piece in itself, and the first rows of all pieces.

    Within a piece the rows but the last are then the rows but the first. Mostly settled by the first thousand
    rows; never more than a leaf is decoded at a time.
    """
    import pyarrow as pa

    def encoded(rows: pa.ChunkedArray) -> bytes:
        return leaf(head, rows.chunks, nan_is_null=nan_is_null)[0]

    def equal(rows: pa.ChunkedArray) -> bool:
        return len(rows) <= 1 or encoded(rows.slice(0, len(rows) - 1)) == encoded(rows.slice(1))

    whole = pa.chunked_array(chunks)
    if not equal(whole.slice(0, 1024)):
        return False
    first = encoded(whole.slice(0, 1))
    pieces = map(pa.chunked_array, cut(whole.chunks))
    return all(encoded(piece.slice(0, 1)) == first and equal(piece) for piece in pieces)


def _write(arrays: list[pa.Array], state: Any, head: bytes = b"") -> int:
    """Write `head` and the pieces of one node to `state`; returns how many of the bytes were values.

    A node is: count; validity bitmap, framed, of length 0 when all are valid; then by type. With a count of 0
    it ends there. The arrays are plain, not empty and of one descriptor, and are written as if they were one.
    """

    head += number(sum(len(array) for array in arrays))
    layout = layout_of(arrays[0].type) if arrays else "null"
    if layout == "null":
        state.update(head)
        return 0
    masks = [validity(array) for array in arrays]
    whole = all(mask is None for mask in masks)
    head += frame(b"" if whole else _bits([_filled(m, a) for m, a in zip(masks, arrays, strict=True)]))
    if layout in ("fixed", "float"):
        return _write_all(
            [fixed_values(array, mask) for array, mask in zip(arrays, masks, strict=True)], state, head
        )
    if layout == "bool":
        bits = _bits([array.fill_null(False).to_numpy(zero_copy_only=False) for array in arrays])
        state.update(head + frame(bits))
        return len(bits)
    if layout == "struct":
        fields = arrays[0].type.num_fields
        state.update(head + number(fields))
        flattened = [fields_of(array) for array in arrays]
        return sum(_write([plain_array(parts[i]) for parts in flattened], state) for i in range(fields))
    lengths = [lengths_of(array, mask) for array, mask in zip(arrays, masks, strict=True)]
    _write_all(lengths, state, head)
    if layout == "list":
        return _write([child for child in (plain_array(a.flatten()) for a in arrays) if len(child)], state)
    return _write_all([text_bytes(array) for array in arrays], state, b"")


def _write_all(parts: list[np.ndarray], state: Any, head: bytes) -> int:
    """Write `head`, and the parts in one frame; returns their size."""
    size = sum(part.nbytes for part in parts)
    state.update(head + number(size))
    for part in parts:
        state.update(part.view(np.uint8))
    return size


def _filled(mask: np.ndarray | None, array: pa.Array) -> np.ndarray:
    return np.ones(len(array), dtype=bool) if mask is None else mask


def _bits(parts: list[np.ndarray]) -> bytes:
    """Arrow's order: the first value is the lowest bit of the first byte; the last byte ends in zeros."""
    return np.packbits(np.concatenate(parts), bitorder="little").tobytes()
