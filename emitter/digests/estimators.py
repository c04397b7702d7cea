"""Fitted scikit-learn estimators: a defined walk over what an estimator names as its state, no pickle.

An estimator is its class, the version of scikit-learn, its parameters and its fitted state. Objects of
scikit-learn's own modules are taken apart by the reduction they offer to `copy` (class, arguments, state),
and every part is written in a tagged, framed form; anything else is refused with the path of the attribute.
Left out is what is no outcome of the fit: wall-clock times, thread counts, memory addresses, the query
counters of search trees. The code behind functions and behind classes outside scikit-learn is bound by name
only.
"""

from __future__ import annotations

import inspect
import math
import struct
import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from .framing import DISTINCTIVE_BYTES, digest, frame, labelled, number
from .records import Model, Refused
from .tensors import tensor_bytes

# What says when, on how many threads or at which address something was fitted, and not what came out:
# attributes of the state, and columns of the table of a search.
_NO_OUTCOME = frozenset(
    {"refit_time_", "_init_prev_time", "_iter_prev_time", "n_threads", "_n_threads", "_stop_words_id"}
)
_SEARCH_TIMES = frozenset({"mean_fit_time", "std_fit_time", "mean_score_time", "std_score_time"})
_SEARCH_TREES = ("sklearn.neighbors._kd_tree", "sklearn.neighbors._ball_tree")


@dataclass(frozen=True, kw_only=True)
class EstimatorDigest:
    """The digest of an estimator; `bytes` is the size of the arrays and texts in its fitted state."""

    digest: str
    bytes: int
    distinctive: bool
    model: Model


def estimator_digest(estimator: Any) -> EstimatorDigest:
    """The `b3-estimator1` digest of a scikit-learn estimator, fitted or not, pipelines included.

    Raises:
        Refused: an attribute outside the specification, named by its path.
    """
    import sklearn

    walk = _Walk()
    version = frame(sklearn.__version__.encode())
    name = type(estimator).__name__
    try:
        whole = digest("b3-estimator1 root", version, walk.encode(estimator, name))
        plan = digest("b3-estimator1 architecture", version, _Walk(fitted=False).encode(estimator, name))
    except RecursionError:
        raise Refused("nested too deeply", where=name, advice="digest its parts one by one") from None
    return EstimatorDigest(
        digest=labelled("b3-estimator1", whole),
        bytes=walk.bytes,
        distinctive=walk.bytes >= DISTINCTIVE_BYTES,
        model=Model(
            architecture=labelled("b3-architecture1", plan),
            framework=f"scikit-learn {sklearn.__version__}",
            parameters=walk.floats,
        ),
    )


class _Walk:
    """One pass over an estimator; counts the floating-point values and the bytes of the fitted state.

    With `fitted=False` only classes and parameters are written.
    """

    def __init__(self, *, fitted: bool = True) -> None:
        self.floats = 0
        self.bytes = 0
        self._fitted = fitted
        self._counting = False
        self._open: set[int] = set()

    def encode(self, value: Any, path: str) -> bytes:
        """The tagged form of `value`; `path` is for the error."""
        if id(value) in self._open:
            raise Refused(
                "a value that contains itself", where=path, advice="it has no digest; remove the cycle"
            )
        self._open.add(id(value))
        try:
            return self._encode(value, path)
        finally:
            self._open.discard(id(value))

    def _encode(self, value: Any, path: str) -> bytes:
        import numpy as np
        from scipy import sparse
        from sklearn.base import BaseEstimator

        if value is None or isinstance(value, bool):
            return {None: b"N", False: b"F", True: b"T"}[value]
        if isinstance(value, np.generic):
            return b"g" + self._array(np.asarray(value), path)
        match value:
            case int():
                return b"i" + frame(str(value).encode())
            case float():
                self.floats += self._counting
                return b"f" + struct.pack("<d", math.nan if value != value else value)
            case complex():
                return b"c" + struct.pack("<dd", value.real, value.imag)
            case str():
                return b"s" + self._raw(value.encode("utf-8", "surrogatepass"))
            case bytes():
                return b"y" + self._raw(value)
            case slice():
                return b":" + self._all([value.start, value.stop, value.step], path)
            case set() | frozenset():
                return b"e" + _joined(sorted(self.encode(part, f"{path}{{}}") for part in value))
            case dict():
                return b"d" + self._items(value, path)
            case tuple():
                return b"t" + frame(_name(type(value)).encode()) + self._all(value, path)
            case list():
                return b"l" + self._all(value, path)
            case np.ndarray():
                return self._array(value, path)
            case np.dtype():
                return b"D" + frame(value.str.encode())
            case np.random.RandomState() | np.random.Generator():
                return b"R" + self._generator(value, path)
            case ModuleType():
                return b"M" + frame(value.__name__.encode())
            case BaseEstimator():
                return b"E" + self._estimator(value, path)
        if sparse.issparse(value):
            return b"S" + self._sparse(value, path)
        if isinstance(value, type) or _is_function(value):
            return b"C" + frame(_name(value, path).encode())
        if _name(type(value)) == "scipy.interpolate._bsplines.BSpline":  # of SplineTransformer
            return b"B" + self._all([value.t, value.c, value.k, value.extrapolate, value.axis], path)
        if _is_sklearn(value):
            return b"O" + self._reduced(value, path)
        raise _refused(f"{_name(type(value))} has no defined form", path)

    def _raw(self, data: bytes) -> bytes:
        self.bytes += len(data) if self._counting else 0
        return frame(data)

    def _all(self, values: Any, path: str) -> bytes:
        return _joined([self.encode(part, f"{path}[{i}]") for i, part in enumerate(values)])

    def _items(self, values: dict[Any, Any], path: str) -> bytes:
        """Sorted by the encoded key, so that the order in which a dict was filled does not count."""
        if path.endswith(".cv_results_"):
            values = {key: part for key, part in values.items() if key not in _SEARCH_TIMES}
        pairs = [
            (self.encode(key, path), self.encode(part, f"{path}[{key!r}]")) for key, part in values.items()
        ]
        return _joined([key + part for key, part in sorted(pairs)])

    def _array(self, array: Any, path: str) -> bytes:
        import numpy as np

        if isinstance(array, np.ma.MaskedArray):
            mask = np.ma.getmaskarray(array)
            kept = np.where(mask, np.zeros((), array.dtype), array.data)
            return b"m" + self._array(mask, path) + self._array(kept, path)
        if array.dtype == object:
            dims = b"".join(number(length) for length in array.shape)
            return b"o" + number(array.ndim) + dims + self._all(array.reshape(-1), path)
        if array.dtype.names is not None:  # field by field: the padding between them is no value
            fields = [frame(name.encode()) + self._array(array[name], path) for name in array.dtype.names]
            return b"r" + _joined(fields)
        if self._counting:
            self.bytes += array.nbytes
            self.floats += array.size if array.dtype.kind == "f" else 0
        return b"a" + tensor_bytes(np.asarray(array), where=path)

    def _sparse(self, matrix: Any, path: str) -> bytes:
        if matrix.format in ("csr", "csc"):
            parts = [matrix.indptr, matrix.indices, matrix.data]
        else:
            matrix = matrix.tocoo()
            parts = [matrix.row, matrix.col, matrix.data]
        return self._all([matrix.format, tuple(matrix.shape), *parts], path)

    def _generator(self, generator: Any, path: str) -> bytes:
        import numpy as np

        if not self._fitted:
            return b""  # fitting draws from it
        if generator is np.random.mtrand._rand:
            return b"global"  # belongs to the process, and moves on without the estimator
        counting, self._counting = self._counting, False  # a generator's words are no fitted values
        try:
            if isinstance(generator, np.random.RandomState):
                return self.encode(generator.get_state(legacy=False), path)
            return self.encode(generator.bit_generator.state, path)
        finally:
            self._counting = counting

    def _estimator(self, estimator: Any, path: str) -> bytes:
        try:
            parameters = estimator.get_params(deep=False)
            state = estimator.__reduce_ex__(2)[2] or {}
        except (AttributeError, TypeError) as error:
            raise _refused(f"its state cannot be read ({error})", path) from error
        if not isinstance(state, dict):
            raise _refused("an estimator whose state is no dict", path)
        name = frame(_name(type(estimator)).encode())
        counting = self._counting
        try:
            self._counting = False
            # In scikit-learn only a private helper has a parameter of such a name; elsewhere anyone may.
            given = (self._state if _is_sklearn(estimator) else self._attributes)(parameters, path)
            if not self._fitted:
                return name + given
            self._counting = True
            return name + given + self._state({k: v for k, v in state.items() if k not in parameters}, path)
        finally:
            self._counting = counting

    def _state(self, values: dict[str, Any], path: str) -> bytes:
        return self._attributes({k: v for k, v in values.items() if k not in _NO_OUTCOME}, path)

    def _attributes(self, values: dict[str, Any], path: str) -> bytes:
        return _joined(
            [frame(key.encode()) + self.encode(values[key], f"{path}.{key}") for key in sorted(values)]
        )

    def _reduced(self, value: Any, path: str) -> bytes:
        """Class, arguments and state, as the object gives them to `copy`; dicts were taken before."""
        try:
            reduced = value.__reduce_ex__(2)
        except TypeError as error:
            raise _refused(f"its state cannot be read ({error})", path) from error
        if not isinstance(reduced, tuple) or any(part is not None for part in reduced[3:]):
            raise _refused("a reduction outside the specification", path)
        state = reduced[2] if len(reduced) > 2 else None
        if type(value).__module__ in _SEARCH_TREES:
            if not isinstance(state, tuple) or len(state) != 13:
                raise _refused("a search tree of an unknown layout", path)
            state = state[:7] + state[11:]  # 7 to 10 count the queries made so far
        head = frame(_name(type(value)).encode()) + self._all(reduced[1], path)
        if isinstance(state, dict):
            return head + self._state(state, path)
        return head + self.encode(state, path)


def _refused(what: str, path: str) -> Refused:
    return Refused(what, where=path, advice="save the model to a file and digest the file")


def _joined(parts: list[bytes]) -> bytes:
    return number(len(parts)) + b"".join(frame(part) for part in parts)


def _is_sklearn(value: Any) -> bool:
    kind = type(value)
    if kind.__module__ == "_loss":  # scikit-learn 1.5 names its compiled losses so
        return getattr(sys.modules.get("sklearn._loss._loss"), kind.__name__, None) is kind
    return kind.__module__.partition(".")[0] == "sklearn"


def _is_function(value: Any) -> bool:
    import numpy as np

    named = isinstance(getattr(value, "__qualname__", None), str) and callable(value)
    return isinstance(value, np.ufunc) or (named and not inspect.ismethod(value))


def _name(value: Any, path: str = "") -> str:
    module = getattr(value, "__module__", None) or "numpy"  # a ufunc of old numpy has no module
    name = f"{module}.{getattr(value, '__qualname__', None) or value.__name__}"
    if path and "<" in name:
        raise Refused(
            f"the function {name} has no name of its own", where=path, advice="define it in a module"
        )
    return name
