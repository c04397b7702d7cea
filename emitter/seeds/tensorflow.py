"""TensorFlow's global seed, from which each operation's is drawn.

Decides what of TensorFlow can be fixed without starting it: the seed of `tf.random.set_seed` and the generator
that derives the operations' seeds from it. Putting it back restarts those operations that were given a seed of
their own, since TensorFlow keeps their counters out of reach.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any


class TensorFlow:
    """`tensorflow`, run eagerly."""

    module = "tensorflow"
    rule = "tensorflow.random.set_seed(seed % 2**31)"

    def take(self) -> dict[str, Any]:
        """The global seed, and the state of the generator behind it."""
        context = _context()
        generator = getattr(context, "_rng", None)
        return {"tensorflow": (context._seed, None if generator is None else generator.getstate())}

    def seed(self, words: Callable[[str], list[int]]) -> dict[str, int]:
        """With 31 bits: TensorFlow takes no more."""
        seed = words("tensorflow")[0] % 2**31
        sys.modules["tensorflow"].random.set_seed(seed)
        return {"tensorflow": seed}

    def put_back(self, states: Mapping[str, Any]) -> None:
        """Both as they were."""
        seed, state = states["tensorflow"]
        context = _context()
        context._set_global_seed(seed)
        if state is not None:
            context._rng.setstate(state)

    def plain(self, state: Any) -> bytes | None:
        """As text."""
        return repr(state).encode()

    def may_be_seeded_after_fork(self) -> bool:
        """Its lock cannot be looked at."""
        return False


def _context() -> Any:
    return sys.modules["tensorflow.python.eager.context"].context()
