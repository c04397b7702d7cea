"""CSV files as tables: which text is which value, decided by the whole column and by nothing else.

Readers of CSV guess types from a first block, with rules that change from release to release, so the rule is
our own (`docs/digests.md`, "CSV"): Arrow only splits the text into cells, which are text or null. The file is
read twice: first to find for each column the first of `bool`, `int64`, `float64` that loses nothing of any
cell, else `utf8`; then to digest it. Memory is bounded by the block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .appending import TableState
from .files import Progress
from .framing import cores
from .records import TableDigest

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK_BYTES = 4 << 20
"""Lines that are longer may be refused, those of twice this length are."""

_TRUTHS = ("true", "True", "TRUE", "false", "False", "FALSE")
_INFINITE = r"^(?i:-?inf(inity)?)$"
# Integers without point and exponent up to 15 digits only: more are not all told apart by a float64.
_FLOAT = (
    r"^(-?((0|[1-9][0-9]{0,14})|((0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
    r"|(0|[1-9][0-9]*)[eE][+-]?[0-9]+)|(?i:nan|-?inf(inity)?))$"
)
_TOO_LARGE = 10**15
_LOOK_ROWS = 64  # most columns show there what they are not


def csv_digest(
    path: Path, progress: Progress | None, also: Callable[[pa.Table], object] | None = None
) -> TableDigest:
    """The `b3-table1` digest of a CSV file; `also` is given its rows, part by part.

    Raises:
        pa.ArrowException, UnicodeError: it is not well formed, not UTF-8, or has a line beyond `BLOCK_BYTES`.
        Refused: the specification does not cover it.
    """
    import pyarrow as pa

    size = path.stat().st_size
    names = _names(path)
    kinds = [_Kind() for _ in names]
    done = 0

    def told() -> None:
        nonlocal done
        done += BLOCK_BYTES // 2  # of two readings
        if progress is not None:
            progress(min(done, size), size)

    with ThreadPoolExecutor(cores()) as pool:
        for batch in cells_of_file(path, names):
            list(pool.map(_Kind.look_at, kinds, batch.columns))
            told()
        types = [kind.arrow_type() for kind in kinds]
        schema = pa.schema(list(zip(names, types, strict=True)))
        state = TableState(schema)
        for batch in cells_of_file(path, names):
            columns = list(pool.map(typed, types, batch.columns))
            state.append(part := pa.Table.from_arrays(columns, schema=schema))
            if also is not None:
                also(part)
            told()
    return state.digest()


class _Kind:
    """What a column may still be, after the cells seen so far."""

    def __init__(self) -> None:
        self.possible = ["bool", "int64", "float64"]
        self.empty = True

    def look_at(self, cells: pa.Array) -> None:
        cells = cells.drop_null()
        if not len(cells):
            return
        self.empty = False
        for part in (cells.slice(0, _LOOK_ROWS), cells):
            integers = _integers(part) if "int64" in self.possible else None
            if integers is None and "int64" in self.possible:
                self.possible.remove("int64")
            if "bool" in self.possible and not _are_bools(part):
                self.possible.remove("bool")
            if "float64" in self.possible and not (
                _are_floats(part) if integers is None else _are_exact(integers)
            ):
                self.possible.remove("float64")

    def arrow_type(self) -> pa.DataType:
        import pyarrow as pa

        if self.empty:
            return pa.null()
        return pa.type_for_alias(self.possible[0]) if self.possible else pa.string()


def typed(kind: pa.DataType, cells: pa.Array) -> pa.Array:
    """Cells as values of the type that all cells of their column have."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if kind == pa.null():
        return pa.nulls(len(cells))
    return pc.equal(pc.utf8_lower(cells), "true") if kind == pa.bool_() else cells.cast(kind)


def _are_bools(cells: pa.Array) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    return bool(pc.all(pc.is_in(cells, value_set=pa.array(_TRUTHS))).as_py())


def _integers(cells: pa.Array) -> pa.Array | None:
    """The values, if each cell is what an int64 is written as: no sign `+`, no zeros in front, nothing around."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        integers = cells.cast(pa.int64())
    except pa.ArrowInvalid:
        return None
    return integers if pc.all(pc.equal(integers.cast(pa.string()), cells)).as_py() else None


def _are_exact(integers: pa.Array) -> bool:
    """Whether float64 could hold them too, as `_FLOAT` says it."""
    import pyarrow.compute as pc

    ends = pc.min_max(integers).as_py()
    return bool(ends["min"] > -_TOO_LARGE and ends["max"] < _TOO_LARGE)


def _are_floats(cells: pa.Array) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pc.all(pc.match_substring_regex(cells, _FLOAT)).as_py():
        return False
    try:
        infinite = pc.is_inf(cells.cast(pa.float64()))
    except pa.ArrowInvalid:  # beyond the largest float64; a newer Arrow makes it infinite
        return False
    if not pc.any(infinite).as_py():
        return True
    return bool(pc.all(pc.match_substring_regex(cells.filter(infinite), _INFINITE)).as_py())


def _names(path: Path) -> list[str]:
    with _opened(path, {}) as reader:
        return list(reader.schema.names)


def cells_of_file(path: Path, names: list[str]) -> Iterator[pa.RecordBatch]:
    """The rows of the file, every cell as the text it is, null where it is empty and unquoted."""
    import pyarrow as pa

    with _opened(path, dict.fromkeys(names, pa.string())) as reader:
        yield from reader


def _opened(path: Path, types: dict[str, Any]) -> Any:
    import pyarrow.csv as pc

    return pc.open_csv(
        path,
        read_options=pc.ReadOptions(block_size=BLOCK_BYTES, encoding="utf8", use_threads=True),
        parse_options=pc.ParseOptions(
            delimiter=",",
            quote_char='"',
            double_quote=True,
            escape_char=False,
            newlines_in_values=True,
            ignore_empty_lines=True,
        ),
        convert_options=pc.ConvertOptions(
            column_types=types,
            check_utf8=True,
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[""],
        ),
    )
