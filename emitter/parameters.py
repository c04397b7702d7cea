"""A run's parameters, twice: as text for people and replays, and as values for the task.

Decides what may be given (a mapping, a dataclass or the like, what argparse parsed), and that a secret is named but
never hashed, however deep it lies: a digest over a short password can be guessed back.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from .values import NoFormError, Record, canonical, record_of, text, type_name

_REDACTED = "[redacted]"


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
    values = {str(name): _without_secrets(str(name), value) for name, value in given.items()}
    shown = tuple(Shown(name=name, type=type_name(value), text=text(value)) for name, value in values.items())
    forms: dict[str, bytes] = {}
    formless: list[str] = []
    for name, value in values.items():
        try:
            forms[name] = canonical(value)
        except NoFormError as error:
            formless.append(f"parameter {name!r}: {error}")
    return Parameters(shown=shown, forms=forms, formless=tuple(formless))


def holds_secret(name: str, value: object) -> bool:
    """Whether the form of a parameter leaves something of its value out, so that two values may have one form."""
    form = parameters_of({name: value}).forms.get(name)
    try:
        return form is not None and form != canonical(value)
    except NoFormError:
        return True  # it is its name that gave it a form


def _without_secrets(name: str, value: object, depth: int = 0) -> object:
    from ..facets.redaction import is_secret_name, redact

    if is_secret_name(name) and not isinstance(value, bool | float | None):
        return _REDACTED
    if type(value) is str:
        return redact(value)
    if depth > 20 or type(value) in (bool, int, float, type(None)):
        return value
    if isinstance(value, Mapping):
        return {
            key: _without_secrets(key if isinstance(key, str) else "", item, depth + 1)
            for key, item in value.items()
        }
    if isinstance(names := getattr(type(value), "_fields", None), tuple) and isinstance(value, tuple):
        return tuple(
            _without_secrets(str(key), item, depth + 1) for key, item in zip(names, value, strict=False)
        )
    if type(value) in (list, tuple):
        return type(value)(_without_secrets("", item, depth + 1) for item in value)  # type: ignore[attr-defined,call-arg]
    if (record := record_of(value)) is not None:
        fields = {key: _without_secrets(key, item, depth + 1) for key, item in record.fields.items()}
        return Record(record.kind, fields)
    return value
