"""The code of one callable: a digest of its source."""

import inspect
import textwrap
from collections.abc import Callable
from functools import cache
from typing import Any

from .code import Code, _digest


@cache
def callable_code(function: Callable[..., Any]) -> Code:
    """The digest of a callable's source; null with the reason where there is none."""
    try:
        source = textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
    except (OSError, TypeError) as error:
        return Code(digest=None, file=None, missing=f"the source of the function is not known: {error}")
    return Code(digest=_digest([source.encode("utf-8", "surrogatepass")]), file=None)
