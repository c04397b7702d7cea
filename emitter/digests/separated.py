"""CSV files as tables: which text is which value, decided by the whole column and by nothing else.

Readers of CSV guess types from a first block, with rules that change from release to release, so the rule is
our own (`docs/digests.md`, "CSV"): Arrow only splits the text into cells, which are text or null, and what it
takes in its own way (quotes that are not closed, or that end before their cell) is refused before. The file is
read twice: first to find for each column the first of `bool`, `int64`, `float64` that loses nothing of any
cell, else `utf8`; then to digest it. Memory is bounded by the block.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .appending import TableState
from .files import Progress
from .framing import cores
from .records import Refused, TableDigest

if TYPE_CHECKING:
    import numpy as np
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
_QUOTE = ord('"')
_BESIDE = tuple(
    b',\r\n"'
)  # before an opening and behind a closing quote: ends of cells; a quote, if it is doubled


def csv_digest(
    path: Path, progress: Progress | None, also: Callable[[pa.Table], object] | None = None
) -> TableDigest:
    """The `b3-table1` digest of a CSV file; `also` is given its rows, part by part.

    Raises:
        pa.ArrowException, UnicodeError: it is not well formed, not UTF-8, or has a line beyond `BLOCK_BYTES`.
        Refused: the specification does not cover it, or quotes do not stand where they may.
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
        for batch in _cells(path, names):
            list(pool.map(_Kind.look_at, kinds, batch.columns))
            told()
    schema = csv_schema((name, kind.name()) for name, kind in zip(names, kinds, strict=True))
    state = TableState(schema)
    for batch in csv_parts(path, schema):
        state.append(part := pa.Table.from_batches([batch]))
        if also is not None:
            also(part)
        told()
    return state.digest()


def csv_schema(columns: Iterable[tuple[str, str]]) -> pa.Schema:
    """The schema of a CSV file whose columns have these names and types, the latter as their descriptors."""
    import pyarrow as pa

    return pa.schema([(name, pa.type_for_alias(kind)) for name, kind in columns])


def csv_parts(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The rows of a CSV file as values, part by part.

    Args:
        path: of the file.
        schema: with types that all cells of their columns have.

    Raises:
        pa.ArrowException, UnicodeError, Refused: as `csv_digest`, or a cell is not of the type of its column.
    """
    import pyarrow as pa

    with ThreadPoolExecutor(cores()) as pool:
        for batch in _cells(path, schema.names):
            columns = list(pool.map(_typed, schema.types, batch.columns))
            yield pa.RecordBatch.from_arrays(columns, schema=schema)


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

    def name(self) -> str:
        if self.empty:
            return "null"
        return self.possible[0] if self.possible else "utf8"


def _typed(kind: pa.DataType, cells: pa.Array) -> pa.Array:
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


def _cells(path: Path, names: list[str]) -> Iterator[pa.RecordBatch]:
    """The rows of the file, every cell as the text it is, null where it is empty and unquoted."""
    import pyarrow as pa

    with _opened(path, dict.fromkeys(names, pa.string())) as reader:
        yield from reader


class _Lines(io.RawIOBase):
    """The bytes of a CSV file as Arrow's reader takes them rightly, and none that it takes in its own way.

    No piece ends in CR (but the last byte of all), since the reader takes LF at the start of the next one for
    a part of that line end, even within quotes. A last line without its end gets one, since it would not see a
    header without.
    """

    def __init__(self, file: io.BufferedReader, path: Path) -> None:
        super().__init__()
        self._file, self._path = file, path
        self._last = b"\n"  # the byte before the next piece; a quote only if it closed a cell
        self._quoted = False  # whether that next piece begins within quotes

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        start = self._file.tell() == 0
        piece = self._file.read(size)
        end = len(piece) < size or not piece
        if len(piece) > 1 and piece.endswith(b"\r"):
            self._file.seek(-1, io.SEEK_CUR)
            piece, end = piece[:-1], False
        if text := piece.removeprefix(codecs.BOM_UTF8) if start else piece:
            self._look_at_quotes(text)
        if end and self._quoted:
            raise self._refused("a quote that is not closed")
        if end and self._last not in b"\r\n":
            self._last = b"\n"
            piece += self._last
        return piece

    def _look_at_quotes(self, piece: bytes) -> None:
        """Refuse text behind the quote that closes a cell."""
        import numpy as np

        text = self._last + piece
        codes = np.frombuffer(text, np.uint8)
        quotes = np.flatnonzero(codes[1:] == _QUOTE) + 1
        # If each quote that opens stands where one may, they open and close in turn.
        opening, closing = quotes[int(self._quoted) :: 2], quotes[int(not self._quoted) :: 2]
        if np.isin(codes[opening - 1], _BESIDE).all():
            self._quoted ^= bool(len(quotes) % 2)
        else:  # some are text, and which ones depends on all before
            closing = self._one_by_one(text, quotes.tolist())
        if text[0] == _QUOTE:
            closing = np.append(closing, 0)
        if not np.isin(codes[closing[closing + 1 < len(codes)] + 1], _BESIDE).all():
            raise self._refused("text behind a closing quote")
        closed = text[-1] != _QUOTE or len(text) - 1 in closing
        self._last = text[-1:] if closed else b"x"

    def _one_by_one(self, text: bytes, quotes: list[int]) -> np.ndarray[Any, Any]:
        """Which of the quotes in a text close a cell."""
        import numpy as np

        closing = [0] if text[0] == _QUOTE else [-1]
        for at in quotes:
            if self._quoted:
                self._quoted = False
                closing.append(at)
            elif text[at - 1] in b",\r\n" or closing[-1] == at - 1:
                self._quoted = True
        return np.array(closing[1:], np.int64)

    def _refused(self, what: str) -> Refused:
        return Refused(what, where=str(self._path), advice='write " within quotes as ""')


@contextmanager
def _opened(path: Path, types: dict[str, Any]) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.csv as pc

    with (
        path.open("rb") as file,
        pc.open_csv(
            pa.PythonFile(_Lines(file, path), mode="r"),
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
        ) as reader,
    ):
        yield reader
