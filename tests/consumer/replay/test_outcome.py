"""Which output stands for which, and the verdict that comes of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from relineage.consumer.replay.outcome import compare_outputs, pairs
from relineage.consumer.replay.recorded import Output
from relineage.consumer.replay.verdicts import OutputVerdict, verdict_of
from relineage.emitter.digests import content_of
from relineage.emitter.digests.closeness import Tolerance
from relineage.emitter.ours import content_facet, model_facet
from relineage.emitter.store import Store, open_store


def output(data: Any, *, role: str = "output", name: str = "o", namespace: str = "n") -> Output:
    """What a run says of data; null is an output without a digest."""
    content = content_of(data) if data is not None else None
    return Output(
        run_id="r", role=role, namespace=namespace, name=name, version=content.version if content else None,
        digest=content.version if content else None, digests=tuple(content.digests) if content else (),
        paths=(name,) if namespace == "file" else (),
        content=content_facet(content, None, None, "urn:p") if content else {},
        model=model_facet(content, "urn:p") if content and content.model else {},
    )  # fmt: skip


@pytest.fixture
def stores(tmp_path: Path) -> tuple[Store, Store]:
    return open_store(tmp_path / "then", tmp_path), open_store(tmp_path / "now", tmp_path)


def test_outputs_are_matched_by_role_and_name_then_by_role_and_those_of_one_name_in_order() -> None:
    then = [output(b"1", role="checkpoint"), output(b"2", role="checkpoint"), output(b"3", name="/tmp/a"),
            output(b"4", role="gone")]  # fmt: skip
    now = [output(b"5", name="/tmp/b"), output(b"1", role="checkpoint"), output(b"7", role="checkpoint"),
           output(b"8", role="new")]  # fmt: skip

    found = [(one and one.digest, other and other.digest) for one, other in pairs(then, now)]

    digests = [content_of(str(number).encode()).version for number in range(9)]
    assert found == [
        (digests[1], digests[1]), (digests[2], digests[7]), (digests[3], digests[5]), (digests[4], None),
        (None, digests[8]),
    ]  # fmt: skip


A = pa.table({"a": [1.0, 2.0], "b": [1, 2]})
NEAR = pa.table({"a": [1.0, 2.0 + 1e-12], "b": [1, 2]})
FAR = pa.table({"a": [1.0, 2.0], "b": [1, 3]})


@pytest.mark.parametrize(
    ("then", "now", "tolerance", "verdict", "difference"),
    [
        (A, A, None, "bitwise", None),
        (A, NEAR, None, "different", "column a: 1 of 2 values differ, the first at row 1, by at most "),
        (A, NEAR, Tolerance(absolute=1e-9), "within tolerance", "at most 1.00009e-12 apart, in a"),
        (A, FAR, Tolerance(absolute=1e-9), "different", "column b: 1 of 2 values differ, the first at row 1, by "),
        (A, A.select(["a"]), Tolerance(absolute=9), "different", "column b: only in a"),
        (np.arange(3.0), np.arange(4.0), None, "different", "the array: shapes: [3], [4]"),
        ({"v": np.arange(3), "w": np.ones(2)}, {"v": np.arange(3), "w": np.zeros(2)}, None, "different",
         "tensor w: 2 of 2 values differ, the first at position 0, by at most 1"),
        ("a text", "another text", None, "different", None),
        (None, A, None, "unknown", "no digest of the original is recorded"),
        (A, None, None, "unknown", "no digest of what came out is recorded"),
    ],
)  # fmt: skip
def test_values_are_compared_where_digests_differ(
    then: Any, now: Any, tolerance: Tolerance | None, verdict: str, difference: str | None,
    stores: tuple[Store, Store],
) -> None:  # fmt: skip
    for store, data in zip(stores, (then, now), strict=True):
        if data is not None:
            store.put(content_of(data), data)

    [found] = compare_outputs([output(then)], [output(now)], stores=stores, tolerance=tolerance)

    assert found.verdict == verdict
    assert difference is None or (found.difference or "").startswith(difference), found.difference
    assert (found.difference is None) == (difference is None)


def test_without_the_original_the_digests_tell_the_first_difference(tmp_path: Path) -> None:
    store = open_store(tmp_path, tmp_path)
    cases = [
        (A, FAR, "column b: values differ in rows 0 to 1"),
        (A, A.select(["a"]), "column b: removed (int64 → nothing)"),
        (A, A.slice(0, 1), "it has 1 rows instead of 2"),
        ({"w": np.zeros(2)}, {"w": np.zeros(3)}, "tensor w: reshaped (float64[2] → float64[3])"),
        ({"w": np.zeros(2)}, {"w": np.ones(2)}, "tensor w: values differ"),
    ]
    for then, now, words in cases:
        [found] = compare_outputs([output(then)], [output(now)], stores=(None, store), tolerance=None)
        assert found.difference == f"{words}; the original is not in the store"


def test_a_file_that_still_is_what_was_written_has_the_values(
    stores: tuple[Store, Store], tmp_path: Path
) -> None:
    file = tmp_path / "then.npy"
    np.save(file, np.arange(3.0))
    then = output(file, name=str(file), namespace="file")
    np.save(tmp_path / "now.npy", np.arange(3.0) + 1e-12)
    now = output(tmp_path / "now.npy", name=str(file), namespace="file")
    stores[1].put(content_of(tmp_path / "now.npy"), tmp_path / "now.npy")

    [found] = compare_outputs([then], [now], stores=stores, tolerance=Tolerance(absolute=1e-9))

    assert (found.verdict, found.name) == ("within tolerance", str(file))


def verdict(*kinds: Any) -> tuple[str, str | None]:
    return verdict_of(
        [OutputVerdict(role="r", name=kind, original=None, replayed=None, verdict=kind) for kind in kinds]
    )


def test_only_if_every_output_is_the_same_is_a_run_reproduced() -> None:
    assert verdict("bitwise", "bitwise") == ("bitwise", None)
    assert verdict("bitwise", "within tolerance") == ("within tolerance", None)
    assert verdict("bitwise", "different") == ("not reproduced", "output r different: its digest differs")
    assert verdict("missing", "bitwise") == ("not reproduced", "output r missing did not come out")
    assert verdict("bitwise", "unknown")[0] == "not reproduced"
    assert verdict()[0] == "not replayed"
