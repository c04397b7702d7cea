"""How what lies in memory becomes a file: tables as Parquet, tensors as safetensors, all else as its bytes.

Decides which forms are tried, and that a file is kept only if what is read back from it has the digest that
was asked for. So the digest is of what is written, when it is written: data that another thread changes
meanwhile is never kept under the digest of what it was, nor is a type that a format gives back as another
one. What Parquet cannot hold goes into an Arrow file, what safetensors cannot into an `.npz`.
"""

import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

from ..digests import Refused, content_of
from ..digests.framing import digest as framed_digest
from ..digests.framing import frame, hasher, labelled, number

_PIECE_BYTES = 4 << 20
_ROW_GROUP_ROWS = 1 << 20  # sixteen leaves of the digest
# What a library says of a type that its format does not have; errors of the disk are not among them.
_UNFIT = (NotImplementedError, KeyError, TypeError, ValueError)


def write(data: Any, kind: str, digest: str, ending: str, file: Path) -> bool:
    """Write what lies in memory; false if this form does not hold it, or it has changed since it was digested.

    Args:
        data: What was digested.
        kind: As in `Content`: table, tensors, bytes, text or json.
        digest: Of the object.
        ending: Of the form.
        file: Has that ending, and is not there yet.

    Raises:
        OSError: The disk is full, say.
        Refused: There is no form for data of its kind.
    """
    try:
        if kind == "table":
            _write_table(data, ending, file)
        elif kind == "tensors":
            _write_tensors(data, ending, file)
        else:
            file.write_bytes(_bytes_of(data, kind))
    except Refused:
        raise
    except _UNFIT:
        return False
    return holds(file, digest)


def holds(file: Path, digest: str) -> bool:
    """Whether a file with the ending of its form has the content that a digest names, read from the disk now."""
    if digest.startswith("b3-bytes1:"):
        return bytes_digest(file) == digest
    try:
        return digest in content_of(file).digests
    except Refused:
        return False


def bytes_digest(file: Path, copy: Path | None = None) -> str:
    """`b3-bytes1` of a file; with `copy`, of the bytes that were written there, which nobody may read who may not
    read the file.
    """
    state = hasher(size=file.stat().st_size)
    with file.open("rb", buffering=0) as source:
        if copy is None:
            _pass_on(source, None, state)
        else:
            copy.touch(mode_of(file), exist_ok=False)
            with copy.open("wb") as target:
                _pass_on(source, target, state)
    return labelled("b3-bytes1", state.digest())


def mode_of(path: Path) -> int:
    """The rights that a file made of a file or folder has: its own, and the owner's to read and write."""
    return path.stat().st_mode & 0o666 | 0o600


def folder_digest(files: Iterable[tuple[str, int, str]]) -> str:
    """`b3-folder1` of (path, size in bytes, `b3-bytes1`) of each file below a folder, in any order."""
    lines = sorted((path.encode(), size, bytes.fromhex(one.partition(":")[2])) for path, size, one in files)
    framed = [frame(path) + number(size) + raw for path, size, raw in lines]
    return labelled("b3-folder1", framed_digest("b3-folder1 manifest", number(len(framed)), *framed))


def _pass_on(source: Any, target: IO[bytes] | None, state: Any) -> None:
    buffer = memoryview(bytearray(_PIECE_BYTES))  # nobody else's: what is hashed is what is written
    while count := source.readinto(buffer):
        state.update(buffer[:count])
        if target is not None:
            target.write(buffer[:count])


def _bytes_of(data: Any, kind: str) -> bytes:
    if kind == "json":
        from ..digests.plain import canonical_json

        return canonical_json(data)
    return data.encode() if isinstance(data, str) else bytes(data)


def _write_table(data: Any, ending: str, file: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from ..digests.tables import to_arrow

    table = to_arrow(data)
    if ending == ".parquet":
        pq.write_table(table, file, compression="zstd", row_group_size=_ROW_GROUP_ROWS)
        return
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=_ROW_GROUP_ROWS)


def _write_tensors(data: Any, ending: str, file: Path) -> None:
    import numpy as np

    from ..digests.torch_models import is_module, is_tensor

    state = data.state_dict() if is_module(data) else data if isinstance(data, Mapping) else {"": data}
    for name, one in state.items():
        if not is_tensor(one) and not isinstance(one, np.ndarray):
            raise Refused(
                f"a {type(one).__name__} among tensors has no form in the store",
                where=f"tensor {name!r}",
                advice="save the state to a file and pass its path: files are kept as they are",
            )
    if ending == ".safetensors":
        _write_safetensors(state, file)
    else:
        _write_npz(state, file)


def _write_npz(state: Mapping[str, Any], file: Path) -> None:
    """Not by `np.savez`, which has names of its own among the arguments."""
    import numpy as np

    with zipfile.ZipFile(file, "w", allowZip64=True) as archive:
        for name, array in state.items():
            if not isinstance(array, np.ndarray):
                raise TypeError(name)
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def _write_safetensors(state: Mapping[str, Any], file: Path) -> None:
    """https://github.com/huggingface/safetensors#format: the length of the header, the header, the elements."""
    import numpy as np

    from ..digests.safetensors import DTYPES
    from ..digests.tensors import array_bits
    from ..digests.torch_models import is_tensor, tensor_bits

    codes = {name: code for code, (name, _) in DTYPES.items()}
    if "__metadata__" in state:
        raise KeyError("__metadata__ is no name of a tensor in this format")
    tensors = {
        name: (tensor_bits if is_tensor(one) else array_bits)(one, where=f"tensor {name!r}")
        for name, one in state.items()
    }
    # Wide elements first, so that each tensor begins at a multiple of its element's size.
    order = sorted(state, key=lambda name: (-tensors[name].itemsize, name))
    header: dict[str, Any] = {}
    end = 0
    for name in order:
        one = tensors[name]
        start, end = end, end + one.elements * one.itemsize
        header[name] = {"dtype": codes[one.dtype], "shape": list(one.shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with file.open("xb") as target:
        target.write(number(len(text)) + text)
        for name in order:
            for piece in tensors[name].pieces:
                target.write(piece.view(np.uint8))
