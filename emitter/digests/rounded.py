"""A digest of rounded values, under a name of its own that says its decimals: only on request.

It is no identity: values next to each other may be rounded apart, so two tables that are nearly equal may
differ in it, and two that have the same one may differ. It never stands among the digests of an artifact.
How near values are, `closeness` says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .columns import layout_of, numbers_of, plain_array
from .framing import digest, labelled
from .records import Refused
from .tables import table_digest, to_arrow

if TYPE_CHECKING:
    import pyarrow as pa

MOST_DECIMALS = 15


def rounded_digest(data: object, decimals: int) -> str:
    """`b3-table1-rounded<decimals>:…` of a table, in which all floats are rounded before.

    A float x becomes rint(x · 10^decimals) / 10^decimals, each step in its own precision, ties to even (IEEE
    754); −0.0 becomes 0.0; what is too large for that stays as it is. Other types are bound as they are.

    Args:
        data: a table of any carrier.
        decimals: 0 to 15.

    Raises:
        Refused: other decimals, floats within lists or structs, or what `table_digest` refuses.
    """
    if type(decimals) is not int or not 0 <= decimals <= MOST_DECIMALS:  # True is an int
        raise Refused(f"{decimals!r} decimals", advice=f"ask for a whole number from 0 to {MOST_DECIMALS}")
    table = to_arrow(data)
    for i, name in enumerate(table.column_names):
        table = table.set_column(i, name, _rounded(table.column(i), decimals, where=f"column {name!r}"))
    label = f"b3-table1-rounded{decimals}"
    whole = bytes.fromhex(table_digest(table).digest.partition(":")[2])
    return labelled(label, digest(f"{label} root", whole))


def _rounded(column: pa.ChunkedArray, decimals: int, *, where: str) -> pa.ChunkedArray:
    import numpy as np
    import pyarrow as pa

    chunks = [plain_array(chunk) for chunk in column.chunks]
    kind = chunks[0].type if chunks else column.type
    if layout_of(kind) in ("list", "struct") and _holds_floats(kind):
        raise Refused("floats within another value", where=where, advice="make them a column of their own")
    if layout_of(kind) != "float":
        return column
    made = []
    for chunk in chunks:
        values = numbers_of(chunk)
        with np.errstate(over="ignore", invalid="ignore"):
            power = values.dtype.type(10**decimals)
            shifted = np.rint(values * power) / power
        # The zeros last: in float16, 10^5 is infinite, and 0 · ∞ no number.
        shifted = np.where(np.isfinite(shifted), shifted, values) + values.dtype.type(0)
        made.append(pa.array(shifted, type=kind, mask=np.asarray(chunk.is_null())))
    return pa.chunked_array(made, type=kind)


def _holds_floats(kind: pa.DataType) -> bool:
    import pyarrow.types as t

    if t.is_struct(kind):
        return any(_holds_floats(field.type) for field in kind)
    value_type = getattr(kind, "value_type", None)
    return bool(t.is_floating(kind) or (value_type is not None and _holds_floats(value_type)))
