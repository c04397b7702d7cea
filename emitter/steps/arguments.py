"""The arguments of a call: which are data that it read, and which are parameters that it was given.

The rule, in one function (`is_data`):

| an argument is | if it is |
|---|---|
| data | a frame, series, Arrow table or array, numpy array, torch tensor or module, scikit-learn estimator, bytes |
| data | a `pathlib.Path`: its content counts, not its name |
| data | a text, a list of texts, or a list or dict of plain JSON values, with more than 4,096 bytes in it |
| taken apart | a list, tuple, dict, named tuple, dataclass (or the like) that holds one of the first: part by part |
| a parameter | anything else; what has no defined form (an open file, a client) keeps the task from being told |

So a list of column names is a parameter and ten thousand texts are data. A step says otherwise by the names of its
parameters: `inputs=("texts",)`, `params=("weights",)`. How what is data is digested is decided elsewhere.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from inspect import BoundArguments, Parameter

from ..capture.local import is_our_class
from ..values import NoFormError, canonical
from .content import has_content
from .results import as_state, members

PLAIN_BYTES = 4096
PLAIN_TYPES = frozenset({type(None), bool, int, float, complex, str, bytes})  # of which there may be many
_DEEPEST = 4


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a step says of its parameters, by their names: these are read, these are not data, these are written."""

    inputs: frozenset[str] = frozenset()
    params: frozenset[str] = frozenset()
    outputs: frozenset[str] = frozenset()


@dataclass(kw_only=True)
class Arguments:
    """The arguments of one call, sorted: (role, data) in their order, and the parameters by name."""

    inputs: list[tuple[str, object]] = field(default_factory=list)
    parameters: dict[str, object] = field(default_factory=dict)
    outputs: list[tuple[str, object]] = field(default_factory=list)


def is_data(value: object) -> bool:
    """Whether an argument, as a whole, is something that was read rather than something that was said."""
    if has_content(value):
        return True
    return type(value) in (str, list, dict) and (as_state(value) is not None or _is_large(value))


def sort_out(bound: BoundArguments, said: Said, *, method: bool) -> Arguments:
    """Sort the arguments of a call, defaults included.

    Args:
        bound: The arguments by the function's signature.
        said: What the step says of its parameters.
        method: The first argument is the object whose method it is, or its class.
    """
    found = Arguments()
    for position, (name, value) in enumerate(bound.arguments.items()):
        kind = bound.signature.parameters[name].kind
        if method and position == 0:
            _sort_owner(found, name, value)
        elif name in said.outputs:
            found.outputs.append((name, value))
        else:
            for part, one in _spread(name, value, kind):
                _sort(found, part, one, said, name, _DEEPEST)
    return found


def _spread(name: str, value: object, kind: object) -> Iterable[tuple[str, object]]:
    if kind is Parameter.VAR_POSITIONAL and isinstance(value, tuple):
        return [(f"{name}[{position}]", one) for position, one in enumerate(value)]
    if kind is Parameter.VAR_KEYWORD and isinstance(value, Mapping):
        return value.items()
    return [(name, value)]


def _sort_owner(found: Arguments, name: str, owner: object) -> None:
    """The object of a method: its attributes decide what comes out as much as the arguments do."""
    if isinstance(owner, type):
        found.parameters[name] = f"{owner.__module__}:{owner.__qualname__}"
    elif is_data(owner):
        found.inputs.append((name, owner))
    elif hasattr(owner, "__dict__") or hasattr(type(owner), "__slots__"):
        for attribute, value in attributes(owner).items():
            _sort(found, f"{name}.{attribute}", value, Said(), name, _DEEPEST)


def attributes(owner: object) -> dict[str, object]:
    """What an object holds: its slots, then what it was given besides."""
    slots = [slot for kind in type(owner).__mro__ for slot in _slots(kind)]
    found = {slot: getattr(owner, slot) for slot in slots if hasattr(owner, slot)}
    return found | dict(getattr(owner, "__dict__", {}))


def _slots(kind: type) -> tuple[str, ...]:
    slots = vars(kind).get("__slots__", ())
    named = (slots,) if isinstance(slots, str) else tuple(slots)
    return tuple(slot for slot in named if slot not in ("__dict__", "__weakref__"))


def _sort(found: Arguments, name: str, value: object, said: Said, parameter: str, depth: int) -> None:
    if is_our_class(type(value)):
        return  # a run that is handed on, to record metrics: it is no part of what was asked for
    if parameter in said.params:
        found.parameters[name] = value
    elif value is not None and (parameter in said.inputs or is_data(value)):
        found.inputs.append((name, value))
    elif depth and (held := members(value, always=False)) is not None:
        for suffix, one in held:
            _sort(found, name + suffix, one, said, parameter, depth - 1)
    else:
        found.parameters[name] = value


def _is_large(value: object) -> bool:
    """Whether it has more than 4,096 bytes and can be digested as a text, a list of texts or JSON."""
    if isinstance(value, str):
        return len(value) * 4 > PLAIN_BYTES and len(value.encode("utf-8", "surrogatepass")) > PLAIN_BYTES
    if not isinstance(value, list | dict):
        return False
    if len(value) <= PLAIN_BYTES:
        try:
            if len(canonical(value)) <= PLAIN_BYTES:
                return False
        except NoFormError:
            return False
    return _has_a_digest(value)


def _has_a_digest(value: object) -> bool:
    from ..digests.plain import canonical_json
    from ..digests.records import Refused
    from ..digests.tables import is_table

    try:
        return is_table(value) or bool(canonical_json(value))
    except Refused:
        return False
