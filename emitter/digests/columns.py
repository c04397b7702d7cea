"""One column of a table as bytes: type descriptors, leaves and the column root.

Decides how each Arrow type is written, so that chunks, offsets, dictionaries, views, run ends and the width
of offsets do not show. `docs/digests.md` is the same in words; what is not named there is refused. Buffers of
the column are hashed where they lie; they are copied only to zero null slots or to make NaN canonical.
Little-endian hosts are assumed, as by Arrow's own Python builds.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .framing import frame, hasher, merkle_root, number
from .records import Refused

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

LEAF_ROWS = 65_536

# The IANA database's links to Etc/UTC: one zone under eight names, and DuckDB answers with another than
# it was given.
_UTC = frozenset({"UTC", "Etc/UTC", "UCT", "Etc/UCT", "Universal", "Etc/Universal", "Zulu", "Etc/Zulu"})

_NAN = {2: 0x7E00, 4: 0x7FC00000, 8: 0x7FF8000000000000}


def descriptor(type_: pa.DataType, *, where: str = "", zones: bool = True) -> str:
    """The type as the digest binds it: one text per logical type, whatever its physical encoding.

    Args:
        type_: an Arrow type.
        where: the column, for the error.
        zones: with the label of the time zone; leaves are written without, so that a label changes the schema
        only.

    Raises:
        Refused: maps, unions, extension types, calendar intervals.
    """
    import pyarrow.types as t

    def inner(part: pa.DataType) -> str:
        return descriptor(part, where=where, zones=zones)

    if t.is_dictionary(type_) or t.is_run_end_encoded(type_):
        return inner(type_.value_type)
    if t.is_string(type_) or t.is_large_string(type_) or t.is_string_view(type_):
        return "utf8"
    if (
        t.is_binary(type_)
        or t.is_large_binary(type_)
        or t.is_fixed_size_binary(type_)
        or t.is_binary_view(type_)
    ):
        return "binary"
    if _is_list(type_):
        return f"list<{inner(type_.value_type)}>"
    if t.is_struct(type_):
        return "struct<" + ",".join(f"{json.dumps(field.name)}:{inner(field.type)}" for field in type_) + ">"
    if t.is_decimal(type_):
        return f"decimal{_decimal_bits(type_)}[{type_.precision},{type_.scale}]"
    if t.is_timestamp(type_):
        if type_.tz is None or not zones:
            return f"timestamp[{type_.unit}]"
        return f"timestamp[{type_.unit},{json.dumps('UTC' if type_.tz in _UTC else type_.tz)}]"
    if t.is_date32(type_) or t.is_date64(type_):
        return "date32" if t.is_date32(type_) else "date64"
    if t.is_floating(type_):
        return f"float{type_.bit_width}"
    if (
        t.is_boolean(type_)
        or t.is_integer(type_)
        or t.is_null(type_)
        or t.is_time(type_)
        or t.is_duration(type_)
    ):
        return str(type_)  # bool, int64, uint8, null, time32[ms], duration[us]
    raise Refused(
        f"type {type_} has no place in the table digest",
        where=where,
        advice="store it as a listed type (text, numbers, lists, structs) or leave it out",
    )


def column_root(column: pa.ChunkedArray, *, where: str) -> tuple[bytes, int]:
    """Root over the leaves of one column, and the bytes of its values as encoded.

    The column is cut at multiples of 65,536 rows from its first row, whatever its chunks are.
    """
    kind = frame(descriptor(column.type, where=where, zones=False).encode())
    leaves, size = [], 0
    for start in range(0, len(column), LEAF_ROWS):
        state = hasher("b3-table1 leaf")
        state.update(kind)
        size += _write(
            [_plain(chunk) for chunk in column.slice(start, LEAF_ROWS).chunks if len(chunk)], state
        )
        leaves.append(state.digest())
    return merkle_root(leaves), size


def _write(arrays: list[pa.Array], state: Any) -> int:
    """Write the pieces of one node to `state`; returns how many of the bytes were values.

    A node is: count; validity bitmap, framed, of length 0 when all are valid; then by type. With a count of 0
    it ends there. The arrays are plain, not empty and of one type, and are written as if they were one.
    """
    import numpy as np
    import pyarrow.types as t

    state.update(number(sum(len(array) for array in arrays)))
    if not arrays or t.is_null(arrays[0].type):
        return 0
    kind = arrays[0].type
    masks = [_valid(array) for array in arrays]
    whole = all(mask is None for mask in masks)
    bitmap = b"" if whole else _bits([_filled(m, a) for m, a in zip(masks, arrays, strict=True)])
    state.update(frame(bitmap))
    if t.is_boolean(kind):
        values = [array.fill_null(False).to_numpy(zero_copy_only=False) for array in arrays]
        bits = _bits(values)
        state.update(frame(bits))
        return len(bits)
    if _is_text(kind) or _is_list(kind):
        lengths = [_lengths(array, mask) for array, mask in zip(arrays, masks, strict=True)]
        state.update(number(8 * sum(len(part) for part in lengths)))
        for part in lengths:
            state.update(part.view(np.uint8))
        if _is_list(kind):
            return _write([child for child in (_plain(a.flatten()) for a in arrays) if len(child)], state)
        texts = [_text_bytes(array) for array in arrays]
        return _write_all(texts, state)
    if t.is_struct(kind):
        state.update(number(kind.num_fields))
        flattened = [array.flatten() for array in arrays]  # a null struct has nulls in all its fields
        return sum(_write([_plain(parts[i]) for parts in flattened], state) for i in range(kind.num_fields))
    return _write_all([_fixed(array, mask) for array, mask in zip(arrays, masks, strict=True)], state)


def _write_all(parts: list[np.ndarray], state: Any) -> int:
    size = sum(part.nbytes for part in parts)
    state.update(number(size))
    for part in parts:
        state.update(part)
    return size


def _plain(array: pa.Array) -> pa.Array:
    """The same values without dictionary, run ends, views and narrow decimals, at this level of nesting."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    kind = array.type
    if t.is_dictionary(kind):
        return _plain(array.dictionary_decode())
    if t.is_run_end_encoded(kind):
        return _plain(pc.run_end_decode(array))
    if t.is_string_view(kind):
        return array.cast(pa.large_string())
    if t.is_binary_view(kind) or t.is_fixed_size_binary(kind):
        return array.cast(pa.large_binary())
    if t.is_decimal(kind) and kind.bit_width != _decimal_bits(kind):
        return array.cast(pa.decimal128(kind.precision, kind.scale))
    return array


def _decimal_bits(type_: pa.DataType) -> int:
    return 128 if type_.precision <= 38 else 256


def _is_text(type_: pa.DataType) -> bool:
    import pyarrow.types as t

    return bool(
        t.is_string(type_) or t.is_large_string(type_) or t.is_binary(type_) or t.is_large_binary(type_)
    )


def _is_list(type_: pa.DataType) -> bool:
    import pyarrow.types as t

    return bool(
        t.is_list(type_)
        or t.is_large_list(type_)
        or t.is_fixed_size_list(type_)
        or t.is_list_view(type_)
        or t.is_large_list_view(type_)
    )


def _valid(array: pa.Array) -> np.ndarray | None:
    if array.null_count == 0:
        return None
    mask: np.ndarray = array.is_valid().to_numpy(zero_copy_only=False)
    return mask


def _filled(mask: np.ndarray | None, array: pa.Array) -> np.ndarray:
    import numpy as np

    return np.ones(len(array), dtype=bool) if mask is None else mask


def _bits(parts: list[np.ndarray]) -> bytes:
    """Arrow's order: the first value is the lowest bit of the first byte; the last byte ends in zeros."""
    import numpy as np

    return np.packbits(np.concatenate(parts), bitorder="little").tobytes()


def _lengths(array: pa.Array, mask: np.ndarray | None) -> np.ndarray:
    import numpy as np
    import pyarrow.compute as pc
    import pyarrow.types as t

    kind = array.type
    if _is_text(kind) or t.is_list(kind) or t.is_large_list(kind):
        lengths = np.diff(_offsets(array)).astype(np.int64)
    else:
        counted = pc.list_value_length(array).fill_null(0)
        lengths = counted.to_numpy(zero_copy_only=False).astype(np.int64)
    if mask is not None:
        lengths[~mask] = 0
    return lengths


def _offsets(array: pa.Array) -> np.ndarray:
    import numpy as np
    import pyarrow.types as t

    kind = array.type
    wide = t.is_large_string(kind) or t.is_large_binary(kind) or t.is_large_list(kind)
    width = 8 if wide else 4
    return np.frombuffer(
        array.buffers()[1], dtype=f"<i{width}", count=len(array) + 1, offset=array.offset * width
    )


def _text_bytes(array: pa.Array) -> np.ndarray:
    import numpy as np

    array = array.drop_null() if array.null_count else array  # a null slot may have bytes behind it
    if len(array) == 0 or array.buffers()[2] is None:
        return np.empty(0, dtype=np.uint8)
    offsets = _offsets(array)
    first, last = int(offsets[0]), int(offsets[-1])
    return np.frombuffer(array.buffers()[2], dtype=np.uint8, count=last - first, offset=first)


def _fixed(array: pa.Array, mask: np.ndarray | None) -> np.ndarray:
    """The bytes of fixed-width values: null slots zero, each NaN the canonical one."""
    import numpy as np
    import pyarrow.types as t

    width = array.type.bit_width // 8
    floating = t.is_floating(array.type)
    lane = min(width, 8)
    values = np.frombuffer(
        array.buffers()[1],
        dtype=f"<{'f' if floating else 'u'}{lane}",
        count=len(array) * width // lane,
        offset=array.offset * width,
    )
    if mask is not None:
        values = values.copy()
        values.reshape(len(array), -1)[~mask] = 0
    if floating:
        nans = np.isnan(values)
        if nans.any():
            values = values.copy()
            values.view(f"<u{lane}")[nans] = _NAN[lane]
    return values.view(np.uint8)
