"""`@lineage.step`: each call of a function is a run, its arguments are what it read and what it was told, its result is
what it made.

`wrapping` decides what becomes of functions, methods, coroutines and generators, `calls` what one call records,
`arguments` which arguments are data, `results` how a result is taken apart, `items` what is said of what a generator
yields, `cached` when a call may be answered from an earlier one, `index` how that is remembered on the disk, and
`forms` how an object is made again from the store.
"""

from .wrapping import step

__all__ = ["step"]
