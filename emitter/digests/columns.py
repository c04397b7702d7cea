"""What Arrow's columns are made of: type descriptors, and the buffers of values as the digest takes them.

Decides what each Arrow type is called and how its values lie, so that offsets, dictionaries, views, run ends and
the width of offsets do not show. What is written of them is decided in `leaves.py`. Buffers of the column are
taken where they lie; they are copied only to zero null slots or to make NaN canonical. Little-endian hosts are
assumed, as by Arrow's own Python builds.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from .records import Refused

if TYPE_CHECKING:
    import pyarrow as pa

LEAF_ROWS = 65_536
LEAF_BYTES = 32

# The IANA database's links to Etc/UTC: one zone under eight names, and DuckDB answers with another than
# it was given.
_UTC = frozenset({"UTC", "Etc/UTC", "UCT", "Etc/UCT", "Universal", "Etc/Universal", "Zulu", "Etc/Zulu"})

_NAN = {2: 0x7E00, 4: 0x7FC00000, 8: 0x7FF8000000000000}


@lru_cache(maxsize=4096)  # asked thrice for every column
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


@lru_cache(maxsize=1024)  # asked for every leaf
def layout_of(kind: pa.DataType) -> str:
    """How a plain type is written: null, bool, fixed, float, text, list, struct; "coded" if it is not plain."""
    import pyarrow.types as t

    if (
        t.is_dictionary(kind)
        or t.is_run_end_encoded(kind)
        or t.is_string_view(kind)
        or t.is_binary_view(kind)
        or t.is_fixed_size_binary(kind)
        or (t.is_decimal(kind) and kind.bit_width != _decimal_bits(kind))
    ):
        return "coded"
    if _is_text(kind):
        return "text"
    if _is_list(kind):
        return "list"
    if t.is_struct(kind):
        return "struct"
    if t.is_null(kind):
        return "null"
    if t.is_floating(kind):
        return "float"
    return "bool" if t.is_boolean(kind) else "fixed"


def plain_array(array: pa.Array) -> pa.Array:
    """The same values without dictionary, run ends, views and narrow decimals, at this level of nesting."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    kind = array.type
    if layout_of(kind) != "coded":
        return array
    if t.is_dictionary(kind):
        return plain_array(_decoded(array))
    if t.is_run_end_encoded(kind):
        return plain_array(pc.run_end_decode(_with_wide_runs(array)))
    if t.is_string_view(kind):
        return array.cast(pa.large_string())
    if t.is_binary_view(kind) or t.is_fixed_size_binary(kind):
        return array.cast(pa.large_binary())
    return array.cast(pa.decimal128(kind.precision, kind.scale))


def _decoded(array: pa.DictionaryArray) -> pa.Array:
    """The values; texts of more than 2 GiB with wide offsets, for which a long dictionary is copied."""
    import pyarrow as pa

    try:
        return array.dictionary_decode()
    except pa.ArrowInvalid:
        if not _is_text(array.type.value_type):
            raise
        return pa.DictionaryArray.from_arrays(array.indices, _wide(array.dictionary)).dictionary_decode()


def _with_wide_runs(array: pa.RunEndEncodedArray) -> pa.RunEndEncodedArray:
    """The same runs, of texts with wide offsets: decoding does not see when narrow ones overflow."""
    import pyarrow as pa

    if not _is_text(array.type.value_type):
        return array
    whole = pa.RunEndEncodedArray.from_arrays(array.run_ends, _wide(array.values))
    return whole.slice(array.offset, len(array))


def _wide(texts: pa.Array) -> pa.Array:
    import pyarrow as pa

    return texts.cast(pa.large_string() if descriptor(texts.type) == "utf8" else pa.large_binary())


def fields_of(array: pa.StructArray) -> list[pa.Array]:
    """The fields of a plain struct, where a row that is null in the struct is null in each field.

    Run ends have no validity of their own, so `flatten` leaves there what lies behind the null: they are decoded
    before it.
    """
    import pyarrow as pa
    import pyarrow.types as t

    kinds = [field.type for field in array.type]
    if array.null_count and any(map(t.is_run_end_encoded, kinds)):
        parts = [array.field(i) for i in range(len(kinds))]
        parts = [plain_array(part) if t.is_run_end_encoded(part.type) else part for part in parts]
        array = pa.StructArray.from_arrays(parts, names=[""] * len(parts), mask=array.is_null())
    return list(array.flatten())


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


def validity(array: pa.Array) -> np.ndarray | None:
    """A boolean a value, False where it is null; None where all are valid."""
    if array.null_count == 0:
        return None
    first = array.offset // 8
    end = (array.offset + len(array) + 7) // 8
    bits = np.frombuffer(array.buffers()[0], np.uint8, count=end - first, offset=first)
    skip = array.offset - 8 * first
    return np.unpackbits(bits, bitorder="little")[skip : skip + len(array)].view(bool)


def lengths_of(array: pa.Array, mask: np.ndarray | None) -> np.ndarray:
    """Of each text its bytes, of each list its items, as int64; 0 where it is null."""
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
    import pyarrow.types as t

    kind = array.type
    wide = t.is_large_string(kind) or t.is_large_binary(kind) or t.is_large_list(kind)
    width = 8 if wide else 4
    return np.frombuffer(
        array.buffers()[1], dtype=f"<i{width}", count=len(array) + 1, offset=array.offset * width
    )


def text_bytes(array: pa.Array) -> np.ndarray:
    """The bytes of all texts that are not null, one behind the other."""
    array = array.drop_null() if array.null_count else array  # a null slot may have bytes behind it
    if len(array) == 0 or array.buffers()[2] is None:
        return np.empty(0, dtype=np.uint8)
    offsets = _offsets(array)
    first, last = int(offsets[0]), int(offsets[-1])
    return np.frombuffer(array.buffers()[2], dtype=np.uint8, count=last - first, offset=first)


def fixed_values(array: pa.Array, mask: np.ndarray | None) -> np.ndarray:
    """The bytes of fixed-width values: null slots zero, each NaN the canonical one."""
    values = numbers_of(array)
    if mask is not None:
        lanes = values.reshape(len(array), -1)
        values = np.where(mask[:, None], lanes, lanes.dtype.type(0)).reshape(-1)
    if values.dtype.kind == "f" and has_nan(values):
        lane = values.dtype.itemsize
        bits = values.view(f"<u{lane}")
        values = np.where(np.isnan(values), bits.dtype.type(_NAN[lane]), bits)
    return values


def numbers_of(array: pa.Array) -> np.ndarray:
    """Fixed-width values where they lie: floats as such, all others as unsigned lanes of up to 8 bytes."""
    kind = array.type
    width = kind.bit_width // 8
    lane = min(width, 8)
    code = "f" if layout_of(kind) == "float" else "u"
    return np.frombuffer(
        array.buffers()[1],
        dtype=f"<{code}{lane}",
        count=len(array) * width // lane,
        offset=array.offset * width,
    )


def has_nan(values: np.ndarray) -> bool:
    """Whether any of these floats, of which there is at least one, is NaN."""
    greatest = values.max()  # NaN if any is: less to write than a mask
    return bool(greatest != greatest)


def bytes_of(data: pa.Array | pa.ChunkedArray) -> int:
    """Of these rows alone; of views, for which an older Arrow does not tell that, of all that lies behind them."""
    try:
        return int(data.nbytes)
    except TypeError:
        return int(data.get_total_buffer_size())
