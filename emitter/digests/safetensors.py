"""Checkpoints in the safetensors format: one file, or shards with an index, read tensor by tensor.

The format (https://github.com/huggingface/safetensors#format): eight bytes with the length of a header, little-
endian; the header, a JSON object of name → dtype, shape and offsets; the elements, little-endian, in C order.
A reader of our own, because a digest needs neither torch nor arrays, only the bytes, in pieces of bounded size.
What the format forbids (holes, overlaps, sizes that do not fit, names that stand twice) is refused, as is
what has no defined elements (types below a byte, which others pack in their own ways). Files are read, not
mapped: a mapped file that somebody truncates kills the process.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .files import Progress, state_of, unchanged, unreadable
from .records import Refused
from .tensors import Bits, TensorsDigest, tensors_digest

INDEX_SUFFIX = ".safetensors.index.json"

DTYPES = {
    "BOOL": ("bool", 1),
    "U8": ("uint8", 1),
    "I8": ("int8", 1),
    "F8_E5M2": ("float8_e5m2", 1),
    "F8_E4M3": ("float8_e4m3fn", 1),
    "F8_E5M2FNUZ": ("float8_e5m2fnuz", 1),
    "F8_E4M3FNUZ": ("float8_e4m3fnuz", 1),
    "F8_E8M0": ("float8_e8m0fnu", 1),
    "U16": ("uint16", 2),
    "I16": ("int16", 2),
    "F16": ("float16", 2),
    "BF16": ("bfloat16", 2),
    "U32": ("uint32", 4),
    "I32": ("int32", 4),
    "F32": ("float32", 4),
    "U64": ("uint64", 8),
    "I64": ("int64", 8),
    "F64": ("float64", 8),
    "C64": ("complex64", 8),
}
# The format allows 100 MB. Parsed, JSON can take thirty times its length, and a quarter of a million tensors
# fit into this.
_HEADER_BYTES = 32 << 20
_PIECE_BYTES = 8 << 20


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """Where a tensor lies: `start` and `stop` are bytes from the beginning of the file."""

    path: Path
    dtype: str
    itemsize: int
    shape: tuple[int, ...]
    start: int
    stop: int


@contextmanager
def safetensors_digest(path: Path, *, progress: Progress | None = None) -> Iterator[TensorsDigest]:
    """Give the roots of a `.safetensors` file, or of a checkpoint named by its `.safetensors.index.json`.

    Holds the header and one piece of 8 MiB. On leaving, the files must still be as they were on entering.

    Args:
        path: of the file or of the index, beside which the shards lie.
        progress: is told how many of the tensors' bytes are read.

    Raises:
        Refused: not as the format says, unreadable, or changed meanwhile.
    """
    with checkpoint_entries(path) as entries:
        total = sum(entry.stop - entry.start for entry in entries.values())
        done = 0

        def told(pieces: Iterator[memoryview]) -> Iterator[memoryview]:
            nonlocal done
            for piece in pieces:
                yield piece
                done += len(piece)
                if progress is not None:
                    progress(done, total)

        def bits(name: str) -> Bits:
            entry = entries[name]
            pieces = told(_pieces(entry.path, entry.start, entry.stop))
            return Bits(dtype=entry.dtype, shape=entry.shape, itemsize=entry.itemsize, pieces=pieces)

        yield tensors_digest(entries, bits)


@contextmanager
def checkpoint_entries(path: Path) -> Iterator[dict[str, _Entry]]:
    """Give the tensors by name, of one file or of all shards; errors and arguments as above."""
    with ExitStack() as stack:
        if path.name.lower().endswith(INDEX_SUFFIX):
            yield _sharded(path, stack)
        else:
            yield _entries_of(path, stack.enter_context(unchanged(path)))


def checkpoint_in(folder: Path) -> Path | None:
    """The one checkpoint that lies directly in a folder: its index, else its only `.safetensors` file.

    Raises:
        Refused: several, of which none is more meant than another; or the folder cannot be read.
    """
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError as error:
        raise unreadable(folder, error) from None
    for suffix in (INDEX_SUFFIX, ".safetensors"):
        found = [name for name in names if name.lower().endswith(suffix)]
        if len(found) > 1:
            raise Refused(
                f"several *{suffix} files ({', '.join(map(_shown, found[:3]))}, …)",
                where=str(folder),
                advice="digest the file that is meant",
            )
        if found:
            return folder / found[0]
    return None


def shards_of(index: Path) -> dict[str, str]:
    """By the name of each tensor the name of its shard, a file beside the index.

    Raises:
        Refused: no index, or one that names other files.
    """
    whole = _json(_read(index, 0, state_of(index).size, "the index"), where=str(index))
    placed = whole.get("weight_map")
    if not isinstance(placed, dict) or not all(isinstance(shard, str) for shard in placed.values()):
        raise Refused("no weight_map of names and files", where=str(index), advice="save the model again")
    for shard in sorted(set(placed.values())):
        if "/" in shard or "\\" in shard or "\0" in shard or not shard.lower().endswith(".safetensors"):
            raise Refused(
                f"a shard {_shown(shard)} that is no .safetensors file beside the index",
                where=str(index),
                advice="put the shards beside the index",
            )
    return placed


def _sharded(index: Path, stack: ExitStack) -> dict[str, _Entry]:
    """The tensors of all shards; index and shards must agree on who holds what."""
    stack.enter_context(unchanged(index))
    placed = shards_of(index)
    entries: dict[str, _Entry] = {}
    for shard in sorted(set(placed.values())):
        path = index.parent / shard
        for name, entry in _entries_of(path, stack.enter_context(unchanged(path))).items():
            if placed.get(name) != shard:
                raise Refused(
                    f"tensor {_shown(name)} lies in a shard where the index does not put it",
                    where=str(path),
                    advice="save the model again",
                )
            entries[name] = entry
    if lost := placed.keys() - entries.keys():
        raise Refused(
            f"tensor {_shown(min(lost))} is in no shard", where=str(index), advice="save the model again"
        )
    return entries


def _entries_of(path: Path, size: int) -> dict[str, _Entry]:
    """The tensors of one file of `size` bytes, by name."""
    if size < 8:
        raise _broken("shorter than the length of its header", path)
    length = int.from_bytes(_read(path, 0, 8, "the length of the header"), "little")
    if length > size - 8:
        raise _broken(f"a header of {length} bytes in a file of {size}", path)
    raw = _read(path, 8, length, "the header")
    if not raw.startswith(b"{"):
        raise _broken("a header that is no JSON object", path)
    header = _json(raw, where=str(path))
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise _broken("metadata that is no object of texts", path)
    entries = {name: _entry(name, said, path, 8 + length) for name, said in header.items()}
    reached = 8 + length
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].start, item[1].stop)):
        if entry.start != reached:
            raise _broken(f"a hole or an overlap before tensor {_shown(name)}", path)
        reached = entry.stop
    if reached != size:
        raise _broken(f"tensors up to byte {reached} in a file of {size}", path)
    return entries


def _entry(name: str, said: Any, path: Path, base: int) -> _Entry:
    where = f"{path}: tensor {_shown(name)}"
    if not isinstance(said, dict) or said.keys() != {"dtype", "shape", "data_offsets"}:
        raise Refused("not described by dtype, shape and data_offsets", where=where, advice=_AGAIN)
    dtype, shape, offsets = said["dtype"], said["shape"], said["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise Refused(
            f"dtype {_shown(str(dtype))} has no defined elements here",
            where=where,
            advice="elements below a byte are packed in various ways; digest the file's bytes",
        )
    if not _numbers(shape) or not _numbers(offsets) or len(offsets) != 2:
        raise Refused("a shape or offsets that are no natural numbers", where=where, advice=_AGAIN)
    kind, itemsize = DTYPES[dtype]
    start, stop = offsets
    if _product(shape, stop // itemsize) * itemsize != stop - start:
        raise Refused("dtype and shape do not fit its offsets", where=where, advice=_AGAIN)
    return _Entry(
        path=path, dtype=kind, itemsize=itemsize, shape=tuple(shape), start=base + start, stop=base + stop
    )


def _numbers(value: Any) -> bool:
    """A list of integers from 0 to 2^63 - 1."""
    return isinstance(value, list) and all(type(part) is int and 0 <= part < 1 << 63 for part in value)


def _product(shape: list[int], limit: int) -> int:
    """The number of elements, or some number above `limit`: a hostile shape would make an endless one."""
    if 0 in shape:
        return 0
    product = 1
    for length in shape:
        product *= length
        if product > limit:
            break
    return product


def _pieces(path: Path, start: int, stop: int) -> Iterator[memoryview]:
    """The bytes from `start` to `stop`, in one buffer that is filled again and again."""
    if start == stop:
        return
    buffer = memoryview(bytearray(min(stop - start, _PIECE_BYTES)))
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(start)
            while start < stop:
                piece = buffer[: min(stop - start, len(buffer))]
                filled = 0
                while filled < len(piece):
                    count = file.readinto(piece[filled:])
                    if not count:
                        raise _broken("shorter than it was", path)
                    filled += count
                yield piece
                start += len(piece)
    except OSError as error:
        raise unreadable(path, error) from None


def _read(path: Path, start: int, length: int, what: str) -> bytes:
    if length > _HEADER_BYTES:
        raise _broken(f"{what} has {length} bytes, more than {_HEADER_BYTES}", path)
    return b"".join(bytes(piece) for piece in _pieces(path, start, start + length))


def _json(data: bytes, *, where: str) -> dict[str, Any]:
    """A JSON object, of which no key stands twice."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in found:
                raise Refused(f"the name {_shown(name)} stands twice", where=where, advice=_AGAIN)
            found[name] = value
        return found

    try:
        value = json.loads(data.decode(), object_pairs_hook=unique, parse_constant=_no_constant)
    except Refused:
        raise
    except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, too deep
        raise Refused(f"no JSON ({str(error)[:100]})", where=where, advice=_AGAIN) from None
    if not isinstance(value, dict):
        raise Refused("no JSON object", where=where, advice=_AGAIN)
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_AGAIN = "it is damaged or no safetensors; save it again"


def _broken(what: str, path: Path) -> Refused:
    return Refused(what, where=str(path), advice=_AGAIN)


def _shown(name: str) -> str:
    """A name for an error, short whatever the file says."""
    return repr(name if len(name) <= 100 else name[:100] + "…")
