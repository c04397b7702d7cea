"""What digests of models got wrong elsewhere, each with the number it is known by; torch's part is in
tests/with_torch."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from relineage.emitter.digests import Refused, content_of


def tensors(state: object) -> str:
    return content_of(state).digests[0]


H9 = {
    "shape (2,3) and (3,2)": ({"w": np.zeros((2, 3))}, {"w": np.zeros((3, 2))}),
    "four float32 and two float64": ({"w": np.zeros(4, "f4")}, {"w": np.zeros(2, "f8")}),
    "1.5 and its int64 bits": ({"w": np.array([1.5])}, {"w": np.array([1.5]).view("i8")}),
    "a + bX and ab + X": ({"a": np.frombuffer(b"bX", "u1")}, {"ab": np.frombuffer(b"X", "u1")}),
    "one tensor and two": ({"a": np.zeros(2)}, {"a": np.zeros(1), "b": np.zeros(1)}),
}


@pytest.mark.parametrize("name", H9)
def test_h9_two_models_with_the_same_bytes_one_after_another_differ(name: str) -> None:
    left, right = H9[name]
    assert tensors(left) != tensors(right)


def test_h9_a_name_is_not_taken_for_a_part_of_the_architecture() -> None:
    def architecture(state: dict[str, Any]) -> str | None:
        model = content_of(state).model
        return None if model is None else model.architecture

    assert architecture({"wfloat32": np.zeros(2, "f4")}) != architecture({"w": np.zeros(2, "f4")})
    assert architecture({"a": np.zeros(2), "b": np.zeros(3)}) != architecture(
        {"a": np.zeros(3), "b": np.zeros(2)}
    )


def test_h10_a_big_endian_twin_is_the_same() -> None:
    array = np.arange(5.0)
    assert array.astype(">f8").tobytes() != array.tobytes()
    assert content_of({"w": array.astype(">f8")}).digests == content_of({"w": array}).digests


def test_h10_objects_are_refused_instead_of_their_addresses_being_hashed() -> None:
    with pytest.raises(Refused, match="tensor 'w': dtype object holds objects: its bytes are addresses"):
        content_of({"w": np.array([object(), "x"], object), "v": np.zeros(2)})


def test_h12_tied_weights_are_told_and_counted_once() -> None:
    table = np.arange(12.0)
    model = content_of({"embedding": table, "head": table, "tail": table.copy(), "part": table[:6]}).model
    assert model is not None
    assert model.aliases == (("embedding", "head"),)
    assert model.parameters == 12 + 12 + 6
    reshaped = content_of({"a": table, "b": table.reshape(3, 4), "c": table.view("i8")}).model
    assert reshaped is not None
    assert reshaped.aliases == ()


def peak_of(data: object) -> int:
    content_of({"warm": np.arange(3)})
    tracemalloc.start()
    try:
        content_of(data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


MIB = 1 << 20


def test_h13_a_state_is_hashed_where_it_lies() -> None:
    state = {f"layer.{i}": np.full(32 * MIB // 8, float(i)) for i in range(8)}
    assert peak_of(state) < 8 * MIB


def test_h13_what_has_to_be_copied_is_copied_in_parts() -> None:
    state = {
        "fortran": np.asfortranarray(np.arange(8.0 * MIB / 8).reshape(-1, 16)),
        "big-endian": np.arange(80.0 * MIB / 8).astype(">f8"),
        "every other": np.arange(16.0 * MIB / 8)[::2],
        "one row everywhere": np.broadcast_to(np.arange(1000.0), (11_000, 1000)),
        "one number everywhere": np.broadcast_to(np.float64(1), (1, 1, 11_000_000)),
    }
    assert max(array.nbytes for array in state.values()) > 80 * MIB
    assert peak_of(state) < 40 * MIB
    plain = {
        name: np.ascontiguousarray(array, array.dtype.newbyteorder("<")) for name, array in state.items()
    }
    assert content_of(state).digests == content_of(plain).digests


def test_h13_an_archive_is_read_one_array_at_a_time(tmp_path: Path) -> None:
    state = {f"layer.{i}": np.full(16 * MIB // 8, float(i)) for i in range(8)}
    np.savez(tmp_path / "model.npz", **state)
    expected = content_of(state).digests
    assert content_of(tmp_path / "model.npz").digests[:2] == expected
    assert peak_of(tmp_path / "model.npz") < 40 * MIB


def test_h13_a_checkpoint_file_is_read_in_pieces(tmp_path: Path) -> None:
    size = 128 * MIB
    header = b'{"x":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}' % (size, size)
    path = tmp_path / "model.safetensors"
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + size)
    assert peak_of(path) < 24 * MIB
    assert content_of(path).digests[:2] == content_of({"x": np.zeros(size, np.uint8)}).digests
