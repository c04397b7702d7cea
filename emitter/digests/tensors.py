"""Tensors: the digest of one tensor's bits, and the two roots of a state of named tensors.

`tensors` binds the names, `weights` does not and counts equal tensors once, so that it is the same for a
state that holds tied weights under two names and for a file that holds them once. Tensors are bits: a NaN's
payload counts. Here are the rules and numpy's arrays; `torch_models` and `safetensors` bring others' tensors
into the form that is hashed here, `Bits`, one after another, so that never more than one is held besides.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from .framing import DISTINCTIVE_BYTES, digest, frame, hasher, labelled, merkle_root, number, utf8
from .records import Refused, Tensor

if TYPE_CHECKING:
    import numpy as np

PART_BYTES = 32 << 20
"""The most that is copied at once of what cannot be hashed where it lies."""

_COMPARED_ELEMENTS = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Bits:
    """One tensor as it is hashed.

    Attributes:
        dtype: numpy's name (of `ml_dtypes` where numpy has none), without byte order.
        itemsize: bytes of one element.
        pieces: buffers of whole elements, which one after another are all of them in C order, little-endian.
            Read once, and each only until the next is asked for.
        storage: equal for tensors that are the same memory read in the same way; None if nobody shares it.
    """

    dtype: str
    shape: tuple[int, ...]
    itemsize: int
    pieces: Iterable[Any]
    storage: Hashable = None

    @property
    def elements(self) -> int:
        """How many elements; one without axes."""
        return prod(self.shape)

    @property
    def head(self) -> bytes:
        """The framed dtype and shape."""
        return frame(self.dtype.encode()) + number(len(self.shape)) + b"".join(map(number, self.shape))


@dataclass(frozen=True, kw_only=True)
class TensorsDigest:
    """The roots of a state of tensors, with its tensors sorted by name.

    `elements` and `bytes` count what shares its memory once; `aliases` are the names that do.
    """

    tensors: str
    weights: str
    architecture: str
    elements: int
    bytes: int
    distinctive: bool
    members: tuple[Tensor, ...]
    aliases: tuple[tuple[str, ...], ...]


def tensors_digest(
    names: Iterable[str], bits: Callable[[str], Bits], *, others: Mapping[str, bytes] | None = None
) -> TensorsDigest:
    """The `b3-tensors1` and `b3-weights1` digests of a state of tensors.

    Args:
        names: of the tensors, in any order.
        bits: gives the tensor of a name; called once for each, in the order of the names' bytes.
        others: what the state holds besides tensors, as canonical JSON by name. It enters `tensors` only.

    Raises:
        Refused: two tensors of one name, and what `bits` refuses.
    """
    members: list[Tensor] = []
    named: list[bytes] = []
    shapes: list[bytes] = []
    known: dict[Hashable, bytes] = {}  # the digest by storage: tied weights are hashed once
    sharing: dict[Hashable, list[str]] = {}
    weights: set[bytes] = set()
    elements = size = 0
    varied = False
    order = sorted((utf8(name, where="tensor names"), name) for name in names)
    for position, (encoded, name) in enumerate(order):
        if position and order[position - 1][1] == name:
            raise Refused("two tensors of one name", where=f"tensor {name!r}", advice="give each its own")
        one = bits(name)
        raw = known.get(one.storage) if one.storage is not None else None
        if raw is None:
            raw, differs = _hashed(one, look=not varied)
            varied = varied or differs
            elements += one.elements
            size += one.elements * one.itemsize
        if one.storage is not None:
            known[one.storage] = raw
            sharing.setdefault(one.storage, []).append(name)
        named.append(digest("b3-tensors1 named", frame(encoded), raw))
        shapes.append(frame(encoded) + one.head)
        weights.add(raw)
        members.append(
            Tensor(name=name, dtype=one.dtype, shape=one.shape, digest=labelled("b3-tensor1", raw))
        )
    return TensorsDigest(
        tensors=labelled("b3-tensors1", _root(named, others or {})),
        weights=labelled(
            "b3-weights1", digest("b3-weights1 root", number(len(weights)), merkle_root(sorted(weights)))
        ),
        architecture=labelled("b3-architecture1", digest("b3-tensors1 shapes", number(len(shapes)), *shapes)),
        elements=elements,
        bytes=size,
        distinctive=size >= DISTINCTIVE_BYTES and varied,
        members=tuple(members),
        aliases=tuple(tuple(group) for group in sharing.values() if len(group) > 1),
    )


def tensor_bytes(array: np.ndarray[Any, Any], *, where: str) -> bytes:
    """32 bytes over dtype, shape and the elements in C order, little-endian."""
    return _hashed(array_bits(array, where=where), look=False)[0]


def by_itself(tensor: str) -> str:
    """The `b3-tensors1` digest that an array has by itself, from its `b3-tensor1` digest within a state."""
    raw = bytes.fromhex(tensor.partition(":")[2])
    return labelled("b3-tensors1", _root([digest("b3-tensors1 named", frame(b""), raw)], {}))


def is_array(value: object) -> bool:
    """Whether it is a numpy array, of a numpy that somebody has imported."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def array_bits(array: Any, *, where: str) -> Bits:
    """A numpy array as `Bits`, hashed where it lies if it is contiguous and little-endian.

    Raises:
        Refused: no plain array, or a dtype whose bytes are no value.
    """
    import numpy as np

    masked = sys.modules.get("numpy.ma")  # which numpy loads when it is first asked for: not for this
    if not isinstance(array, np.ndarray) or (masked is not None and isinstance(array, masked.MaskedArray)):
        raise Refused(
            f"a {type(array).__module__}.{type(array).__name__} is no plain array",
            where=where,
            advice="pass a numpy array or a plain torch tensor",
        )
    array = np.asarray(array)  # a subclass may index in its own way
    little = array.dtype.newbyteorder("<")
    address = array.__array_interface__["data"][0]

    def pieces() -> Iterator[Any]:
        if not array.nbytes:
            return
        if array.flags.c_contiguous and array.dtype == little:
            yield array.reshape(-1)
            return
        # One buffer for all parts: blocks of changing size are not given back by every allocator.
        buffer = np.empty(min(array.nbytes, PART_BYTES) // array.dtype.itemsize, little)
        for part in parts(array):
            copied = buffer[: part.size]
            np.copyto(copied.reshape(part.shape), part)
            yield copied

    return Bits(
        dtype=dtype_name(array.dtype, where=where),
        shape=array.shape,
        itemsize=array.dtype.itemsize,
        pieces=pieces(),
        storage=(address, array.shape, array.strides, array.dtype.str) if array.nbytes else None,
    )


def parts(tensor: Any, limit_bytes: int = PART_BYTES) -> Iterator[Any]:
    """A numpy array or torch tensor cut into parts of at most `limit_bytes`, which follow in C order."""
    if tensor.nbytes <= limit_bytes or not tensor.ndim:
        yield tensor
    elif len(tensor) == 1:
        yield from parts(tensor[0], limit_bytes)
    else:
        rows = max(1, limit_bytes // (tensor.nbytes // len(tensor)))
        for start in range(0, len(tensor), rows):
            yield from parts(tensor[start : start + rows], limit_bytes)


def numpy_dtype(name: str, *, where: str) -> np.dtype[Any]:
    """The dtype of that name; numpy has bfloat16 and float8 from ml_dtypes.

    Raises:
        Refused: ml_dtypes is not installed.
    """
    import numpy as np

    if not name.startswith(("bfloat16", "float8")):
        return np.dtype(name)
    try:
        import ml_dtypes
    except ImportError:
        raise Refused(
            f"{name}, which numpy does not have", where=where, advice="pip install ml_dtypes"
        ) from None
    found: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
    return found


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


def _root(named: list[bytes], others: Mapping[str, bytes]) -> bytes:
    tree = number(len(named)) + merkle_root(named)
    if not others:
        return digest("b3-tensors1 root", tree)
    texts = sorted((utf8(name, where="names of the state"), text) for name, text in others.items())
    framed = [frame(name) + frame(text) for name, text in texts]
    return digest("b3-tensors1 root with state", tree, number(len(framed)), *framed)


def _hashed(bits: Bits, *, look: bool) -> tuple[bytes, bool]:
    """The digest of a tensor, and, if one is to look, whether its elements differ from one another."""
    import numpy as np

    size = bits.elements * bits.itemsize
    state = hasher("b3-tensors1 tensor", size=size)
    state.update(bits.head + number(size))
    first: Any = None
    varied, seen = False, 0
    for piece in bits.pieces:
        flat = piece.view(np.uint8) if isinstance(piece, np.ndarray) else np.frombuffer(piece, np.uint8)
        seen += flat.size
        state.update(flat)
        if look and not varied and flat.size:
            first = flat[: bits.itemsize].copy() if first is None else first
            varied = _varied(flat.reshape(-1, bits.itemsize), first)
    assert seen == size, "a carrier gave other bytes than its shape says"
    return bytes(state.digest()), varied


def _varied(elements: Any, first: Any) -> bool:
    blocks = range(0, len(elements), _COMPARED_ELEMENTS)
    return any(bool((elements[i : i + _COMPARED_ELEMENTS] != first).any()) for i in blocks)
