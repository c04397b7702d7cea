"""How the result of a step is described so that it can be made again, of the same types, from the store of contents.

Decides which objects have such a form: pandas and polars frames and series, Arrow tables, numpy arrays and scalars,
torch tensors on the CPU, dicts of arrays or tensors, texts, bytes, lists of texts, plain JSON values, paths; and
tuples, named tuples, dataclasses, lists and dicts of them. What has none (an estimator, a module, an open file) is
refused with the reason. A form says all that the digest leaves out: types of columns, the index, the order of elements
in memory. A form that is kept has been tried: what is made from it has the same digest and form (`cached.py`).

Frames are in `form_frames.py`. Nothing is unpickled.
"""

import dataclasses
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import form_frames
from .results import members, named_fields, parts

Form = dict[str, Any]
# Role → what lies in the store under its digest: a table, named arrays, bytes, or a path.
Load = Callable[[str], Any]
_MOST_JSON = 65_536
# A slice that is made again takes the memory of what it was cut from: so many times its own at most.
_THINNEST_SLICE = 8


class Formless(Exception):
    """An object has no form from which it can be made again; the text says which."""


def form_of(value: object, role: str) -> Form:
    """The form of a step's result, with the roles that `results.parts` gives its parts.

    Raises:
        Formless: It has none.
    """
    roles = iter([name for name, _ in parts(value, role)])
    return _form(value, roles, top=True)


def made_again(form: Form, load: Load) -> Any:
    """The object of a form.

    Args:
        form: As `form_of` said.
        load: Gives what the store holds for a role.

    Raises:
        Formless: A class or library that it needs is not there, or it does not fit what was loaded.
    """
    kind = form["is"]
    if kind == "null":
        return None
    if kind in ("tuple", "list"):
        return (tuple if kind == "tuple" else list)(made_again(one, load) for one in form["parts"])
    if kind == "dict":
        return {one["key"]: made_again(one["form"], load) for one in form["parts"]}
    if kind == "named":
        return _named(form, load)
    if kind == "json":
        return json.loads(form["text"])
    if kind == "numpy scalar":
        return _numpy().dtype(form["dtype"]).type(json.loads(form["text"]))
    if kind == "path":
        return _path(form, load(form["role"]))
    return _LEAVES[kind](form, load(form["role"]))


def _form(value: object, roles: Any, *, top: bool = False, depth: int = 4) -> Form:
    if value is None:
        return {"is": "null"}
    found = members(value, always=True) if depth else None
    if found is None:
        return _leaf(value, next(roles))
    inner = [_form(one, roles, depth=depth - 1) for _, one in found]
    fields = named_fields(value)
    if fields is not None:
        kind = type(value)
        if not isinstance(value, tuple) and not dataclasses.is_dataclass(value):
            raise _formless(value)  # an attrs class or a pydantic model may hold more, or be made otherwise
        if "<locals>" in kind.__qualname__:
            raise Formless(f"a {kind.__qualname__} cannot be made again: its class is inside a function")
        if more := sorted(_attributes(value) - fields.keys()):
            raise Formless(
                f"a {kind.__qualname__} cannot be made again: its attribute {more[0]!r} is no field"
            )
        named = [{"key": key, "form": one} for key, one in zip(fields, inner, strict=True)]
        return {"is": "named", "class": f"{kind.__module__}:{kind.__qualname__}", "parts": named}
    if type(value) in (tuple, list):
        return {"is": type(value).__name__, "parts": inner}
    if type(value) is dict and all(isinstance(key, str) for key in value):
        pairs = [{"key": key, "form": one} for key, one in zip(value, inner, strict=True)]
        return {"is": "dict", "parts": pairs}
    raise _formless(value)


def _attributes(value: object) -> set[str]:
    """What an object carries, in its slots too; of a named tuple only what was put beside its fields."""
    state = object.__getstate__(value)
    parts = state if isinstance(state, tuple) else (state,)
    return {name for part in parts if isinstance(part, dict) for name in part}


def _leaf(value: Any, role: str) -> Form:
    form = _simple(value) or form_frames.form_of(value) or _arrays(value)
    if form is None:
        raise _formless(value)
    return {"role": role, **form}


def _simple(value: Any) -> Form | None:
    if type(value) is type(Path()):
        return {"is": "path", "path": str(value)}
    if type(value) in (str, bytes):
        return {"is": type(value).__name__}
    if type(value) is list and value and all(type(one) is str or one is None for one in value):
        return {"is": "texts"}
    if (scalar := _scalar(value)) is not None:
        return scalar
    if type(value) in (bool, int, float, list, dict):
        try:
            text = json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            return None
        # What JSON gives back is another thing where keys were numbers or lists were tuples.
        return (
            {"is": "json", "text": text}
            if len(text) <= _MOST_JSON and _same(json.loads(text), value)
            else None
        )
    return None


def _scalar(value: Any) -> Form | None:
    """A numpy scalar that JSON holds."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, numpy.generic) or value.dtype.kind not in "biufU":
        return None
    if value.dtype.kind == "f" and (value.dtype.itemsize > 8 or not numpy.isfinite(value)):
        return None
    return {"is": "numpy scalar", "dtype": value.dtype.str, "text": json.dumps(value.item())}


def _numpy() -> Any:
    import numpy

    return numpy


def _same(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return bool(one == other)


def _arrays(value: Any) -> Form | None:
    if isinstance(value, dict):
        inner = {key: _array(one) for key, one in value.items()}
        if type(value) is not dict or not inner or any(one is None for one in inner.values()):
            return None
        return {"is": "arrays", "arrays": [{"key": key, **one} for key, one in inner.items() if one]}
    if type(value) is list and value:
        each = [_array(one) for one in value]
        return None if any(one is None for one in each) else {"is": "array list", "arrays": each}
    one = _array(value)
    return None if one is None else {"is": "array", **one}


def _array(value: Any) -> Form | None:
    """dtype and layout of one numpy array or torch tensor; null for what comes back as something else."""
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if numpy is not None and type(value) is numpy.ndarray:
        flags = value.flags
        if value.dtype.names is not None:
            return None
        form = {"of": "numpy", "dtype": value.dtype.str}
        if flags.c_contiguous or flags.f_contiguous:
            form["order"] = "C" if flags.c_contiguous else "F"
        elif _extent_bytes(value.strides, value.shape, value.itemsize) <= _THINNEST_SLICE * value.nbytes:
            # A slice, say: the last bits of its sum follow the order in which its elements lie.
            form["strides"] = list(value.strides)
        else:
            raise Formless(
                "an array cannot be made again as it lies: it is a thin slice of a much larger one"
            )
        return form if flags.writeable else {**form, "writeable": False}
    if torch is not None and type(value) is torch.Tensor:
        plain = value.device.type == "cpu" and not value.requires_grad and value.is_contiguous()
        return {"of": "torch", "dtype": str(value.dtype)} if plain else None
    return None


def _extent_bytes(strides: Sequence[int], shape: Sequence[int], item_bytes: int) -> int:
    """From an array's first byte in memory to behind its last, what lies between its elements included."""
    return sum(abs(step) * (size - 1) for step, size in zip(strides, shape, strict=True)) + item_bytes


def _made_array(form: Form, array: Any) -> Any:
    numpy = _numpy()
    if form["of"] == "torch":
        torch = sys.modules.get("torch")
        if torch is None:
            raise Formless("it was a torch tensor, and torch is not imported here")
        dtype = getattr(torch, form["dtype"].removeprefix("torch."))
        if array.dtype.kind in "biufc":
            return torch.from_numpy(array.copy()).to(dtype)
        bits = numpy.ascontiguousarray(array).view(
            f"u{array.dtype.itemsize}"
        )  # bfloat16 and other types of ml_dtypes
        return torch.from_numpy(bits.copy()).view(dtype).reshape(array.shape)
    dtype = numpy.dtype(form["dtype"])
    if "order" in form:
        made = numpy.array(array, dtype=dtype, order=form["order"])
    else:
        held = numpy.empty(_extent_bytes(form["strides"], array.shape, dtype.itemsize), "u1")
        backwards = zip(form["strides"], array.shape, strict=True)
        first = sum(-step * (size - 1) for step, size in backwards if step < 0)
        made = numpy.ndarray(array.shape, dtype, held, first, form["strides"])
        made[...] = array
    made.flags.writeable = form.get("writeable", True)
    return made


def _path(form: Form, found: Path) -> Path:
    given = Path(form["path"])
    if given.absolute() != found:
        raise Formless(f"{given} is another place in this working directory")
    return given


def _named(form: Form, load: Load) -> Any:
    module_name, _, name = form["class"].partition(":")
    kind: Any = sys.modules.get(module_name)
    for part in name.split("."):
        kind = getattr(kind, part, None)
    fields = {one["key"]: made_again(one["form"], load) for one in form["parts"]}
    if not isinstance(kind, type) or not (issubclass(kind, tuple) or hasattr(kind, "__dataclass_fields__")):
        raise Formless(f"the class {form['class']} is not there any more")
    made = kind(**fields)
    if named_fields(made) is None or list(named_fields(made) or ()) != list(fields):
        raise Formless(f"the class {form['class']} has other fields now")
    return made


def _formless(value: object) -> Formless:
    kind = type(value)
    return Formless(f"a {kind.__module__}.{kind.__qualname__} cannot be made again from the store")


_LEAVES: Mapping[str, Callable[[Form, Any], Any]] = {
    "str": lambda form, data: data.decode("utf-8"),
    "bytes": lambda form, data: data,
    "texts": lambda form, data: data.column(0).to_pylist(),
    "array": lambda form, data: _made_array(form, data[""]),
    "arrays": lambda form, data: {one["key"]: _made_array(one, data[one["key"]]) for one in form["arrays"]},
    "array list": lambda form, data: [
        _made_array(one, data[str(place)]) for place, one in enumerate(form["arrays"])
    ],
    "frame": form_frames.made_again,
}
