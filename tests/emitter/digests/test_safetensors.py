import json
import os
import random
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from handmade import framed, safetensors
from hypothesis import given, settings
from hypothesis import strategies as st

from relineage.emitter.digests import Content, Refused, content_of
from relineage.emitter.digests.safetensors import safetensors_digest

GRID = np.arange(6, dtype="<f4").reshape(2, 3)
BIAS = np.array([1.5, -0.0], "<f8")
ARRAYS = {"b": GRID, "a.bias": BIAS, "none": np.zeros((0, 4), "<i2"), "one": np.array(7, "<i8")}
TENSORS = {
    "b": ("F32", [2, 3], GRID.tobytes()),
    "a.bias": ("F64", [2], BIAS.tobytes()),
    "none": ("I16", [0, 4], b""),
    "one": ("I64", [], (7).to_bytes(8, "little")),
}


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def inside(path: Path) -> tuple[str, str]:
    with safetensors_digest(path) as found:
        return found.tensors, found.weights


def sharded(folder: Path, tensors: dict = TENSORS) -> Path:
    """The tensors one by one in files, and their index."""
    places = {}
    for number, name in enumerate(tensors):
        places[name] = f"model-{number:05}.safetensors"
        written(folder / places[name], safetensors({name: tensors[name]}))
    index = {"metadata": {"total_size": 1}, "weight_map": places}
    return written(folder / "model.safetensors.index.json", json.dumps(index).encode())


def test_a_file_has_the_roots_of_its_arrays_before_the_digest_of_its_bytes(tmp_path: Path) -> None:
    path = written(tmp_path / "model.safetensors", safetensors(TENSORS))
    found = content_of(path)
    arrays = content_of(ARRAYS)
    assert found.digests[:2] == arrays.digests
    assert found.digests[2].startswith("b3-bytes1:")
    assert (found.kind, found.modality, found.bytes) == ("tensors", "model", 24 + 16 + 8)
    assert found.model == arrays.model


def test_metadata_padding_and_the_order_in_the_file_do_not_show(tmp_path: Path) -> None:
    turned = dict(reversed(TENSORS.items()))
    files = [safetensors(turned), safetensors(TENSORS, {"format": "pt"}), safetensors(TENSORS, padding=7)]
    roots = {inside(written(tmp_path / f"{i}.safetensors", data)) for i, data in enumerate(files)}
    assert roots == {content_of(ARRAYS).digests}


def test_every_type_of_the_format_has_numpy_s_name(tmp_path: Path) -> None:
    types = {
        "BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16", "U32": "uint32",
        "I32": "int32", "U64": "uint64", "I64": "int64", "F16": "float16", "F32": "float32", "F64": "float64",
        "C64": "complex64",
    }  # fmt: skip
    for dtype, name in types.items():
        array = np.arange(4).astype(name).reshape(2, 2)
        path = written(tmp_path / "x.safetensors", safetensors({"x": (dtype, [2, 2], array.tobytes())}))
        assert inside(path) == content_of({"x": array}).digests, dtype
    narrow = {"BF16": ("bfloat16", 2), "F8_E4M3": ("float8_e4m3fn", 1), "F8_E5M2": ("float8_e5m2", 1),
              "F8_E8M0": ("float8_e8m0fnu", 1)}  # fmt: skip
    for dtype, (name, size) in narrow.items():
        path = written(tmp_path / "x.safetensors", safetensors({"x": (dtype, [3], bytes(range(3 * size)))}))
        model = content_of(path).model
        assert model is not None
        assert [(one.dtype, one.shape) for one in model.tensor_digests] == [(name, (3,))]


def test_a_checkpoint_in_shards_is_the_checkpoint(tmp_path: Path) -> None:
    index = sharded(tmp_path)
    expected = content_of(ARRAYS).digests
    found = content_of(index)
    assert found.digests[:2] == expected
    assert found.digests[2].startswith("b3-bytes1:")
    folder = content_of(tmp_path)
    assert folder.digests[:2] == expected
    assert folder.digests[2].startswith("b3-folder1:")
    assert folder.kind == "tensors"


def test_a_folder_with_one_file_carries_its_roots(tmp_path: Path) -> None:
    written(tmp_path / "config.json", b"{}")
    written(tmp_path / "model.safetensors", safetensors(TENSORS))
    found = content_of(tmp_path)
    assert [digest.partition(":")[0] for digest in found.digests] == [
        "b3-tensors1",
        "b3-weights1",
        "b3-folder1",
    ]
    assert found.digests[:2] == content_of(ARRAYS).digests


def test_of_several_files_without_an_index_none_is_taken(tmp_path: Path) -> None:
    for name in ("model.safetensors", "model.fp16.safetensors"):
        written(tmp_path / name, safetensors(TENSORS))
    found = content_of(tmp_path)
    assert (found.kind, len(found.digests)) == ("folder", 1)
    assert "several *.safetensors files" in str(found.absent)


def test_an_index_is_taken_before_files_that_lie_beside_it(tmp_path: Path) -> None:
    sharded(tmp_path)
    written(tmp_path / "consolidated.safetensors", safetensors({"other": TENSORS["b"]}))
    assert content_of(tmp_path).digests[:2] == content_of(ARRAYS).digests


def entry(dtype: object = "U8", shape: object = (1,), offsets: object = (0, 1)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def said(header: object, data: bytes = b"x") -> bytes:
    return framed(json.dumps(header).encode(), data)


HOSTILE = {
    "empty": (b"", "shorter than the length of its header"),
    "seven bytes": (b"\x01\0\0\0\0\0\0", "shorter than the length"),
    "a header beyond the file": (framed(b"{}")[:-1], "a header of 2 bytes in a file of 9"),
    "a header of 2^64 - 1": (b"\xff" * 8 + b"{}", "a header of 18446744073709551615 bytes"),
    "no header": (framed(b""), "no JSON object"),
    "no object": (framed(b"[]"), "no JSON object"),
    "spaces in front": (framed(b" {}"), "no JSON object"),
    "half of a JSON": (framed(b'{"a":'), "no JSON"),
    "two JSONs": (framed(b"{}{}"), "no JSON"),
    "no UTF-8": (framed(b'{"\xff": 1}'), "no JSON"),
    "a lone surrogate": (framed(b'{"\\ud800":' + json.dumps(entry()).encode() + b"}", b"x"), "UTF-8"),
    "deep": (framed(b'{"a":' * 100_000), "no JSON"),
    "a number of 10,000 digits": (
        framed(json.dumps({"a": entry()}).encode().replace(b"[1]", b"[" + b"1" * 10_000 + b"]"), b"x"),
        "Exceeds the limit",
    ),
    "NaN": (framed(b'{"a":{"dtype":"U8","shape":[NaN],"data_offsets":[0,1]}}', b"x"), "NaN is no JSON"),
    "one name twice": (
        framed(b'{"a":%b,"a":%b}' % ((json.dumps(entry()).encode(),) * 2), b"x"),
        "the name 'a' stands twice",
    ),
    "one field twice": (
        framed(b'{"a":{"dtype":"U8","dtype":"I8","shape":[1],"data_offsets":[0,1]}}', b"x"),
        "the name 'dtype' stands twice",
    ),
    "a hole before": (said({"a": entry(offsets=[1, 2])}, b"xx"), "a hole or an overlap before tensor 'a'"),
    "a hole between": (said({"a": entry(), "b": entry(offsets=[2, 3])}, b"xxx"), "before tensor 'b'"),
    "an overlap": (
        said({"a": entry(shape=[2], offsets=[0, 2]), "b": entry(shape=[2], offsets=[1, 3])}, b"xxx"),
        "before tensor 'b'",
    ),
    "shared bytes": (said({"a": entry(), "b": entry()}), "before tensor 'b'"),
    "bytes that are nobody's": (said({"a": entry()}, b"xy"), "tensors up to byte"),
    "bytes beyond the end": (said({"a": entry(shape=[9], offsets=[0, 9])}), "tensors up to byte"),
    "backwards": (said({"a": entry(offsets=[1, 0])}), "dtype and shape do not fit"),
    "negative": (said({"a": entry(offsets=[-1, 0])}), "no natural numbers"),
    "too short for its shape": (said({"a": entry(shape=[2])}), "dtype and shape do not fit"),
    "too long for its shape": (said({"a": entry("F32", [1], [0, 1])}), "dtype and shape do not fit"),
    "an overflow": (said({"a": entry(shape=[2**62, 2**62])}), "dtype and shape do not fit"),
    "an overflow to zero": (said({"a": entry(shape=[2**32, 2**32], offsets=[0, 0])}, b""), "do not fit"),
    "an endless product": (said({"a": entry(shape=[2**62] * 10_000)}), "do not fit"),
    "beyond 2^63": (said({"a": entry(shape=[2**63], offsets=[0, 2**63])}), "no natural numbers"),
    "a shape of booleans": (said({"a": entry(shape=[True])}), "no natural numbers"),
    "a shape of floats": (said({"a": entry(shape=[1.0])}), "no natural numbers"),
    "a shape that is none": (said({"a": entry(shape=None)}), "no natural numbers"),
    "three offsets": (said({"a": entry(offsets=[0, 1, 1])}), "no natural numbers"),
    "a type unheard of": (said({"a": entry("F7")}), "dtype 'F7' has no defined elements"),
    "half a byte": (said({"a": entry("F4", [2])}), "dtype 'F4' has no defined elements"),
    "six bits": (
        said({"a": entry("F6_E2M3", [4], [0, 3])}, b"xxx"),
        "dtype 'F6_E2M3' has no defined elements",
    ),
    "a type that is a list": (said({"a": entry(["U8"])}), "has no defined elements"),
    "a text": (said({"a": "U8"}), "not described by"),
    "a field too few": (said({"a": {"dtype": "U8", "shape": [1]}}), "not described by"),
    "a field too many": (said({"a": {**entry(), "more": 1}}), "not described by"),
    "metadata of numbers": (said({"__metadata__": {"a": 1}}, b""), "metadata that is no object of texts"),
    "metadata that is a list": (said({"__metadata__": []}, b""), "metadata that is no object of texts"),
    "a pickle": (b"\x80\x04\x95" + b"\0" * 100, "a header of"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_the_format_forbids_is_refused_and_the_bytes_remain(name: str, tmp_path: Path) -> None:
    data, message = HOSTILE[name]
    path = written(tmp_path / "model.safetensors", data)
    with pytest.raises(Refused, match=message) as refused:
        inside(path)
    assert len(str(refused.value)) < 1000 + len(str(path))
    found = content_of(path)
    assert (found.kind, len(found.digests)) == ("bytes", 1)
    assert str(found.absent).startswith("no digest of the content: ")


def test_a_header_of_half_the_memory_is_not_even_read(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with path.open("wb") as file:
        file.write((99_000_000).to_bytes(8, "little") + b"{")
        file.truncate(100_000_000)
    tracemalloc.start()
    with pytest.raises(Refused, match="the header has 99000000 bytes, more than 33554432"):
        inside(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@settings(max_examples=300)
@given(st.data())
def test_no_file_does_anything_but_give_its_roots_or_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = bytearray(safetensors(TENSORS))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(whole) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "repeat"])):
            case "flip":
                whole[place] = data.draw(st.integers(0, 255))
            case "cut":
                del whole[place : place + data.draw(st.integers(1, 8))]
            case "repeat":
                whole[place:place] = whole[place : place + data.draw(st.integers(1, 8))]
        if not whole:
            break
    path = written(tmp_path_factory.getbasetemp() / "fuzzed.safetensors", bytes(whole))
    try:
        roots = inside(path)
    except Refused:
        return
    assert [root.partition(":")[0] for root in roots] == ["b3-tensors1", "b3-weights1"]


BAD_INDEXES = {
    "no JSON": (b"{", "no JSON"),
    "no weight_map": (b"{}", "no weight_map"),
    "a weight_map of lists": (b'{"weight_map": {"b": ["model-00000.safetensors"]}}', "no weight_map"),
    "a way out": (b'{"weight_map": {"b": "../model.safetensors"}}', "no .safetensors file beside the index"),
    "an absolute path": (b'{"weight_map": {"b": "/etc/model.safetensors"}}', "beside the index"),
    "another kind of file": (b'{"weight_map": {"b": "model.bin"}}', "beside the index"),
    "a shard that is missing": (
        b'{"weight_map": {"b": "lost.safetensors"}}',
        "lost.safetensors: cannot be read",
    ),
    "a tensor that is missing": (
        b'{"weight_map": {"b": "model-00000.safetensors", "c": "model-00000.safetensors"}}',
        "tensor 'c' is in no shard",
    ),
    "a tensor in two shards": (
        b'{"weight_map": {"b": "model-00000.safetensors", "a.bias": "copy.safetensors"}}',
        "tensor 'b' lies in a shard where the index does not put it",
    ),
    "a tensor too many": (b'{"weight_map": {"a.bias": "copy.safetensors"}}', "tensor 'b' lies in a shard"),
}


@pytest.mark.parametrize("name", BAD_INDEXES)
def test_an_index_and_its_shards_agree_or_are_refused(name: str, tmp_path: Path) -> None:
    sharded(tmp_path)
    written(tmp_path / "copy.safetensors", safetensors({key: TENSORS[key] for key in ("a.bias", "b")}))
    data, message = BAD_INDEXES[name]
    with pytest.raises(Refused, match=message):
        inside(written(tmp_path / "model.safetensors.index.json", data))


def test_a_shard_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    index = sharded(tmp_path)
    with pytest.raises(Refused, match=r"model-00001.safetensors: changed while"), safetensors_digest(index):
        written(tmp_path / "model-00001.safetensors", safetensors({"a.bias": ("F64", [2], bytes(16))}))


def test_a_file_that_is_cut_off_while_it_is_read_is_refused(tmp_path: Path) -> None:
    """A mapped one would end the process with SIGBUS."""
    size = 40 << 20
    path = written(tmp_path / "model.safetensors", safetensors({"x": ("U8", [size], bytes(size))}))

    def cut(done: int, total: int) -> None:
        os.truncate(path, 20 << 20)

    with pytest.raises(Refused, match="shorter than it was"), safetensors_digest(path, progress=cut):
        pass


def test_progress_counts_the_bytes_of_the_tensors(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    size = 20 << 20
    path = written(tmp_path / "model.safetensors", safetensors({"x": ("U8", [size], bytes(size))}))
    with safetensors_digest(path, progress=lambda done, total: told.append((done, total))):
        pass
    assert told == sorted(told)
    assert told[-1] == (size, size)
    assert len(told) > 1


def test_only_distinctive_tensors_make_a_file_distinctive(tmp_path: Path) -> None:
    def found(data: bytes) -> Content:
        tensors = {"x": ("F32", [len(data) // 4], data)}
        return content_of(written(tmp_path / "x.safetensors", safetensors(tensors)))

    assert found(random.Random(0).randbytes(64)).distinctive
    assert not found(random.Random(0).randbytes(60)).distinctive
    assert not found(b"\1\2\3\4" * (5 << 20)).distinctive
    assert found(b"\1\2\3\4" * (5 << 20) + b"\0\0\0\0").distinctive


def test_pieces_of_a_large_tensor_are_those_of_the_array(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 256, (3, 3_000_017), np.uint8)
    path = written(tmp_path / "x.safetensors", safetensors({"x": ("U8", [3, 3_000_017], array.tobytes())}))
    assert inside(path) == content_of({"x": array}).digests
