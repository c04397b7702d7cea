"""Sums of doubles without rounding, whatever their order: `math.fsum` at the speed of vectors.

Decides how a sum is kept; what is summed, and what becomes of it, is `statistics`' part.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

BLOCK = (
    1 << 14
)  # values at a time: the temporaries stay in the processor's cache, and `ExactSum` counts on it
_LARGE = 2.0**1000  # greater values are added one by one: what is added to a block would overflow


class ExactSum:
    """An exact sum of doubles in a few vector operations a block.

    Adding and subtracting a great power of two cuts off of each value the bits below a common unit. What
    stays are multiples of that unit, so few bits wide that a block of them adds up without rounding in any
    order; what was cut off is taken in the next turn. (ExtractVector of Rump, Ogita and Oishi, "Accurate
    floating-point summation", part I, SIAM J. Sci. Comput. 31, 2008.) The sums of the blocks are added as
    integers.
    """

    def __init__(self) -> None:
        self._total = 0  # in units of 2**-1126

    def add(self, values: np.ndarray) -> None:
        """Add finite doubles, at most `BLOCK` of them."""
        import numpy as np

        largest = max(float(values.max(initial=0.0)), -float(values.min(initial=0.0)))
        if largest > _LARGE:
            large = np.abs(values) > _LARGE
            self._total += sum(_integer(value) for value in values[large].tolist())
            values = values[~large]
            largest = _LARGE
        exponent = math.frexp(largest)[1]
        upper, rest = np.empty_like(values), np.empty_like(values)
        while values.any():
            # At most 2**14 magnitudes of at most 2**exponent: the unit is 2**(exponent - 38) or more, the sum
            # below 2**(exponent + 14), which is 52 bits; what is cut off is at most 2**(exponent - 38).
            shift = math.ldexp(1.0, exponent + 15)
            np.add(values, shift, out=upper)
            np.subtract(upper, shift, out=upper)
            self._total += _integer(float(upper.sum()))
            values = np.subtract(values, upper, out=rest)
            exponent -= 38

    def over(self, count: int) -> float:
        """The sum divided by `count`, rounded once."""
        return self._total / (count << 1126)


def _integer(value: float) -> int:
    """`value` in units of 2**-1126, exactly."""
    fraction, exponent = math.frexp(value)
    return int(fraction * 2**53) << (exponent + 1073)
