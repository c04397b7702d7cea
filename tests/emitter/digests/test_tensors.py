import numpy as np
import pytest

from relineage.emitter.digests import Content, Refused, content_of
from relineage.emitter.digests.tensors import by_itself

BITS = np.frombuffer(np.arange(6, dtype="<f4").tobytes(), "<f4")


def tensors(data: object) -> str:
    return content_of(data).digests[0]


def weights(data: object) -> str:
    return content_of(data).digests[1]


DIFFERENT = {
    "shapes": ({"w": np.zeros((2, 3))}, {"w": np.zeros((3, 2))}),
    "widths of zeros": ({"w": np.zeros(4, "f4")}, {"w": np.zeros(2, "f8")}),
    "a float and its bits": ({"w": np.array([1.5])}, {"w": np.array([1.5]).view("i8")}),
    "where a name ends": ({"a": np.frombuffer(b"bX", "u1")}, {"ab": np.frombuffer(b"X", "u1")}),
    "one tensor and two": ({"a": np.zeros(2)}, {"a": np.zeros(1), "b": np.zeros(1)}),
    "names": ({"a": np.zeros(2)}, {"b": np.zeros(2)}),
    "swapped": ({"a": np.zeros(2), "b": np.ones(2)}, {"a": np.ones(2), "b": np.zeros(2)}),
    "the two zeros": ({"w": np.array([0.0])}, {"w": np.array([-0.0])}),
    "payloads of NaN": (
        {"w": np.array([0x7FF8000000000000], "u8").view("f8")},
        {"w": np.array([0x7FF8000000000001], "u8").view("f8")},
    ),
    "no axis and one": ({"w": np.array(1.0)}, {"w": np.array([1.0])}),
    "units of time": ({"w": np.array([1], "m8[s]")}, {"w": np.array([1], "m8[ms]")}),
    "nothing and an empty tensor": ({"w": np.zeros(0)}, {"v": np.zeros(0), "w": np.zeros(0)}),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_two_different_states_differ(name: str) -> None:
    left, right = DIFFERENT[name]
    assert tensors(left) != tensors(right)


def test_byte_order_memory_layout_and_order_of_names_do_not_show() -> None:
    grid = np.arange(6.0).reshape(2, 3)
    twins = [grid, grid.astype(">f8"), np.asfortranarray(grid), np.arange(12.0).repeat(1)[:6].reshape(2, 3)]
    assert len({tensors({"w": twin}) for twin in twins}) == 1
    assert len({tensors(np.arange(10)[::2]), tensors(np.arange(0, 10, 2))}) == 1
    assert tensors({"a": grid, "b": BITS}) == tensors({"b": BITS, "a": grid})


def test_tied_weights_count_once_in_weights_and_twice_in_tensors() -> None:
    table = np.arange(12.0)
    tied, single = {"embedding": table, "head": table.copy()}, {"embedding": table}
    assert weights(tied) == weights(single)
    assert tensors(tied) != tensors(single)
    assert weights({"renamed": table}) == weights(single)


def test_a_state_is_described_tensor_by_tensor() -> None:
    found: Content = content_of({"b": BITS.reshape(2, 3), "a": np.ones(20, "f2")})
    assert found.kind == "tensors"
    assert found.bytes == 24 + 40
    assert found.distinctive
    model = found.model
    assert model is not None
    assert (model.tensors, model.weights) == found.digests
    assert model.parameters == 26
    assert [(t.name, t.dtype, t.shape) for t in model.tensor_digests] == [
        ("a", "float16", (20,)),
        ("b", "float32", (2, 3)),
    ]
    other = content_of({"b": BITS.reshape(2, 3) + 1, "a": np.ones(20, "f2")}).model
    assert other is not None
    assert other.architecture == model.architecture
    assert other.tensor_digests[0] == model.tensor_digests[0]
    assert other.tensor_digests[1] != model.tensor_digests[1]


def test_one_array_is_a_state_with_the_empty_name() -> None:
    found = content_of(BITS)
    assert found.digests == content_of({"": BITS}).digests
    assert found.rows == 6
    assert found.model is None


def test_the_digest_of_an_array_by_itself_follows_from_the_one_it_has_in_a_state() -> None:
    state = {
        "bits": BITS,
        "none": np.zeros((0, 3)),
        "one": np.array(2),
        "text": np.array(["a", "bc"]).reshape(2, 1),
    }
    model = content_of(state).model
    assert model is not None

    assert {one.name: by_itself(one.digest) for one in model.tensor_digests} == {
        name: content_of(array).version for name, array in state.items()
    }


@pytest.mark.parametrize(
    ("array", "distinctive"),
    [
        (np.arange(8), True),
        (np.arange(7), False),
        (np.zeros(1000), False),
        (np.zeros((0, 5)), False),
        (np.append(np.zeros(2000), 1.0), True),
        (np.array("a" * 40), False),
    ],
)
def test_an_array_is_distinctive_if_it_has_64_bytes_and_something_varies(
    array: np.ndarray, distinctive: bool
) -> None:
    assert content_of(array).distinctive is distinctive


REFUSED = {
    "objects": (np.array([object()]), "tensor '': dtype object holds objects"),
    "records": (np.zeros(2, [("a", "i4"), ("b", "f8")]), "dtype .* is a record"),
    "extended floats": (np.zeros(2, np.longdouble), "has no defined bytes here"),
    "masks": (np.ma.masked_array([1, 2], [True, False]), "numpy.ma.*is no plain array"),
    "a list among arrays": ({"a": np.zeros(2), "b": [1]}, "tensor 'b': a builtins.list is no plain array"),
    "numbers as names": ({1: np.zeros(2)}, "the name 1 is not text"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_plain_tensor_is_refused(name: str) -> None:
    data, message = REFUSED[name]
    with pytest.raises(Refused, match=message):
        content_of(data)
