"""Chance in a run: seeds from one entropy, the generators they are given to, and what they do not fix.

What a job needs of it:

    from relineage.emitter.seeds import register_generator

The rest is for `run.py`; docs/seeds.md explains it.
"""

from .derivation import Entropy, child_entropy, entropy_of
from .libraries import register_generator
from .processes import process_name
from .seeding import LibrarySeed, Seeding, SeedRecord
from .workers import SeedWorker, entropy_in_worker

__all__ = [
    "Entropy",
    "LibrarySeed",
    "SeedRecord",
    "SeedWorker",
    "Seeding",
    "child_entropy",
    "entropy_in_worker",
    "entropy_of",
    "process_name",
    "register_generator",
]
