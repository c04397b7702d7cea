"""Digests of models that must never change, and a second implementation of them, written from docs/digests.md.

`golden_models.json` holds whole safetensors files as hex, so that another implementation can check itself
against it alone. The files are made here, byte by byte. The digests of torch's modules in it are checked by
tests/with_torch.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from handmade import Tensors, safetensors

from relineage.emitter.digests import content_of

GOLDEN: dict[str, Any] = json.loads(Path(__file__).with_name("golden_models.json").read_text())
NUMBERS = b"".join(bits.to_bytes(4, "little") for bits in (0, 1 << 31, 0x3F800000, 0x7FC00000, 0x7FC00001, 1))

CASES: dict[str, Tensors] = {
    "no tensors": {},
    "float32 with both zeros and two NaN": {"weight": ("F32", [2, 3], NUMBERS)},
    "the same, flat": {"weight": ("F32", [6], NUMBERS)},
    "the same bits as integers": {"weight": ("U32", [2, 3], NUMBERS)},
    "a number": {"scale": ("F64", [], bytes.fromhex("000000000000f03f"))},
    "no elements": {"empty": ("F32", [0, 3], b"")},
    "narrow types": {
        "a": ("BF16", [2], bytes.fromhex("803f00c0")),
        "b": ("F8_E4M3", [3], bytes.fromhex("38b87f")),
        "c": ("F8_E5M2", [3], bytes.fromhex("3cbc7f")),
        "d": ("F16", [2], bytes.fromhex("003c00bc")),
        "e": ("BOOL", [3], bytes.fromhex("010001")),
    },
    "names by their bytes": {
        "layer.10": ("U8", [1], b"\1"),
        "layer.2": ("U8", [1], b"\2"),
        "Ż": ("U8", [1], b"\3"),
        "Z": ("U8", [1], b"\4"),
        "": ("U8", [1], b"\5"),
    },
    "equal tensors under two names": {
        "decoder.weight": ("I16", [2], b"\1\0\2\0"),
        "embedding.weight": ("I16", [2], b"\1\0\2\0"),
        "reshaped": ("I16", [2, 1], b"\1\0\2\0"),
    },
    # The file of safetensors' own tests (safetensors/src/tensor.rs, test_serialization_forced_alignement).
    "somebody else's file": {"attn0": ("F32", [1, 1, 2, 3], b"".join(
        bits.to_bytes(4, "little") for bits in (0, 0x3F800000, 0x40000000, 0x40400000, 0x40800000, 0x40A00000)
    ))},
}  # fmt: skip


def made(name: str) -> bytes:
    return safetensors(CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_a_golden_file_keeps_its_digests(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(bytes.fromhex(GOLDEN["files"][name]["safetensors"]))
    assert path.read_bytes() == made(name)
    found = content_of(path)
    assert found.model is not None
    digests = {digest.partition(":")[0]: digest for digest in found.digests}
    assert {
        "safetensors": path.read_bytes().hex(),
        **{label: digests[label] for label in ("b3-tensors1", "b3-weights1")},
        "b3-architecture1": found.model.architecture,
        "b3-tensor1": {one.name: one.digest for one in found.model.tensor_digests},
    } == GOLDEN["files"][name]


def test_every_golden_file_is_checked() -> None:
    assert GOLDEN["files"].keys() == CASES.keys()


# The second implementation. It shares no code with the first.
NAMES = {
    "F32": "float32", "U32": "uint32", "F64": "float64", "BF16": "bfloat16", "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2", "F16": "float16", "BOOL": "bool", "U8": "uint8", "I16": "int16",
}  # fmt: skip


def n(value: int) -> bytes:
    return value.to_bytes(8, "little")


def f(data: bytes) -> bytes:
    return n(len(data)) + data


def h(purpose: str, data: bytes) -> bytes:
    return blake3(data, derive_key_context=f"relineage {purpose}").digest()


def tree(entries: list[bytes]) -> bytes:
    if not entries:
        return blake3(b"").digest()
    if len(entries) == 1:
        return blake3(b"\0" + entries[0]).digest()
    half = 1
    while half * 2 < len(entries):
        half *= 2
    return blake3(b"\1" + tree(entries[:half]) + tree(entries[half:])).digest()


def reference(data: bytes) -> dict[str, Any]:
    length = int.from_bytes(data[:8], "little")
    header, elements = json.loads(data[8 : 8 + length]), data[8 + length :]
    heads, tensors = {}, {}
    for name, said in header.items():
        start, stop = said["data_offsets"]
        head = f(NAMES[said["dtype"]].encode()) + n(len(said["shape"])) + b"".join(map(n, said["shape"]))
        heads[name.encode()] = head
        tensors[name.encode()] = h("b3-tensors1 tensor", head + f(elements[start:stop]))
    order = sorted(tensors)
    named = [h("b3-tensors1 named", f(name) + tensors[name]) for name in order]
    different = sorted(set(tensors.values()))
    return {
        "safetensors": data.hex(),
        "b3-tensors1": f"b3-tensors1:{h('b3-tensors1 root', n(len(named)) + tree(named)).hex()}",
        "b3-weights1": f"b3-weights1:{h('b3-weights1 root', n(len(different)) + tree(different)).hex()}",
        "b3-architecture1": "b3-architecture1:"
        + h("b3-tensors1 shapes", n(len(order)) + b"".join(f(name) + heads[name] for name in order)).hex(),
        "b3-tensor1": {name.decode(): f"b3-tensor1:{tensors[name].hex()}" for name in order},
    }


@pytest.mark.parametrize("name", CASES)
def test_the_page_says_what_the_code_does(name: str) -> None:
    assert reference(made(name)) == GOLDEN["files"][name]
