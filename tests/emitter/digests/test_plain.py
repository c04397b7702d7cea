import numpy as np
import pytest
from blake3 import blake3

from relineage.emitter.digests import Refused, content_of


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (5, "5"),
        (5.0, "5.0"),
        (0.1, "0.1"),
        ([], "[]"),
        ({"b": [1, "ż"], "a": None}, '{"a":null,"b":[1,"ż"]}'),
        (np.float64(0.5), "0.5"),
        ({"auc": np.float32(0.5), "n": np.int64(3), "ok": np.bool_(True)}, '{"auc":0.5,"n":3,"ok":true}'),
    ],
)
def test_json_has_one_form_and_is_never_distinctive(value: object, text: str) -> None:
    found = content_of(value)
    assert found.kind == "json"
    assert found.version == f"b3-bytes1:{blake3(text.encode()).hexdigest()}"
    assert not found.distinctive


def test_a_long_json_value_is_not_distinctive_either() -> None:
    assert not content_of(list(range(1000))).distinctive


def deep() -> list[object]:
    value: list[object] = []
    for _ in range(100_000):
        value = [value]
    return value


REFUSED: dict[str, tuple[object, str]] = {
    "NaN": ({"loss": [0.5, float("nan")]}, r"value\['loss'\]\[1\]: nan has no JSON form"),
    "infinity": (np.float32("inf"), "value: inf has no JSON form"),
    "tuples": ({"a": (1, 2)}, r"value\['a'\]: builtins.tuple has no digest"),
    "sets": ({1, 2}, "builtins.set has no digest"),
    "numbers as keys": ({1: 2}, "the key 1 is not text"),
    "arrays in lists": ([np.zeros(2)], r"value\[0\]: numpy.ndarray has no digest"),
    "objects": (object(), "builtins.object has no digest"),
    "depth": (deep(), "nested too deeply"),
    "surrogates": (["a", {"k": "\ud800"}], "text without a UTF-8 form"),
    "a surrogate": ("\ud800", "text without a UTF-8 form"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_json_cannot_say_is_refused_with_its_path(name: str) -> None:
    value, message = REFUSED[name]
    with pytest.raises(Refused, match=message):
        content_of(value)


@pytest.mark.parametrize(
    ("data", "kind", "distinctive"),
    [
        ("short", "text", False),
        ("a" * 100, "text", False),
        ("a sentence that is longer than sixty-four bytes, so that it is something", "text", True),
        (b"", "bytes", False),
        (bytes(100), "bytes", False),
        (bytes(range(64)), "bytes", True),
        (memoryview(bytes(range(200)))[::2], "bytes", True),
    ],
)
def test_text_and_bytes_are_distinctive_if_long_and_varied(
    data: object, kind: str, distinctive: bool
) -> None:
    found = content_of(data)
    assert found.kind == kind
    assert found.distinctive is distinctive
