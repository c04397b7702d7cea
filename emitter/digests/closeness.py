"""How far the values of two tables or states of tensors are apart: bitwise, within a tolerance, or different.

A digest has no tolerance (neighbours straddle every boundary of rounding), so this is asked when digests
differ and both data are at hand. Decides what counts as equal: null is null only, NaN is NaN whatever its
payload, −0.0 is 0.0; a null beside a value and a NaN beside a number are never within a tolerance. Only
integers and floats have a tolerance: decimals, instants, texts and truth values are equal or not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from .columns import LEAF_ROWS, descriptor, fields_of, layout_of, numbers_of, plain_array
from .records import Refused
from .tables import is_table, to_arrow
from .tensors import dtype_name, numpy_dtype
from .torch_models import is_module, is_tensor, tensor_bits

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

Verdict = Literal["bitwise", "within tolerance", "different"]
_SPAN = 16 * LEAF_ROWS  # values that are looked at together: bounds the memory
_UNBOUNDED = ("utf8", "binary", "list", "struct")  # a row of these has any size: fewer together


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """What is near enough: |a − b| ≤ max(absolute, relative · max(|a|, |b|)) (PEP 485), or so many ulps apart."""

    absolute: float = 0.0
    relative: float = 0.0
    ulps: int = 0


@dataclass(frozen=True, kw_only=True)
class Closeness:
    """How near one column or tensor of a is to that of b.

    Attributes:
        name: of the column (`x.field` and `x[]` for what is nested in it) or tensor.
        verdict: bitwise, within tolerance, or different.
        what: why they cannot be compared value by value (only in a, only in b, types, shapes, lengths), else null.
        values: how many were compared.
        differing: how many of them are not the same bits.
        beyond: how many of them are not within the tolerance, nulls and NaNs included.
        nulls: how many are null in one of them only.
        nans: how many are NaN in one of them only, and not null in the other.
        max_ulps: of numbers in floating point, how many representable numbers further, at most.
        max_absolute: the greatest |a − b| of numbers that are neither null nor NaN.
        max_relative: the greatest |a − b| / max(|a|, |b|).
        first: row of the table, or position in C order in a tensor, of the first that is not the same bits.
    """

    name: str
    verdict: Verdict
    what: str | None = None
    values: int = 0
    differing: int = 0
    beyond: int = 0
    nulls: int = 0
    nans: int = 0
    max_ulps: int | None = None
    max_absolute: float | None = None
    max_relative: float | None = None
    first: int | None = None


def compare_values(
    a: object, b: object, tolerance: Tolerance | None = None
) -> tuple[Verdict, list[Closeness]]:
    """Compare two tables (of any carrier), arrays or tensors, states of them, or torch modules, value by value.

    Columns and tensors are matched by name, rows and elements by position.

    Args:
        a: one of them.
        b: another of the same kind.
        tolerance: none by default: then only 0.0 beside −0.0 and payloads of NaN are within it.

    Returns:
        The worst verdict, and each column or tensor that is not bitwise the same.

    Raises:
        Refused: they are not both tables or both arrays, a column's type has no digest, or Arrow cannot decode it.
    """
    allowed = tolerance or Tolerance()
    if is_table(a) and is_table(b):
        found = list(_tables(to_arrow(a), to_arrow(b), allowed))
    else:
        found = list(_states(_state(a), _state(b), allowed))
    differing = [one for one in found if one.verdict != "bitwise"]
    if any(one.verdict == "different" for one in differing):
        return "different", differing
    return ("within tolerance" if differing else "bitwise"), differing


def _tables(a: pa.Table, b: pa.Table, allowed: Tolerance) -> Iterator[Closeness]:
    import numpy as np
    import pyarrow as pa

    names = [*b.column_names, *(name for name in a.column_names if name not in b.column_names)]
    for table in (a, b):
        if len(set(table.column_names)) < table.num_columns:
            raise Refused("several columns of one name", where="columns", advice="rename them")
    for name in names:
        if name not in a.column_names or name not in b.column_names:
            yield Closeness(name=name, verdict="different", what=f"only in {'ab'[name in b.column_names]}")
            continue
        x, y = a.column(name), b.column(name)
        kinds = [descriptor(one.type, where=f"column {name!r}", zones=False) for one in (x, y)]
        if kinds[0] != kinds[1]:
            yield Closeness(name=name, verdict="different", what=f"types: {kinds[0]}, {kinds[1]}")
        elif len(x) != len(y):
            yield Closeness(name=name, verdict="different", what=f"lengths: {len(x)}, {len(y)}")
        else:
            tallies: dict[str, _Tally] = {}
            try:
                for start, one, two in _pairs(x, y, LEAF_ROWS if kinds[0].startswith(_UNBOUNDED) else _SPAN):
                    _add(tallies, name, one, two, np.arange(start, start + len(one)), allowed)
            except pa.ArrowException as error:
                raise Refused(
                    f"Arrow cannot decode it: {error}", where=f"column {name!r}", advice="store it decoded"
                ) from error
            yield from (tally.result() for tally in tallies.values())


def _pairs(a: pa.ChunkedArray, b: pa.ChunkedArray, most: int) -> Iterator[tuple[int, pa.Array, pa.Array]]:
    """The same rows of two columns, so far as chunks of both reach and at most so many, and the first row of them.

    Nothing is joined: together, chunks may be longer than their offsets reach.
    """
    start = 0
    mine, others = (iter([chunk for chunk in column.chunks if len(chunk)]) for column in (a, b))
    one = two = None
    while start < len(a):
        one = one if one is not None and len(one) else next(mine)
        two = two if two is not None and len(two) else next(others)
        step = min(len(one), len(two), most)
        yield start, one.slice(0, step), two.slice(0, step)
        one, two = one.slice(step), two.slice(step)
        start += step


def _add(
    tallies: dict[str, _Tally], name: str, a: pa.Array, b: pa.Array, rows: np.ndarray, allowed: Tolerance
) -> None:
    """Count two arrays of one descriptor and length, those nested in them under names of their own.

    `rows` are those of the table that the values belong to: items of lists are compared where these are equally
    long, whatever the lists of other rows are.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as t

    tally = tallies.setdefault(name, _Tally(name, allowed, payloads=False))
    a, b = plain_array(a), plain_array(b)
    valid = [np.asarray(one.is_valid()) for one in (a, b)]
    kind, layout = a.type, layout_of(a.type)
    if layout == "null":
        tally.add(rows, valid, None)
    elif layout == "struct":
        tally.add(rows, valid, None)
        fields = [fields_of(one) for one in (a, b)]
        for i, field in enumerate(kind):
            _add(tallies, f"{name}.{field.name}", fields[0][i], fields[1][i], rows, allowed)
    elif layout == "list":
        lengths = [np.asarray(pc.list_value_length(one).fill_null(0)).astype("i8") for one in (a, b)]
        tally.add(rows, valid, lengths[0] != lengths[1])
        alike = valid[0] & valid[1] & (lengths[0] == lengths[1])
        items = [one.flatten() for one in (a, b)]  # none of null lists
        if not alike.all():
            items = [
                one.filter(pa.array(np.repeat(alike, count)))
                for one, count in zip(items, lengths, strict=True)
            ]
        beside = np.repeat(rows[alike], lengths[0][alike])
        _add(tallies, f"{name}[]", items[0], items[1], beside, allowed)
    elif layout == "float" or t.is_integer(kind):
        values = [one.fill_null(0).to_numpy(zero_copy_only=False) for one in (a, b)]
        tally.numbers(rows, valid, values[0], values[1])
    elif layout in ("bool", "text"):
        tally.add(rows, valid, np.asarray(pc.not_equal(a, b).fill_null(False)))
    else:  # decimals and instants: what stands behind a null counts for nothing
        lanes = [numbers_of(one).reshape(len(one), -1) for one in (a, b)]
        tally.add(rows, valid, (lanes[0] != lanes[1]).any(axis=1))


def _states(a: Mapping[Any, Any], b: Mapping[Any, Any], allowed: Tolerance) -> Iterator[Closeness]:
    import numpy as np

    for name in sorted(a.keys() | b.keys()):
        if name not in a or name not in b:
            yield Closeness(name=name, verdict="different", what=f"only in {'ab'[name in b]}")
            continue
        x, y = (_array(one[name], where=f"tensor {name!r}") for one in (a, b))
        kinds = [dtype_name(one.dtype, where=f"tensor {name!r}") for one in (x, y)]
        if kinds[0] != kinds[1]:
            yield Closeness(name=name, verdict="different", what=f"types: {kinds[0]}, {kinds[1]}")
        elif x.shape != y.shape:
            yield Closeness(name=name, verdict="different", what=f"shapes: {list(x.shape)}, {list(y.shape)}")
        else:
            tally = _Tally(name, allowed, payloads=True)
            flat = [
                np.ascontiguousarray(one.astype(one.dtype.newbyteorder("="), copy=False)) for one in (x, y)
            ]
            flat = [one.reshape(-1) for one in flat]
            for start in range(0, x.size, _SPAN):
                one, two = (part[start : start + _SPAN] for part in flat)
                valid = [np.ones(one.size, bool)] * 2
                places = np.arange(start, start + one.size)
                if x.dtype.kind in "iuf" or x.dtype.type.__module__ == "ml_dtypes":
                    tally.numbers(places, valid, one, two)
                else:  # complex numbers, texts, instants: no tolerance
                    tally.add(places, valid, _unequal_bits(one, two))
            yield tally.result()


def _state(data: object) -> Mapping[Any, Any]:
    import numpy as np

    if is_module(data):
        data = cast(Any, data).state_dict()
    state = data if isinstance(data, Mapping) else {"": data}
    if all(isinstance(one, np.ndarray) or is_tensor(one) for one in state.values()):
        return state
    raise Refused(
        f"a {type(data).__name__} beside it has no values to compare",
        advice="compare two tables, two arrays or tensors, two dicts of them, or two torch modules",
    )


def _array(value: Any, *, where: str) -> np.ndarray:
    """An array as it is, a tensor as one with the same bits."""
    import numpy as np

    if isinstance(value, np.ndarray):
        return value
    bits = tensor_bits(value, where=where)
    raw = bytearray()
    for piece in bits.pieces:
        raw += piece.data
    return np.frombuffer(raw, numpy_dtype(bits.dtype, where=where)).reshape(bits.shape)


class _Tally:
    """Counts what differs in one column or tensor, piece by piece."""

    def __init__(self, name: str, allowed: Tolerance, *, payloads: bool) -> None:
        self._name, self._allowed, self._payloads = name, allowed, payloads
        self._values = self._differing = self._beyond = self._nulls = self._nans = 0
        self._ulps: int | None = None
        self._absolute: float | None = None
        self._relative: float | None = None
        self._first: int | None = None

    def add(self, places: np.ndarray, valid: list[np.ndarray], unequal: np.ndarray | None) -> None:
        """Values without a tolerance; `unequal` counts where both are valid."""
        nulls = valid[0] != valid[1]
        bad = nulls if unequal is None else nulls | (unequal & valid[0] & valid[1])
        self._count(places, bad, bad, nulls)

    def numbers(self, places: np.ndarray, valid: list[np.ndarray], a: np.ndarray, b: np.ndarray) -> None:
        """Numbers of one dtype."""
        import numpy as np

        nulls = valid[0] != valid[1]
        differing = valid[0] & valid[1] & _unequal_bits(a, b)
        here = np.flatnonzero(differing)
        x, y = a[here], b[here]
        far = np.zeros(len(here), bool)
        if a.dtype.kind in "iu":
            far = ~self._near(x, y)
        else:
            nan_x, nan_y = np.isnan(x), np.isnan(y)
            far = nan_x != nan_y
            self._nans += int(far.sum())
            numbers = ~(nan_x | nan_y)
            far[numbers] = ~self._near(x[numbers], y[numbers])
            if not self._payloads:
                differing[here[nan_x & nan_y]] = False
        beyond = nulls.copy()
        beyond[here[far]] = True
        self._count(places, nulls | differing, beyond, nulls)

    def _near(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Which of some numbers, none of them NaN, are within the tolerance; keeps the greatest distances."""
        import numpy as np

        near: np.ndarray = np.asarray(a == b)
        if not len(a):
            return near
        allowed = self._allowed
        wide_a, wide_b = a.astype("f8"), b.astype("f8")
        with np.errstate(invalid="ignore", over="ignore"):  # infinities
            if a.dtype.kind in "iu":
                apart = _distance(a, b).astype("f8")
            else:
                apart = np.where(near, 0.0, np.abs(wide_a - wide_b))
                finite = np.isfinite(wide_a) & np.isfinite(wide_b)
                ordered_a, ordered_b = _ordered(a[finite]), _ordered(b[finite])
                if ordered_a is not None and ordered_b is not None and finite.any():
                    ulps = _distance(ordered_a, ordered_b)
                    self._ulps = max(self._ulps or 0, int(ulps.max()))
                    near[finite] |= ulps <= allowed.ulps
            size = np.maximum(np.abs(wide_a), np.abs(wide_b))
            limit = np.maximum(allowed.absolute, allowed.relative * size)
            relative = np.where(np.isfinite(apart), apart / np.where(size == 0, 1, size), np.inf)
        self._absolute = max(self._absolute or 0.0, float(apart.max()))
        self._relative = max(self._relative or 0.0, float(relative.max()))
        return np.asarray(near | ((apart <= limit) & np.isfinite(apart)))

    def _count(self, places: np.ndarray, bad: np.ndarray, beyond: np.ndarray, nulls: np.ndarray) -> None:
        import numpy as np

        self._values += len(bad)
        self._differing += int(bad.sum())
        self._beyond += int(beyond.sum())
        self._nulls += int(nulls.sum())
        if self._first is None and bad.any():
            self._first = int(places[np.argmax(bad)])

    def result(self) -> Closeness:
        """What was counted."""
        verdict: Verdict = "within tolerance"
        if self._differing == 0:
            verdict = "bitwise"
        elif self._beyond:
            verdict = "different"
        return Closeness(
            name=self._name,
            verdict=verdict,
            values=self._values,
            differing=self._differing,
            beyond=self._beyond,
            nulls=self._nulls,
            nans=self._nans,
            max_ulps=self._ulps,
            max_absolute=self._absolute,
            max_relative=self._relative,
            first=self._first,
        )


def _unequal_bits(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    import numpy as np

    lane = min(a.itemsize, 8) if a.itemsize in (1, 2, 4, 8) else 1
    one, two = (part.view(f"u{lane}").reshape(len(part), -1) for part in (a, b))
    return np.asarray((one != two).any(axis=1))


def _ordered(values: np.ndarray) -> np.ndarray | None:
    """Floats as integers of which neighbours are neighbours and both zeros are 0; null for other layouts.

    The layouts of IEEE 754 have a sign and then a magnitude that grows with its bits.
    """
    import numpy as np

    name = values.dtype.name
    if not name.startswith(("float16", "float32", "float64", "bfloat16", "float8_e4m3", "float8_e5m2")):
        return None
    bits = values.view(f"i{values.itemsize}").astype("i8")
    least = np.int64(-(2 ** (8 * values.itemsize - 1)))
    return np.where(bits < 0, least - bits, bits)


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """|a − b| of integers, exact, as unsigned ones of 64 bits."""
    import numpy as np

    wide = "u8" if a.dtype.kind == "u" else "i8"
    greater, less = np.maximum(a, b).astype(wide), np.minimum(a, b).astype(wide)
    return np.asarray(greater.view("u8") - less.view("u8"))
