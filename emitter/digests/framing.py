"""How values become unambiguous bytes, and bytes become labelled BLAKE3 digests.

Every number is eight bytes, little-endian and unsigned; every piece of variable length follows its length;
every purpose has its own BLAKE3 derive-key context, so that a leaf can never be mistaken for a root of
another kind. The Merkle tree has the shape and the domain separation of RFC 6962, section 2.1. What is put
into the pieces is decided by the modules of the single kinds.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from blake3 import blake3

from .records import Refused

DISTINCTIVE_BYTES = 64
"""Smaller values collide by chance (an empty list, a flag), so nothing is linked by them."""

THREADED_BYTES = 16 << 20
"""From this size on, threads are worth their start."""


def number(value: int) -> bytes:
    """Eight bytes, little-endian, unsigned."""
    return value.to_bytes(8, "little")


def frame(data: bytes) -> bytes:
    """The length of `data` as a number, then `data`."""
    return number(len(data)) + data


def utf8(text: str, *, where: str) -> bytes:
    """UTF-8 of `text`; a lone surrogate has none and is refused."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise Refused(
            f"text without a UTF-8 form ({error.reason})", where=where, advice="decode it properly"
        ) from None


def hasher(purpose: str | None = None, *, size: int = 0) -> Any:
    """A BLAKE3 hasher, in derive-key mode when a purpose is given.

    Threads are used from 16 MiB on, and their number is explicit: BLAKE3's own choice (`AUTO`) lives in a
    process-wide pool that a forked child inherits dead, and waits for without end.
    """
    threads = cores() if size >= THREADED_BYTES else 1
    if purpose is None:
        return blake3(max_threads=threads)
    return blake3(derive_key_context=f"relineage {purpose}", max_threads=threads)


def digest(purpose: str, *pieces: bytes) -> bytes:
    """32 bytes of BLAKE3 over the pieces, which the caller has framed."""
    state = hasher(purpose)
    for piece in pieces:
        state.update(piece)
    return bytes(state.digest())


def merkle_root(entries: Sequence[bytes]) -> bytes:
    """Root of the RFC 6962 tree over `entries`, with BLAKE3 as its hash.

    Joining neighbours level by level and carrying an odd last node up gives the same tree as the RFC's split
    at the largest power of two below the count.
    """
    if not entries:
        return bytes(blake3(b"").digest())
    level = [blake3(b"\x00" + entry).digest() for entry in entries]
    while len(level) > 1:
        joined = [blake3(b"\x01" + a + b).digest() for a, b in zip(level[::2], level[1::2], strict=False)]
        level = [*joined, level[-1]] if len(level) % 2 else joined
    return bytes(level[0])


def labelled(label: str, raw: bytes) -> str:
    """`label:hex`, the text form of every digest."""
    return f"{label}:{raw.hex()}"


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
