"""Which values of a program count by what they are, when its code is identified: simple ones, and not too large.

Decides the types and the sizes, and that of a secret only counts that it is one. What of the program is looked at is
decided in `reached.py`.
"""

import re
import sys
import types
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import PurePath
from typing import Any
from uuid import UUID

from ..parameters import form_without_secrets
from ..values import canonical, constant_of
from .local import is_own_class

MOST_ITEMS = 1_000  # of a container
_MOST_TEXT_BYTES = 1 << 20
_MOST_ARRAY_BYTES = 1 << 16  # it is looked at anew before each call
_SCALARS = (
    bool, int, float, complex, str, bytes, Decimal, Fraction, date, time, timedelta, UUID, PurePath, range, Enum,
)  # fmt: skip
_CONTAINERS = (list, tuple, dict, set, frozenset, types.SimpleNamespace)


def form_of_simple(value: Any, label: str) -> bytes | None:
    """The bytes of a simple value, secrets replaced; null for any other.

    Args:
        value: Anything.
        label: Where it was found; what follows the last dot is its name.
    """
    if isinstance(value, re.Pattern):
        return canonical((value.pattern, value.flags))
    if isinstance(value, Enum) and is_own_class(type(value)):
        return None  # by its class
    numpy = sys.modules.get("numpy")
    if isinstance(value, str | bytes):
        fits = len(value) <= _MOST_TEXT_BYTES
    elif isinstance(value, _CONTAINERS):
        fits = len(getattr(value, "__dict__", value)) <= MOST_ITEMS
    elif numpy is not None and isinstance(value, numpy.ndarray | numpy.generic):
        fits = value.nbytes <= _MOST_ARRAY_BYTES
    else:
        fits = value is None or isinstance(value, _SCALARS) or constant_of(value) is not None
    if not fits:
        return None
    name = label.rpartition(".")[2]  # of a secret, what is hashed is that it is one
    return form_without_secrets(name, value)
