"""What holds several things: how tuples, named results, lists and dicts are taken apart, and what each part is called.

Decides the roles: `output[0]` of a tuple, the name of a field or key of a named result, and below them `train[0]` and
`train.labels`. A dict of arrays is one thing, the state of a model say, as `run.output` takes it; so are more than 32
arrays in a list, since each would be a dataset. Which single value is data is decided in `arguments.py`.
"""

from collections.abc import Iterator

from ..values import record_of
from .content import has_content, is_array_like

MOST_SINGLY = 32
_DEEPEST = 4  # deeper is taken for one thing


def named_fields(value: object) -> dict[str, object] | None:
    """The fields of a named tuple, or of a dataclass instance and its like, in their order; null for anything else."""
    if isinstance(value, tuple) and isinstance(names := getattr(type(value), "_fields", None), tuple):
        return {str(name): value[position] for position, name in enumerate(names)}
    record = record_of(value) if not has_content(value) else None
    return dict(record.fields) if record is not None else None


def holds_content(value: object, depth: int = _DEEPEST) -> bool:
    """Whether there is a frame, an array, a model or a path in it, or it is one."""
    if has_content(value):
        return True
    found = _members(value)
    return depth > 0 and found is not None and any(holds_content(one, depth - 1) for _, one in found)


def members(value: object, *, always: bool) -> list[tuple[str, object]] | None:
    """The parts of a value with what is put behind its name: `[0]`, `.key`; null for what stays whole.

    Args:
        value: Anything.
        always: Take tuples and named results apart whatever they hold, as for what a function returns.
    """
    if has_content(value) or as_state(value) is not None:
        return None
    found = _members(value)
    if found is None:
        return None
    result = always and (isinstance(value, tuple) or named_fields(value) is not None)
    return found if result or any(holds_content(one, _DEEPEST - 1) for _, one in found) else None


def as_state(value: object) -> dict[str, object] | None:
    """What counts as one state of named tensors: a dict of nothing but arrays, or more than 32 of them in a list."""
    listed = _listed(value)
    if listed is not None and len(listed) > MOST_SINGLY and all(map(is_array_like, listed)):
        return {str(position): one for position, one in enumerate(listed)}
    if isinstance(value, dict) and value and all(isinstance(key, str) for key in value):
        return value if all(map(is_array_like, value.values())) else None
    return None


def parts(value: object, role: str) -> Iterator[tuple[str, object]]:
    """A function's result as (role, single thing); nulls are left out.

    At the top, a named part has its own name as its role: `train`, not `output.train`.
    """
    yield from _parts(value, role, top=True, depth=_DEEPEST)


def _parts(value: object, role: str, *, top: bool, depth: int) -> Iterator[tuple[str, object]]:
    if value is None:
        return
    found = members(value, always=True) if depth else None
    if found is None:
        yield role, value
        return
    for suffix, one in found:
        name = suffix[1:] if top and suffix.startswith(".") else role + suffix
        yield from _parts(one, name, top=False, depth=depth - 1)


def _members(value: object) -> list[tuple[str, object]] | None:
    fields = named_fields(value)
    if fields is not None:
        return [(f".{name}", one) for name, one in fields.items()]
    if (listed := _listed(value)) is not None:
        return [(f"[{position}]", one) for position, one in enumerate(listed)]
    if isinstance(value, dict):
        return [(f".{key}", one) for key, one in value.items()]
    return None


def _listed(value: object) -> list[object] | tuple[object, ...] | None:
    return value if type(value) is list or type(value) is tuple else None
