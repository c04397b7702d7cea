"""The bytes on the wire: every event, ours or one that passes through, is written here.

Decided here:

- The document is compact UTF-8 JSON as RFC 8259 has it: no NaN, no duplicate keys, no lone surrogates.
- Secrets are replaced on the way (redaction.py); there is no way around it.
- Values without a JSON type have one defined form each; what has none is a TypeError that names its place:

  | Python | JSON |
  |---|---|
  | NaN, infinities | the texts "NaN", "Infinity", "-Infinity" |
  | int | a number of any size: only our own facets turn what exceeds 2^53 into text |
  | numpy scalar, array | its Python value, nested lists; `datetime64`, `timedelta64` numpy's ISO text |
  | bytes, bytearray, memoryview | "base64:" and the bytes in base64 |
  | datetime with zone | RFC 3339 in UTC with microseconds and Z |
  | datetime without zone, date, time | ISO 8601 as it is: no zone is invented |
  | timedelta | ISO 8601 duration in seconds, "PT1.5S" |
  | UUID, Decimal, path | their text |
  | Enum | the form of its value |
  | Mapping | object; a key that is no text is written as its form's text |
  | list, tuple, set, frozenset | array; a set's in the order of its elements' JSON |

- A facet that does not change any more (`Settled`) is brought into this form once, redaction included, and its text is
  put into each event that holds it: packages and machine are the larger part of most events.
- A lone surrogate (from a file name that is no UTF-8) becomes the six characters of its escape, `\\udc80`;
  a pair of them the character they mean.

numpy is recognised by type and never imported. What an event says is for others to decide.
"""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Mapping, Set
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import cached_property
from math import isfinite
from os import PathLike, fspath
from typing import Any, Final
from uuid import UUID

from .redaction import may_hold_secret, redact

MAX_DEPTH: Final = 200
"""Deeper nesting is refused: consumers of events refuse it too, and a structure that holds itself ends
here."""

_MAX_INTEGER_BITS: Final = 14_000
"""Python refuses to write longer integers in decimal (4,300 digits)."""

_dumps: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")
).encode
_NUMBERS: Final = frozenset({int, float})
_SURROGATE_PAIR: Final = re.compile("[\ud800-\udbff][\udc00-\udfff]")


class _NoFormError(Exception):
    """A value without a form; the way to it is gathered while the walk unwinds."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.way: list[str] = []


class Settled(dict[str, Any]):
    """A facet of a run or job that nobody changes any more, so that its bytes are made once."""

    @cached_property
    def text(self) -> str:
        """As it stands in an event, secrets replaced.

        Raises:
            TypeError: as `encode`.
        """
        return encode(self).decode()

    @property
    def wire_bytes(self) -> int:
        """Size on the wire."""
        return len(self.text.encode())


def encode(event: Mapping[str, Any]) -> bytes:
    """The event as the bytes that go on the wire.

    Raises:
        TypeError: the event is no mapping, or something in it has no JSON form; the message names its
            place, as in `$.run.facets.my_facet.handle`.
    """
    if not isinstance(event, Mapping):
        raise TypeError(f"an event is a mapping, not {type(event).__name__}")
    event, settled = _without_settled(event)
    try:
        plain = _plain(event, MAX_DEPTH)
    except _NoFormError as error:
        raise TypeError(f"no JSON form at ${''.join(reversed(error.way))}: {error.reason}") from None
    pieces = _pieces(plain, settled)
    if may_hold_secret("".join(checked for checked, _ in pieces).encode()):
        pieces = _pieces(redact(plain), settled)
    return "".join(checked + known for checked, known in pieces).encode()


_Pieces = list[tuple[str, str]]  # what is looked through for secrets, and what is known to have none


def _without_settled(event: Mapping[str, Any]) -> tuple[Mapping[str, Any], dict[str, dict[str, Settled]]]:
    """The event without its settled facets, and those by entity: `run` or `job`."""
    settled: dict[str, dict[str, Settled]] = {}
    for entity in ("run", "job"):
        told = event.get(entity)
        facets = told.get("facets") if isinstance(told, dict) else None
        if not isinstance(told, dict) or not isinstance(facets, dict):
            continue
        found = {key: facet for key, facet in facets.items() if type(facet) is Settled and type(key) is str}
        if found:
            settled[entity] = found
            rest = {key: facet for key, facet in facets.items() if key not in found}
            event = {**event, entity: {**told, "facets": rest}}
    return event, settled


def _pieces(plain: dict[str, Any], settled: dict[str, dict[str, Settled]]) -> _Pieces:
    """The text of an event in pieces, its settled facets as they stand; the entities that have some come last."""
    if not settled:
        return [(_dumps(plain), "")]
    pieces = [("{" + _members({key: one for key, one in plain.items() if key not in settled}), "")]
    for entity, facets in settled.items():
        told = plain[entity]
        others = _members({key: one for key, one in told.items() if key != "facets"})
        unsettled = _members(told["facets"])
        pieces.append((f'"{entity}":{{{others}"facets":{{{unsettled}', ""))
        pieces += [("", f"{_dumps(_plain_key(key))}:{facet.text},") for key, facet in facets.items()]
        pieces[-1] = (pieces[-1][0], pieces[-1][1][:-1])
        pieces.append(("}},", ""))
    pieces[-1] = ("}}}", "")
    return pieces


def _members(value: dict[str, Any]) -> str:
    """What stands between the braces, with a comma behind it if it is anything."""
    return _dumps(value)[1:-1] + "," if value else ""


def _plain(value: Any, depth: int) -> Any:
    """The value in JSON types alone. The common types come first; this is the hot path of every event."""
    kind = type(value)
    if kind is str:
        return value if value.isascii() else _legal(value)
    if kind is bool or value is None:
        return value
    if kind is dict:
        return _plain_object(value, depth)
    if kind is list or kind is tuple:
        return _plain_array(value, depth)
    if kind is int:
        if value.bit_length() > _MAX_INTEGER_BITS:
            raise _NoFormError(f"an integer of {value.bit_length()} bits")
        return value
    if kind is float:
        return _plain_float(value)
    return _plain_other(value, depth)


def _plain_object(value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    if depth == 0:
        raise _NoFormError(f"nested deeper than {MAX_DEPTH}; does it hold itself?")
    plain: dict[str, Any] = {}
    for key, item in value.items():
        name = key if type(key) is str and key.isascii() else _plain_key(key)
        if name in plain:
            raise _NoFormError(f"two keys are both written as {name!r}")
        try:
            plain[name] = _plain(item, depth - 1)
        except _NoFormError as error:
            error.way.append(f".{name}" if name.isidentifier() else f"[{json.dumps(name)}]")
            raise
    return plain


def _plain_array(values: Any, depth: int) -> list[Any]:
    if depth == 0:
        raise _NoFormError(f"nested deeper than {MAX_DEPTH}; does it hold itself?")
    if _are_finite(values):
        return list(values)
    plain: list[Any] = []
    for item in values:
        try:
            plain.append(_plain(item, depth - 1))
        except _NoFormError as error:
            error.way.append(f"[{len(plain)}]")
            raise
    return plain


def _are_finite(values: Any) -> bool:
    """Whether all are numbers that stay as they are: long arrays of them (edges, counts) are quick so."""
    try:
        return _NUMBERS.issuperset(map(type, values)) and all(map(isfinite, values))
    except OverflowError:  # an integer beyond the doubles
        return False


def _plain_key(key: Any) -> str:
    form = _plain(key, 1)
    if isinstance(form, dict | list):
        raise _NoFormError(f"a key of type {type(key).__name__}")
    return form if isinstance(form, str) else _dumps(form)


def _plain_float(value: float) -> float | str:
    if value - value == 0:
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def _plain_other(value: Any, depth: int) -> Any:
    """Types that events seldom hold, and subclasses of the common ones. An Enum before those it may derive
    from."""
    if isinstance(value, Enum):
        return _plain(value.value, depth)
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.generic | numpy.ndarray):
        return _plain_numpy(value, numpy, depth)
    if isinstance(value, str):
        return _legal(str(value))
    if isinstance(value, int):
        return _plain(int(value), depth)
    if isinstance(value, float):
        return _plain_float(float(value))
    if isinstance(value, Mapping):
        return _plain_object(value, depth)
    if isinstance(value, list | tuple):
        return _plain_array(value, depth)
    if isinstance(value, Set):
        return sorted(_plain_array(value, depth), key=_dumps)
    if isinstance(value, bytes | bytearray | memoryview):
        return "base64:" + base64.b64encode(value).decode()
    text = _text_form(value)
    if text is None:
        raise _NoFormError(f"a value of type {type(value).__module__}.{type(value).__qualname__}")
    return _legal(text)


def _plain_numpy(value: Any, numpy: Any, depth: int) -> Any:
    if value.dtype.kind in "mM":
        return value.astype(str).tolist()
    if isinstance(value, numpy.longdouble):  # its item() is itself
        return _plain_float(float(value))
    return _plain(value.tolist(), depth)


def _text_form(value: object) -> str | None:
    if isinstance(value, datetime) and value.tzinfo is not None and value.utcoffset() is not None:
        try:
            utc = value.astimezone(UTC)
        except OverflowError:  # the first and last day of the calendar, in a zone that leaves it
            return value.isoformat(timespec="microseconds")
        return utc.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    if isinstance(value, date | time):  # a datetime is a date
        return value.isoformat()
    if isinstance(value, timedelta):
        microseconds = value // timedelta(microseconds=1)
        return f"PT{Decimal(microseconds).scaleb(-6).normalize():f}S"
    if isinstance(value, UUID | Decimal):
        return str(value)
    if isinstance(value, PathLike):
        path = fspath(value)
        return path if isinstance(path, str) else path.decode("utf-8", "surrogateescape")
    return None


def _legal(text: str) -> str:
    """The text without lone surrogates, which UTF-8 cannot carry and JSON readers refuse."""
    try:
        text.encode()
    except UnicodeEncodeError:
        joined = _SURROGATE_PAIR.sub(
            lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), text
        )
        return joined.encode("utf-8", "backslashreplace").decode()
    return text
