"""Which single objects have content of their own, by their type alone. Pure; imports no library that is not there."""

import sys
from pathlib import Path


def has_content(value: object) -> bool:
    """A frame, series, Arrow table or array, numpy array, torch tensor or module, scikit-learn estimator, bytes, or a
    `pathlib.Path`.
    """
    if type(value) in _NEVER:
        return False
    if isinstance(value, Path | bytes | bytearray | memoryview):
        return True
    from ..digests.tables import is_table
    from ..digests.torch_models import is_module

    return is_array_like(value) or is_table(value) or is_module(value) or _is_estimator(value)


def is_array_like(value: object) -> bool:
    """A numpy array or a torch tensor."""
    if type(value) in _NEVER:
        return False
    from ..digests.tensors import is_array
    from ..digests.torch_models import is_tensor

    return is_array(value) or is_tensor(value)


_NEVER = frozenset({type(None), bool, int, float, complex, str, list, tuple, dict, set, frozenset})


def _is_estimator(value: object) -> bool:
    base = sys.modules.get("sklearn.base")
    return base is not None and isinstance(value, base.BaseEstimator)
