"""torch: its tensors as bits, what a state dict holds, and the architecture of a module.

Decides which tensors have bits of their own (plain, strided ones, of a type that numpy or `ml_dtypes` has a
name for) and by which rule a tree of modules is described without its values. A tensor is hashed where it
lies if it is contiguous and on the CPU; of all others, parts are copied one after another. torch is never
imported here: whoever holds a tensor has imported it.
"""

from __future__ import annotations

import ctypes
import struct
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import BuiltinFunctionType, FunctionType
from typing import Any

from .framing import digest, frame, labelled, number, utf8
from .plain import canonical_json
from .records import Refused
from .tensors import PART_BYTES, Bits, TensorsDigest, array_bits, parts, tensors_digest

# The names by which numpy and ml_dtypes call the same bits.
_DTYPES = {
    *("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
    *("float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
    *("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu"),
}
_EXTRA_STATE = "_extra_state"  # torch.nn.modules.module._EXTRA_STATE_KEY_SUFFIX


def is_module(value: object) -> bool:
    """Whether it is a `torch.nn.Module`."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module)


def is_tensor(value: object) -> bool:
    """Whether it is a torch tensor of any kind."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def state_digest(state: Mapping[str, Any]) -> TensorsDigest:
    """The roots of a state dict: torch tensors and numpy arrays by name, and `_extra_state` entries.

    An `_extra_state` that is no tensor has to be plain JSON; it enters `tensors`, but not `weights`.

    Raises:
        Refused: a value of another kind, or a tensor without bits of its own.
    """
    others = {
        name: canonical_json(value, where=f"state {name!r}")
        for name, value in state.items()
        if name.rpartition(".")[2] == _EXTRA_STATE and not is_tensor(value)
    }
    names = [name for name in state if name not in others]
    return tensors_digest(names, lambda name: _value_bits(state[name], name), others=others)


def _value_bits(value: Any, name: str) -> Bits:
    where = f"tensor {name!r}"
    if is_tensor(value):
        return tensor_bits(value, where=where)
    if isinstance(value, Mapping):
        raise Refused(
            "a dict among tensors, as in a checkpoint",
            where=where,
            advice="digest the state dict of the model alone",
        )
    return array_bits(value, where=where)


def tensor_bits(tensor: Any, *, where: str) -> Bits:
    """A torch tensor as `Bits`.

    Raises:
        Refused: subclasses, sparse, quantised and meta tensors, types without a name of numpy's, freed memory.
    """
    torch = sys.modules["torch"]
    name = str(tensor.dtype).removeprefix("torch.")
    what = advice = ""
    if type(tensor) not in (torch.Tensor, torch.nn.Parameter):
        what = f"a {type(tensor).__module__}.{type(tensor).__qualname__}, a tensor of another kind"
        advice = "turn it into a plain tensor first (a DTensor: full_tensor())"
    elif tensor.is_meta:
        what, advice = "on the device meta, without values", "digest it when it has been loaded"
    elif tensor.is_nested:
        what, advice = "nested", "digest its parts as tensors of their own"
    elif tensor.is_quantized:
        what, advice = "quantised", "digest int_repr(), scales and zero points as tensors, or dequantize()"
    elif tensor.layout != torch.strided:
        what, advice = f"of layout {tensor.layout}", "digest to_dense(), or indices and values as tensors"
    elif name not in _DTYPES:
        what, advice = f"of dtype {tensor.dtype}, without defined elements here", "digest view(torch.uint8)"
    elif sys.byteorder != "little":
        what, advice = "on a big-endian machine", "digest the model as a safetensors file"
    if what:
        raise Refused(what, where=where, advice=advice)
    with _readable(where):
        tensor = tensor.detach()
        freed = tensor.numel() > 0 and tensor.untyped_storage().nbytes() < _reach(tensor)
        seen_as = (tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.is_conj(), tensor.is_neg())
    if freed:
        raise Refused(
            "its memory has been freed", where=where, advice="digest it before, or when it is gathered again"
        )
    return Bits(
        dtype=name,
        shape=tuple(tensor.shape),
        itemsize=tensor.element_size(),
        pieces=_pieces(tensor, where),
        storage=(name, str(tensor.device), *seen_as) if tensor.numel() else None,
    )


def _reach(tensor: Any) -> int:
    """Up to which byte of its storage the elements of a tensor lie."""
    steps = zip(tensor.shape, tensor.stride(), strict=True)
    last = tensor.storage_offset() + sum((length - 1) * stride for length, stride in steps)
    return int(tensor.element_size() * (last + 1))


def _pieces(tensor: Any, where: str) -> Iterator[Any]:
    import numpy as np

    torch = sys.modules["torch"]
    if not tensor.numel():
        return
    # A conjugated or negated view has the bits of what it was made from until it is copied.
    marked = tensor.is_conj() or tensor.is_neg()
    if tensor.device.type == "cpu" and tensor.is_contiguous() and not marked:
        with _readable(where):
            address = tensor.data_ptr()
        # Not `numpy()`, after which torch never lets the memory grow again. The tensor lives as long as this does.
        yield np.frombuffer((ctypes.c_ubyte * tensor.nbytes).from_address(address), np.uint8)
        return
    # One buffer for all parts: blocks of changing size are not given back by every allocator.
    elements = min(tensor.nbytes, PART_BYTES) // tensor.element_size()
    buffer = torch.empty(elements, dtype=tensor.dtype, device="cpu")
    for part in parts(tensor):
        with _readable(where):
            copied = buffer[: part.numel()]
            copied.view(part.shape).copy_(part)
            piece = copied.view(torch.uint8).numpy()
        yield piece


@contextmanager
def _readable(where: str) -> Iterator[None]:
    """What torch says of a tensor without memory of its own (nested, inside a transformation) is a refusal."""
    try:
        yield
    except (RuntimeError, TypeError, ValueError) as error:
        text = str(error).partition("\n")[0][:200] or type(error).__name__
        raise Refused(f"its bits cannot be read ({text})", where=where, advice="pass a plain copy") from error


def architecture_digest(module: Any) -> str:
    """`b3-architecture1` of a module: the tree of its modules, their settings and the heads of their tensors.

    The same before and after training, in training and evaluation mode, and on every device.

    Raises:
        Refused: a module that contains itself, a tensor without a shape (a lazy module before its first call), or
            a setting without a form (a text that is not Unicode, an int of more digits than Python writes).
    """
    found: dict[int, bytes | None] = {}
    try:
        tree = _form(module, found, type(module).__name__)
    except RecursionError:
        raise Refused("nested too deeply", where=type(module).__name__, advice="digest its parts") from None
    tied: dict[int, list[str]] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        tied.setdefault(id(parameter), []).append(name)
    groups = sorted(sorted(utf8(name, where="names") for name in names) for names in tied.values())
    ties = [_joined(group) for group in groups if len(group) > 1]
    return labelled("b3-architecture1", digest("b3-module1 architecture", tree, _joined(ties)))


def _form(module: Any, found: dict[int, bytes | None], path: str) -> bytes:
    """32 bytes for one module and what is below it; a module that stands in several places is read once."""
    if id(module) in found:
        known = found[id(module)]
        if known is None:
            raise Refused("a module that contains itself", where=path, advice="remove the cycle")
        return known
    found[id(module)] = None
    own = {
        **dict(module.named_parameters(recurse=False, remove_duplicate=False)),
        **dict(module.named_buffers(recurse=False, remove_duplicate=False)),
    }
    tensors = [_name(name) + _head(own[name], f"{path}.{name}") for name in sorted(own)]
    settings = {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_") and name not in (*own, "training")
    }
    children = [
        _name(name) + (b"" if child is None else _form(child, found, f"{path}.{name}"))
        for name, child in module._modules.items()
    ]
    kind = type(module)
    form = digest(
        "b3-module1 module",
        _name(f"{kind.__module__}.{kind.__qualname__}"),
        _joined([_name(name) + _setting(settings[name], f"{path}.{name}") for name in sorted(settings)]),
        _joined(tensors),
        _joined(children),
    )
    found[id(module)] = form
    return form


def _head(tensor: Any, path: str) -> bytes:
    torch = sys.modules["torch"]
    if isinstance(tensor, torch.nn.parameter.UninitializedTensorMixin):
        raise Refused("a tensor without a shape yet", where=path, advice="call the module once")
    shape = [number(length) for length in tensor.shape]
    return frame(str(tensor.dtype).removeprefix("torch.").encode()) + number(len(shape)) + b"".join(shape)


def _setting(value: Any, path: str) -> bytes:
    """The tagged form of a plain value; of anything else, only its class."""
    torch = sys.modules["torch"]
    if value is None or value is True or value is False:
        return {None: b"N", False: b"F", True: b"T"}[value]
    match value:
        case int():
            try:
                return b"i" + frame(str(int(value)).encode())
            except ValueError:  # sys.get_int_max_str_digits
                raise Refused("an int of too many digits", where=path, advice="keep it as text") from None
        case float():
            return b"f" + struct.pack("<d", float("nan") if value != value else value)
        case str():
            return b"s" + frame(utf8(value, where=path))
        case list() | tuple():
            return b"l" + _joined([_setting(part, path) for part in value])
        case dict() if all(isinstance(key, str) for key in value):
            return b"d" + _joined([_name(key) + _setting(value[key], path) for key in sorted(value)])
        case torch.dtype():
            return b"D" + frame(str(value).removeprefix("torch.").encode())
        case type() | FunctionType() | BuiltinFunctionType():
            return b"C" + _name(f"{value.__module__}.{value.__qualname__}")
    return b"x" + _name(f"{type(value).__module__}.{type(value).__qualname__}")


def _name(text: str) -> bytes:
    return frame(utf8(text, where="names"))


def _joined(pieces: list[bytes]) -> bytes:
    return number(len(pieces)) + b"".join(frame(piece) for piece in pieces)
