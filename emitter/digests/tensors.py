"""Tensors: the digest of one array's bits, and the two roots of a state of named arrays.

`tensors` binds the names, `weights` does not and counts equal tensors once, so that it is the same for a
state that holds tied weights under two names and for a file that holds them once. Tensors are bits: a NaN's
payload counts. Takes numpy arrays; other frameworks' tensors are refused with the way to turn them into
numpy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .framing import DISTINCTIVE_BYTES, digest, frame, hasher, labelled, merkle_root, number, utf8
from .records import Refused, Tensor

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, kw_only=True)
class TensorsDigest:
    """The roots of a state of tensors, with its tensors sorted by name; sizes in elements and bytes."""

    tensors: str
    weights: str
    architecture: str
    elements: int
    bytes: int
    distinctive: bool
    members: tuple[Tensor, ...]


def tensors_digest(state: Mapping[str, np.ndarray[Any, Any]]) -> TensorsDigest:
    """The `b3-tensors1` and `b3-weights1` digests of arrays by name; one array alone has the empty name.

    Raises:
        Refused: a dtype whose bytes are no value (objects, records, platform-dependent extended floats).
    """
    members: list[Tensor] = []
    named: list[bytes] = []
    shapes: list[bytes] = []
    weights: set[bytes] = set()
    elements = size = 0
    varied = False
    for encoded, name in sorted((utf8(name, where="tensor names"), name) for name in state):
        array = state[name]
        where = f"tensor {name!r}"
        head = _head(array, where=where)
        raw = tensor_bytes(array, where=where)
        named.append(digest("b3-tensors1 named", frame(encoded), raw))
        shapes.append(frame(encoded) + head)
        weights.add(raw)
        elements += array.size
        size += array.nbytes
        varied = varied or (array.size > 1 and not _constant(array))
        dtype = dtype_name(array.dtype, where=where)
        members.append(Tensor(name=name, dtype=dtype, shape=array.shape, digest=labelled("b3-tensor1", raw)))
    return TensorsDigest(
        tensors=labelled("b3-tensors1", digest("b3-tensors1 root", number(len(named)), merkle_root(named))),
        weights=labelled(
            "b3-weights1", digest("b3-weights1 root", number(len(weights)), merkle_root(sorted(weights)))
        ),
        architecture=labelled("b3-architecture1", digest("b3-tensors1 shapes", number(len(shapes)), *shapes)),
        elements=elements,
        bytes=size,
        distinctive=size >= DISTINCTIVE_BYTES and varied,
        members=tuple(members),
    )


def tensor_bytes(array: np.ndarray[Any, Any], *, where: str) -> bytes:
    """32 bytes over dtype, shape and the elements in C order, little-endian."""
    import numpy as np

    head = _head(array, where=where)
    little = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))
    state = hasher("b3-tensors1 tensor", size=array.nbytes)
    state.update(head + number(array.nbytes))
    state.update(little.reshape(-1).view(np.uint8))
    return bytes(state.digest())


def dtype_name(dtype: np.dtype[Any], *, where: str) -> str:
    """The dtype as a text without byte order: `float32`, `int8`, `datetime64[ns]`, `U5`, `bfloat16`.

    Raises:
        Refused: objects, records, raw bytes and extended floats.
    """
    if (
        dtype.type.__module__ == "ml_dtypes"
    ):  # bfloat16, float8_e4m3fn and their kin: numpy calls them raw bytes
        return dtype.name
    if dtype.kind in "USmM":
        return dtype.str[1:].replace("m8", "timedelta64").replace("M8", "datetime64")
    if (
        dtype.kind in "biu"
        or (dtype.kind == "f" and dtype.itemsize <= 8)
        or (dtype.kind == "c" and dtype.itemsize <= 16)
    ):
        return dtype.name
    reasons = {
        "O": (
            "holds objects: its bytes are addresses",
            "convert it to a dtype of numbers or fixed-width text",
        ),
        "V": (
            "is a record or raw bytes, with padding of no meaning",
            "pass each field as an array of its own",
        ),
    }
    what, advice = reasons.get(
        dtype.kind, ("has no defined bytes here", "convert it, for example to float64 or fixed-width text")
    )
    raise Refused(f"dtype {dtype} {what}", where=where, advice=advice)


def _head(array: np.ndarray[Any, Any], *, where: str) -> bytes:
    import numpy as np

    if not isinstance(array, np.ndarray) or isinstance(array, np.ma.MaskedArray):
        raise Refused(
            f"a {type(array).__module__}.{type(array).__name__} is no plain array",
            where=where,
            advice="pass a numpy array (a torch tensor: tensor.detach().cpu().numpy())",
        )
    dims = b"".join(number(length) for length in array.shape)
    return frame(dtype_name(array.dtype, where=where).encode()) + number(array.ndim) + dims


def _constant(array: np.ndarray[Any, Any]) -> bool:
    import numpy as np

    flat = np.ascontiguousarray(array).reshape(-1)
    bits = flat.view(np.uint8).reshape(flat.size, -1)
    return bool((bits[:1024] == bits[0]).all() and (bits == bits[0]).all())
