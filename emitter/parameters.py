"""A run's parameters, twice: as text for people and replays, and as values for the task.

Decides what may be given (a mapping, a dataclass or the like, what argparse parsed), and that a secret is named but
never hashed, however deep it lies: a digest over a short password can be guessed back. What stands for a function, a
class or a generator is decided in `stand_ins.py`.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from .stand_ins import plain_attributes, stand_in
from .values import NoFormError, Record, canonical, record_of, text, type_name

_REDACTED = "[redacted]"
_DEEPEST_OBJECTS = 4  # one within another


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One parameter for people: its type's name, and its value as text."""

    name: str
    type: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """All parameters of a run.

    Attributes:
        shown: In the order given.
        forms: Name → canonical form of the value, secrets replaced, for the task.
        formless: For each parameter without such a form, why.
    """

    shown: tuple[Shown, ...] = ()
    forms: Mapping[str, bytes] = dataclasses.field(default_factory=dict)
    formless: tuple[str, ...] = ()


def parameters_of(given: object) -> Parameters:
    """Read parameters, as they are now: what the job changes in them later is not seen.

    Args:
        given: A mapping, an instance of a dataclass, attrs class or pydantic model, an `argparse.Namespace`, or null.

    Raises:
        TypeError: It is none of these.
    """
    if given is None:
        return Parameters()
    if (record := record_of(given)) is not None:
        given = record.fields
    if not isinstance(given, Mapping):
        raise TypeError(
            f"params must be a mapping of names to values (or a dataclass, or an argparse.Namespace), "
            f"not {type(given).__name__}"
        )
    values = {str(name): _told(str(name), value) for name, value in given.items()}
    shown = tuple(Shown(name=name, type=type_name(value), text=text(value)) for name, value in values.items())
    forms: dict[str, bytes] = {}
    formless: list[str] = []
    for name, value in values.items():
        try:
            forms[name] = canonical(value)
        except NoFormError as error:
            formless.append(f"parameter {name!r}: {error}")
    return Parameters(shown=shown, forms=forms, formless=tuple(formless))


def form_without_secrets(name: str, value: object) -> bytes | None:
    """The form of a value of that name, secrets replaced; null where it has none: nothing stands for functions here."""
    return _form(_told(name, value, standing=False))


def holds_secret(name: str, value: object) -> bool:
    """Whether the form of a parameter leaves something of its value out, so that two values may have one form."""
    form = _form(_told(name, value))
    return form is not None and form != _form(_told(name, value, hiding=False))


def _form(value: object) -> bytes | None:
    try:
        return canonical(value)
    except NoFormError:
        return None


def _told(name: str, value: object, depth: int = 0, *, hiding: bool = True, standing: bool = True) -> object:
    """A value as it is told: with secrets replaced, and with what stands for functions, classes and generators."""
    from ..facets.redaction import is_secret_name, redact

    if hiding and is_secret_name(name) and not isinstance(value, bool | float | None):
        return _REDACTED
    if type(value) is str:
        return redact(value) if hiding else value
    if depth > 20 or type(value) in (bool, int, float, type(None)):
        return value

    def told(key: object, item: object) -> object:
        return _told(key if isinstance(key, str) else "", item, depth + 1, hiding=hiding, standing=standing)

    if isinstance(value, Mapping):
        return {key: told(key, item) for key, item in value.items()}
    if isinstance(names := getattr(type(value), "_fields", None), tuple) and isinstance(value, tuple):
        return tuple(told(str(key), item) for key, item in zip(names, value, strict=False))
    if type(value) in (list, tuple):
        return type(value)(told("", item) for item in value)  # type: ignore[attr-defined,call-arg]
    if (record := record_of(value)) is not None:
        return Record(record.kind, {key: told(key, item) for key, item in record.fields.items()})
    if not standing:
        return value
    if depth < _DEEPEST_OBJECTS and (fields := plain_attributes(value)) is not None:
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        return Record(kind, {key: told(key, item) for key, item in fields.items()})
    return stand_in(value)
