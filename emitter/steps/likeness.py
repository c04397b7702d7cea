"""What a function can tell of its arguments and no digest does: types, order of keys, layout.

A digest says what data is, whoever carries it: a table is the same in another order of columns, as another kind of
frame, with categories instead of texts. A function may make something else of each, so the cache of steps answers a
call only where its arguments are alike in that, too. Decides how much is looked at: containers as deep as they go, of
a path its text, and of other objects with a digest of their own (an estimator) the class. How frames are described is
in `form_frames.py`.
"""

import sys
from inspect import BoundArguments
from pathlib import PurePath
from typing import Any

from ..stand_ins import plain_attributes
from . import form_frames
from .arguments import PLAIN_TYPES, attributes
from .content import has_content
from .results import named_fields


def likeness(bound: BoundArguments, *, method: bool) -> dict[str, str]:
    """Argument → a digest of what can be told of it beside its content.

    Args:
        bound: The arguments of a call, as the function gets them.
        method: The first argument is the object whose method it is, or its class.
    """
    from blake3 import blake3

    found = {}
    for position, (name, value) in enumerate(bound.arguments.items()):
        owner = method and position == 0 and not isinstance(value, type) and not has_content(value)
        seen = [_class(value), _seen(attributes(value))] if owner else _seen(value)
        found[name] = blake3(repr(seen).encode("utf-8", "surrogatepass")).hexdigest()
    return found


def _seen(value: Any) -> list[Any]:
    if type(value) in PLAIN_TYPES:
        return [type(value).__name__]
    kind = _class(value)
    if isinstance(value, dict):
        return [kind, [[str(key), _seen(key), _seen(one)] for key, one in value.items()]]
    if (fields := named_fields(value)) is not None:
        return [kind, [_seen(one) for one in fields.values()]]
    if isinstance(value, list | tuple):
        return [kind, [_seen(one) for one in value]]
    if (told := form_frames.seen_of(value) or _layout(value)) is not None:
        return [kind, told]
    if (held := plain_attributes(value)) is not None:
        return [kind, [[name, _seen(one)] for name, one in held.items()]]
    if isinstance(value, PurePath):  # a function may take a month from it
        return [kind, str(value)]
    return [kind, getattr(value, "fold", 0), str(getattr(value, "tzinfo", None))]


def _layout(value: Any) -> list[Any] | None:
    """Of an array or a tensor: how it lies in memory, and whether it may be changed there."""
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if numpy is not None and isinstance(value, numpy.ndarray):
        flags = value.flags
        dense = flags.c_contiguous or flags.f_contiguous
        layout = [flags.c_contiguous, flags.f_contiguous] if dense else list(value.strides)
        return [str(value.dtype), *layout, flags.writeable]
    if torch is not None and isinstance(value, torch.Tensor):
        return [str(value.device), value.requires_grad, value.is_contiguous()]
    return None


def _class(value: object) -> str:
    kind = value if isinstance(value, type) else type(value)
    return f"{kind.__module__}:{kind.__qualname__}"
