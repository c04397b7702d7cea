"""safetensors files made by hand, byte by byte, so that no writer of the format has to be believed."""

import json
from collections.abc import Mapping

Tensors = Mapping[str, tuple[str, list[int], bytes]]
"""Name → the format's dtype, the shape, and the elements, little-endian."""


def safetensors(tensors: Tensors, metadata: Mapping[str, str] | None = None, padding: int = 0) -> bytes:
    header: dict[str, object] = {} if metadata is None else {"__metadata__": metadata}
    start = 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, start + len(data)]}
        start += len(data)
    return framed(
        json.dumps(header).encode() + b" " * padding, b"".join(data for _, _, data in tensors.values())
    )


def framed(header: bytes, data: bytes = b"") -> bytes:
    return len(header).to_bytes(8, "little") + header + data
