"""Python values as bytes (one form each, for identities) and as text (for people and for a replay).

Decides when two parameters are the same: `1`, `1.0`, `"1"` and `True` are four values, a tuple is not a list,
a numpy scalar is the Python value that it holds, every NaN is one NaN, −0.0 is not 0.0, and a mapping has no
order. What has no defined form (a function, an open file, an object of an unknown class) raises
`NoFormError`; what that means for a run is decided elsewhere.

The bytes are injective: every value is a tag, a length and a body, so no two different values can meet.
Libraries that the caller did not import are not imported here.
"""

import dataclasses
import math
import struct
import sys
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import PurePath
from types import SimpleNamespace
from typing import Any
from uuid import UUID

_DEEPEST = 100  # deeper is taken for a value that contains itself
_PLAIN = frozenset({type(None), bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset})
_CANONICAL_NAN = struct.pack(">Q", 0x7FF8_0000_0000_0000)


class NoFormError(ValueError):
    """A value has no defined form; the text says which and what to give instead."""


@dataclasses.dataclass(frozen=True)
class Record:
    """Named fields: what a dataclass, an attrs class, a pydantic model, argparse's or a simple namespace holds.

    Attributes:
        kind: `module.name` of the class.
        fields: Name → value.
    """

    kind: str
    fields: Mapping[str, object]


@dataclasses.dataclass(frozen=True)
class Named:
    """What stands for an object that a name says all of.

    Attributes:
        kind: Of what it is the name, such as `function`.
        name: The name.
    """

    kind: str
    name: str


def record_of(value: object) -> Record | None:
    """The fields of what is nothing but them; null for anything else."""
    if isinstance(value, Record):
        return value
    if type(value) in _PLAIN or type(value) is Named or isinstance(value, type):
        return None
    pydantic = sys.modules.get("pydantic")
    if dataclasses.is_dataclass(value):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    elif isinstance(attributes := getattr(type(value), "__attrs_attrs__", None), tuple):
        fields = {one.name: getattr(value, one.name) for one in attributes}
    elif pydantic is not None and isinstance(value, pydantic.BaseModel):
        fields = vars(value) | (value.model_extra or {})
    elif isinstance(value, SimpleNamespace) or type(value).__qualname__ == "Namespace":
        fields = dict(vars(value))
    else:
        return None
    return Record(f"{type(value).__module__}.{type(value).__qualname__}", fields)


def constant_of(value: object) -> tuple[str, str] | None:
    """Kind and name of what a library names and nobody changes: numpy's and torch's types of numbers, torch's devices,
    and of what is `Named`; null for anything else.
    """
    if isinstance(value, Named):
        return value.kind, value.name
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if numpy is not None and isinstance(value, numpy.dtype):
        whole = value.names is None and value.subdtype is None
        return ("numpy.dtype", value.str) if whole else None
    named = getattr(torch, "dtype", ()), getattr(torch, "device", ())  # neither while it is being imported
    if isinstance(value, named):
        return f"torch.{type(value).__name__}", str(value)
    return None


def canonical(value: object) -> bytes:
    """The one byte form of a value.

    Returns:
        Tag (1 byte), length of the body (8 bytes, big-endian), body.

    Raises:
        NoFormError: Of a type without a defined form, or nested deeper than 100.
    """
    return _encode(value, 0)


def type_name(value: object) -> str:
    """The type as it is shown: `int`, `float`, `str`, `list`, …; numpy scalars by their Python type."""
    if type(value) in _EXACT or type(value) in _CONTAINERS:
        return type(value).__name__
    try:
        value = _plain(value)
    except NoFormError:
        return type(value).__qualname__
    if isinstance(value, Enum):
        return f"{type(value).__module__}.{type(value).__qualname__}"
    if (record := record_of(value)) is not None:
        return record.kind
    if (constant := constant_of(value)) is not None:
        return constant[0]
    for base in (bool, int, float, complex, str, bytes, datetime, date, time, timedelta, list, tuple):
        if isinstance(value, base):
            return base.__name__
    if isinstance(value, Mapping):
        return "dict"
    if isinstance(value, AbstractSet):
        return "set"
    return "None" if value is None else type(value).__qualname__


def text(value: object) -> str:
    """The value as text: a `str` as it is, everything else as the Python literal that makes it again.

    Never raises: what has no literal is shown by its type, never by its `repr`, which may hold anything.
    """
    return value if type(value) is str else _literal(value, 0)


def number(value: Any) -> int | float:
    """A plain Python number: what a numpy scalar, or a tensor with one element, holds.

    Raises:
        TypeError, ValueError: It holds none.
    """
    if type(value) in (int, float):
        return value  # type: ignore[no-any-return]
    item = getattr(value, "item", None)
    plain = item() if callable(item) else value
    return int(plain) if isinstance(plain, int) else float(plain)


def _encode(value: object, depth: int) -> bytes:
    if depth > _DEEPEST:
        raise NoFormError(f"a value is nested deeper than {_DEEPEST}, or contains itself: give plain values")
    if (scalar := _EXACT.get(type(value))) is not None:
        return _frame(scalar[0], scalar[1](value))
    if (container := _CONTAINERS.get(type(value))) is not None:
        return _frame(container[0], container[1](value, depth))
    value = _plain(value)
    if value is None:
        return _frame(b"n", b"")
    if isinstance(value, Enum):
        name = f"{type(value).__module__}.{type(value).__qualname__}"
        return _frame(b"E", _items((name, value.name), depth))
    for kind, tag, body in _SCALARS:
        if isinstance(value, kind):
            return _frame(tag, body(value))
    if isinstance(value, list | tuple):
        return _frame(b"l" if isinstance(value, list) else b"t", _items(value, depth))
    if isinstance(value, Mapping):
        return _frame(b"d", _pairs(value, depth))
    if isinstance(value, AbstractSet):
        return _frame(b"e", b"".join(sorted(_encode(item, depth + 1) for item in value)))
    if isinstance(value, range):
        return _frame(b"r", _items((value.start, value.stop, value.step), depth))
    if (record := record_of(value)) is not None:
        return _frame(b"D", _encode(record.kind, depth + 1) + _pairs(record.fields, depth))
    if _is_array(value):
        return _frame(b"a", _array(value, depth))
    if (constant := constant_of(value)) is not None:
        return _frame(b"N", _items(constant, depth))
    raise NoFormError(
        f"a {type(value).__module__}.{type(value).__qualname__} has no defined form: "
        "give numbers, texts, lists, tuples, dicts or a name for it"
    )


def _frame(tag: bytes, body: bytes) -> bytes:
    return tag + struct.pack(">Q", len(body)) + body


def _items(values: Any, depth: int) -> bytes:
    return b"".join(_encode(item, depth + 1) for item in values)


def _pairs(mapping: Mapping[Any, Any], depth: int) -> bytes:
    pairs = [(_encode(key, depth + 1), _encode(item, depth + 1)) for key, item in mapping.items()]
    return b"".join(key + item for key, item in sorted(pairs))


def _duration(value: Any) -> tuple[int, ...]:
    parts = (value.days, value.seconds, value.microseconds)
    nanoseconds = getattr(value, "nanoseconds", 0)  # of pandas
    return (*parts, nanoseconds) if nanoseconds else parts


def _float(value: float) -> bytes:
    return _CANONICAL_NAN if math.isnan(value) else struct.pack(">d", value)


# bool before int and datetime before date: each is a subclass of the other.
_SCALARS: tuple[tuple[type, bytes, Callable[[Any], bytes]], ...] = (
    (bool, b"b", lambda value: b"\x01" if value else b"\x00"),
    (int, b"i", lambda value: format(value, "x").encode()),
    (float, b"f", _float),
    (complex, b"c", lambda value: _float(value.real) + _float(value.imag)),
    (str, b"s", lambda value: value.encode("utf-8", "surrogatepass")),
    (bytes, b"y", bytes),
    (bytearray, b"y", bytes),
    (datetime, b"T", lambda value: value.isoformat().encode()),
    (date, b"A", lambda value: value.isoformat().encode()),
    (time, b"O", lambda value: value.isoformat().encode()),
    (timedelta, b"L", lambda value: repr(_duration(value)).encode()),
    (Decimal, b"m", lambda value: str(value).encode()),
    (Fraction, b"q", lambda value: str(value).encode()),
    (UUID, b"u", lambda value: value.bytes),
    (PurePath, b"p", lambda value: value.as_posix().encode("utf-8", "surrogatepass")),
)

# What is of one of these types itself, as nearly everything is, is not compared with the others.
_EXACT = {kind: (tag, body) for kind, tag, body in _SCALARS}
_CONTAINERS: dict[type, tuple[bytes, Callable[[Any, int], bytes]]] = {
    list: (b"l", _items),
    tuple: (b"t", _items),
    dict: (b"d", _pairs),
}


def _plain(value: object) -> object:
    """A numpy scalar as its Python value; everything else as it is."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, numpy.generic):
        return value
    if value.dtype.kind in "biufcSU" and value.dtype.itemsize <= (16 if value.dtype.kind == "c" else 8):
        return value.item()
    if value.dtype.kind in "SU":
        return value.item()
    raise NoFormError(
        f"a numpy.{value.dtype} has no defined form as a parameter: give a Python number, date or text"
    )


def _is_array(value: object) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def _array(value: Any, depth: int) -> bytes:
    if value.dtype.kind not in "biufcSU" or value.dtype.names is not None:
        raise NoFormError(f"a numpy array of {value.dtype} has no defined form as a parameter: give a list")
    little = value.astype(value.dtype.newbyteorder("<"), copy=False)
    return _items((little.dtype.str, list(value.shape), little.tobytes()), depth)


def _literal(value: object, depth: int) -> str:
    if depth > _DEEPEST:
        return "…"
    try:
        value = _plain(value)
    except NoFormError:
        return str(value)
    if isinstance(value, Enum):
        return f"{type(value).__qualname__}.{value.name}"
    if isinstance(value, float):
        return float.__repr__(value)
    if isinstance(value, bool) or value is None:
        return repr(value)
    if isinstance(value, int):
        return int.__repr__(value) if abs(value) < 1 << 4096 else hex(value)
    if isinstance(value, datetime | date | time | PurePath | Decimal | Fraction | UUID):
        return str(value) if depth == 0 else repr(str(value))
    if isinstance(value, complex | str | bytes | bytearray | range | timedelta):
        return repr(value)
    if isinstance(value, list | tuple):
        body = ", ".join(_literal(item, depth + 1) for item in value)
        if isinstance(value, list):
            return f"[{body}]"
        return f"({body},)" if len(value) == 1 else f"({body})"
    record = record_of(value)
    mapping = record.fields if record is not None else value
    if isinstance(mapping, Mapping):
        pairs = (f"{_literal(key, depth + 1)}: {_literal(item, depth + 1)}" for key, item in mapping.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, AbstractSet):
        return (
            "{" + ", ".join(sorted(_literal(item, depth + 1) for item in value)) + "}" if value else "set()"
        )
    if _is_array(value):
        return _array_literal(value, depth)
    if (constant := constant_of(value)) is not None:
        return constant[1] if depth == 0 else repr(constant[1])
    return f"<{type(value).__module__}.{type(value).__qualname__}>"


def _array_literal(value: Any, depth: int) -> str:
    if value.size > 1000:
        return f"<numpy array of {value.dtype}, shape {value.shape}>"
    return _literal(value.tolist(), depth)
