"""What stands for an object among parameters that is no plain value, but has a name or a state that says all of it.

| a parameter is | it is known by |
|---|---|
| a function or class that a module holds | its name, `module:qualified.name`; its code counts with the step's |
| a partial function of one | that, and what it was given |
| a generator of numbers (numpy's, Python's, torch's) | its kind and its state when the call begins |
| an object of a class of one's own | its attributes, where these are few and plain: a configuration, say |

Decides that nothing else has one: a lambda and a function in a function can be told by no name, and what an object of
somebody else's holds is not known. Libraries that the caller did not import are not imported here.
"""

import functools
import sys
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from .capture.local import is_own_class
from .values import Named, NoFormError, Record, canonical

_DIGEST_HEX = 32
_MOST_ITEMS = 1_000  # of an attribute
_MOST_ARRAY_BYTES = 1 << 16
_PLAIN = frozenset({type(None), bool, int, float, complex, str, bytes})


def stand_in(value: object) -> object:
    """What is recorded in place of a parameter: a `Named` or a `Record`; anything else as it is."""
    if type(value) is functools.partial:
        return Record(
            "functools.partial",
            {
                "func": stand_in(value.func),
                "args": [stand_in(one) for one in value.args],
                "keywords": {name: stand_in(one) for name, one in value.keywords.items()},
            },
        )
    if isinstance(value, type | FunctionType | BuiltinFunctionType | MethodType) or _is_numpys(value):
        name = _name_of(value)
        return value if name is None else Named("class" if isinstance(value, type) else "function", name)
    return _generator(value) or value


def plain_attributes(value: object) -> dict[str, object] | None:
    """The attributes of an object of the user's own; null if it may hold more than these, or they are many."""
    kind = type(value)
    if isinstance(value, type) or kind in _PLAIN or not is_own_class(kind):
        return None
    if any(getattr(kind, name) is not getattr(object, name) for name in _REDUCING):
        return None
    try:
        reduced: Any = object.__reduce_ex__(value, 2)
    except (TypeError, ValueError):  # something lies in memory that is no attribute
        return None
    _, _, state, items, pairs = reduced
    if items is not None or pairs is not None:
        return None
    found: dict[str, object] = {}
    for part in state if isinstance(state, tuple) else (state,):
        found |= part or {}
    return found if all(map(_is_short, found.values())) else None


# Whoever says himself what an object consists of may leave attributes out.
_REDUCING = ("__reduce_ex__", "__reduce__", "__getstate__")


def _is_short(value: Any) -> bool:
    if isinstance(value, list | tuple | dict | set | frozenset):
        held = value.values() if isinstance(value, dict) else value
        return len(value) <= _MOST_ITEMS and _PLAIN.issuperset(map(type, held))
    numpy = sys.modules.get("numpy")
    return numpy is None or not isinstance(value, numpy.ndarray) or value.nbytes <= _MOST_ARRAY_BYTES


def _name_of(value: Any) -> str | None:
    """The name under which its module holds this very object, by which pickle would find it again."""
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if isinstance(value, MethodType) and isinstance(owner := value.__self__, type):  # inherited, perhaps
        module, name = owner.__module__, f"{owner.__qualname__}.{value.__name__}"
    if not isinstance(module, str) or not isinstance(name, str):
        return None
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    # A class method is another object each time that it is asked for.
    same = found is value or (isinstance(value, MethodType) and found == value)
    return f"{module}:{name}" if same else None


def _is_numpys(value: object) -> bool:
    """numpy's functions are of types of their own."""
    return type(value).__module__ == "numpy" and type(value).__name__ in ("ufunc", "_ArrayFunctionDispatcher")


def _generator(value: Any) -> Named | None:
    """The kind and state of a generator of numbers; null for anything else."""
    random, numpy = sys.modules.get("random"), sys.modules.get("numpy.random")
    torch: Any = sys.modules.get("torch._C")  # torch has its own when it is imported
    if random is not None and type(value) is random.Random:
        return _in_state("random.Random", "", value.getstate())
    if numpy is not None and isinstance(value, numpy.Generator | numpy.RandomState | numpy.BitGenerator):
        bits = value.bit_generator if isinstance(value, numpy.Generator) else value
        state = bits.get_state(legacy=False) if isinstance(value, numpy.RandomState) else bits.state
        return _in_state(f"numpy.random.{type(value).__name__}", state["bit_generator"], state)
    if numpy is not None and type(value) is numpy.SeedSequence:
        return _in_state("numpy.random.SeedSequence", "", value.state)
    if torch is not None and isinstance(value, torch.Generator):
        return _in_state("torch.Generator", str(value.device), value.get_state().numpy())
    return None


def _in_state(kind: str, what: str, state: object) -> Named | None:
    from blake3 import blake3

    try:
        digest = blake3(canonical(state)).hexdigest(_DIGEST_HEX // 2)
    except NoFormError:  # a generator of somebody else's making
        return None
    return Named(kind, f"{what} in state {digest}".lstrip())
