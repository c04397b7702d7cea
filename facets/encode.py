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

- A facet that does not change any more (`Settled`) is brought into this form once, redaction included, and its bytes
  are put into each event that holds it: packages and machine are the larger part of most events. An event may be
  settled, too: whoever asks for its size has made its bytes.
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
from os import PathLike, fspath, urandom
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
    """A facet, or an event, that nobody changes any more, so that its bytes are made once."""

    @cached_property
    def wire(self) -> bytes:
        """As it stands in an event, secrets replaced.

        Raises:
            TypeError: as `encode`.
        """
        return _bytes(self)

    @property
    def wire_bytes(self) -> int:
        """Size on the wire."""
        return len(self.wire)


def encode(event: Mapping[str, Any]) -> bytes:
    """The event as the bytes that go on the wire.

    Raises:
        TypeError: the event is no mapping, or something in it has no JSON form; the message names its
            place, as in `$.run.facets.my_facet.handle`.
    """
    return event.wire if type(event) is Settled else _bytes(event)


def _bytes(event: Mapping[str, Any]) -> bytes:
    if not isinstance(event, Mapping):
        raise TypeError(f"an event is a mapping, not {type(event).__name__}")
    walk = _Walk()
    try:
        plain = walk.object(event, MAX_DEPTH)
    except _NoFormError as error:
        raise TypeError(f"no JSON form at ${''.join(reversed(error.way))}: {error.reason}") from None
    if walk.unchecked:
        if may_hold_secret("\n".join(walk.unchecked).encode("utf-8", "surrogatepass")):
            plain = redact(plain)
        else:
            _remember(walk.unchecked)
    written = _dumps(plain).encode()
    if walk.settled:
        written = _PLACEHOLDER.sub(lambda found: walk.settled[int(found[1])].wire, written)
    return written


# Texts that were seen to hold no secret: field names, URLs of schemas, most of what events say again and again. What
# `redact` goes by (a secret itself, the name of one) always lies within one text, and such a text is never among them.
_HARMLESS: Final[set[str]] = set()
_MOST_REMEMBERED: Final = 4096
_LONGEST_REMEMBERED: Final = 512

# Digests, UUIDs, seeds, instants: new in every event, and no secret by their form.
_HARMLESS_FORM: Final = re.compile(
    "(?:b3-(?:bytes|code|estimator|folder|outcome|recipe|rows|table|task|tensors|weights)1:)?[0-9a-f.:TZ-]*"
)

# Stands where a settled facet's bytes go. Random, so that no text of an event is taken for it.
_MARK: Final = urandom(16).hex()
_PLACEHOLDER: Final = re.compile(f'"{_MARK}-([0-9]+)"'.encode())


def _remember(texts: list[str]) -> None:
    if len(_HARMLESS) + len(texts) > _MOST_REMEMBERED:
        _HARMLESS.clear()
    _HARMLESS.update(text for text in texts[:_MOST_REMEMBERED] if len(text) <= _LONGEST_REMEMBERED)


class _Walk:
    """Brings values into JSON types alone; gathers what is to be looked through for secrets, and settled facets."""

    __slots__ = ("settled", "unchecked")

    def __init__(self) -> None:
        self.unchecked: list[str] = []
        self.settled: list[Settled] = []

    def value(self, value: Any, depth: int) -> Any:
        """The common types come first; this is the hot path of every event."""
        kind = type(value)
        if kind is str:
            if value in _HARMLESS:
                return value
            return self.text(value)
        if kind is bool or value is None:
            return value
        if kind is dict:
            return self.object(value, depth)
        if kind is list or kind is tuple:
            return self.array(value, depth)
        if kind is int:
            if value.bit_length() > _MAX_INTEGER_BITS:
                raise _NoFormError(f"an integer of {value.bit_length()} bits")
            return value
        if kind is float:
            return _plain_float(value)
        return self.other(value, depth)

    def text(self, value: str) -> str:
        """Legal, and to be looked through."""
        if _HARMLESS_FORM.fullmatch(value):
            return value
        legal = value if value.isascii() else _legal(value)
        self.unchecked.append(legal)
        return legal

    def object(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        """An object; two keys of one form are refused."""
        if depth == 0:
            raise _NoFormError(f"nested deeper than {MAX_DEPTH}; does it hold itself?")
        plain: dict[str, Any] = {}
        for key, item in value.items():
            name = key if type(key) is str and key in _HARMLESS else self.key(key)
            if name in plain:
                raise _NoFormError(f"two keys are both written as {name!r}")
            if type(item) is str:  # most are
                plain[name] = item if item in _HARMLESS else self.text(item)
                continue
            try:
                plain[name] = self.value(item, depth - 1)
            except _NoFormError as error:
                error.way.append(f".{name}" if name.isidentifier() else f"[{json.dumps(name)}]")
                raise
        return plain

    def key(self, key: Any) -> str:
        """A key's text, to be looked through."""
        if type(key) is str:
            return self.text(key)
        form = self.value(key, 1)
        if isinstance(form, dict | list):
            raise _NoFormError(f"a key of type {type(key).__name__}")
        return form if isinstance(form, str) else self.text(_dumps(form))

    def array(self, values: Any, depth: int) -> list[Any]:
        """An array."""
        if depth == 0:
            raise _NoFormError(f"nested deeper than {MAX_DEPTH}; does it hold itself?")
        if _are_finite(values):
            return list(values)
        plain: list[Any] = []
        for item in values:
            try:
                plain.append(self.value(item, depth - 1))
            except _NoFormError as error:
                error.way.append(f"[{len(plain)}]")
                raise
        return plain

    def other(self, value: Any, depth: int) -> Any:
        """Types that events seldom hold, and subclasses of the common ones. An Enum before those it may derive
        from.
        """
        if type(value) is Settled:
            self.settled.append(value)
            return f"{_MARK}-{len(self.settled) - 1}"
        if isinstance(value, Enum):
            return self.value(value.value, depth)
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(value, numpy.generic | numpy.ndarray):
            return self.of_numpy(value, numpy, depth)
        if isinstance(value, str):
            return self.text(str(value))
        if isinstance(value, int):
            return self.value(int(value), depth)
        if isinstance(value, float):
            return _plain_float(float(value))
        if isinstance(value, Mapping):
            return self.object(value, depth)
        if isinstance(value, list | tuple):
            return self.array(value, depth)
        if isinstance(value, Set):
            return sorted(self.array(value, depth), key=_dumps)
        if isinstance(value, bytes | bytearray | memoryview):
            return self.text("base64:" + base64.b64encode(value).decode())
        text = _text_form(value)
        if text is None:
            raise _NoFormError(f"a value of type {type(value).__module__}.{type(value).__qualname__}")
        return self.text(text)

    def of_numpy(self, value: Any, numpy: Any, depth: int) -> Any:
        """As their Python values."""
        if value.dtype.kind in "mM":
            return self.value(value.astype(str).tolist(), depth)
        if isinstance(value, numpy.longdouble):  # its item() is itself
            return _plain_float(float(value))
        return self.value(value.tolist(), depth)


def _are_finite(values: Any) -> bool:
    """Whether all are numbers that stay as they are: long arrays of them (edges, counts) are quick so."""
    try:
        return _NUMBERS.issuperset(map(type, values)) and all(map(isfinite, values))
    except OverflowError:  # an integer beyond the doubles
        return False


def _plain_float(value: float) -> float | str:
    if value - value == 0:
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


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
