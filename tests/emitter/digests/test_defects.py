"""What the sketch's digests of tables got wrong, each with the number it is known by: it fails, ours does not.

H9 to H13 are about models: test_defects_models.py and tests/with_torch.
"""

import pickle
import struct
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from emitted import events_in
from sketch import DatasetArtifact

from relineage.emitter import Lineage
from relineage.emitter.digests import Refused, content_of
from relineage.emitter.digests.rows import rows_state
from relineage.emitter.digests.tables import table_digest
from relineage.emitter.store import open_store


def sketched(frame: pd.DataFrame, label: str = "v1") -> str:
    return DatasetArtifact(frame, label).content_hash


def version(data: object) -> str:
    return content_of(data).digests[0]


TEXTS = pd.Series(["long text", "y", "long text"], dtype=object)
COLUMNS = {"a": [1.0, 2.0, 3.0], "b": [4, 5, 6], "c": TEXTS, "d": [7, 8, 9], "e": [True, False, True]}
FRAME = pd.DataFrame(COLUMNS)


def columns_added_later() -> pd.DataFrame:
    frame = pd.DataFrame({name: COLUMNS[name] for name in "abc"})
    for name in "de":
        frame[name] = COLUMNS[name]
    return frame


def other_text_objects() -> pd.DataFrame:
    """Equal texts; in FRAME the first and the third are one object."""
    return FRAME.assign(c=pd.Series(["long text", "y", " ".join(["long", "text"])], dtype=object))


def name_of_the_labels() -> pd.DataFrame:
    return FRAME.rename_axis(columns="feature")


def attributes() -> pd.DataFrame:
    frame = FRAME.copy()
    frame.attrs["source"] = "elsewhere"
    return frame


def flags() -> pd.DataFrame:
    return FRAME.copy().set_flags(allows_duplicate_labels=False)


@pytest.mark.parametrize(
    "built", [columns_added_later, other_text_objects, name_of_the_labels, attributes, flags]
)
def test_h1_equal_frames_that_were_built_differently_have_one_digest(built: Any) -> None:
    twin = built()
    assert twin.equals(FRAME)
    assert sketched(twin) != sketched(FRAME)
    assert version(twin) == version(FRAME)


# The document's own example, as the sketch hashes it under two versions of pandas, and as we do under all.
EXAMPLE = pd.DataFrame({"feature_a": [1, 2, 3], "feature_b": [4, 5, 6]})
SKETCHED = {"3.1.1": "181d015375cb", "2.3.3": "2cd17b4c9689"}
OURS = "b3-table1:2d8aae5d44ca49e1dbcf6ada3a754f45ee3efea9c04bb607f8ee3a25b2263449"


def test_h2_the_golden_digest_of_a_frame_is_that_of_every_version_of_pandas() -> None:
    others = [digest for version_, digest in SKETCHED.items() if version_ != pd.__version__]
    assert sketched(EXAMPLE)[:12] not in others
    assert version(EXAMPLE) == OURS


def test_h3_no_protocol_of_pickle_and_no_copy_of_the_data_is_in_the_digest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frame = pd.DataFrame({"x": np.arange(2_000_000.0)})
    was, ours = sketched(FRAME), version(FRAME)
    monkeypatch.setattr(pickle, "HIGHEST_PROTOCOL", 4)  # as an older interpreter has it
    assert sketched(FRAME) != was
    assert version(FRAME) == ours

    def peak(digest: Any) -> int:
        tracemalloc.start()
        try:
            digest(frame)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    size = frame["x"].nbytes
    assert peak(sketched) > 1.9 * size
    assert peak(version) < 0.2 * size


def test_h4_the_index_is_data() -> None:
    indexed = FRAME.set_axis([7, 8, 9])
    assert sketched(indexed) == sketched(FRAME)
    assert version(indexed) != version(FRAME)


def test_h5_a_table_and_its_rows_are_two_identities() -> None:
    turned = FRAME[::-1].reset_index(drop=True)
    assert sketched(turned) != sketched(FRAME)  # and there is no other identity
    assert version(turned) != version(FRAME)
    assert rows_state(turned).digest == rows_state(FRAME).digest
    assert rows_state(pd.concat([FRAME, FRAME[:1]])).digest != rows_state(FRAME).digest


def test_h6_payloads_of_nan_and_unused_categories_do_not_count_and_minus_zero_does() -> None:
    def of_bits(bits: int) -> pd.DataFrame:
        return pd.DataFrame({"x": np.frombuffer(struct.pack("<2Q", bits, 0), "f8")})

    usual, other = of_bits(0x7FF8000000000000), of_bits(0x7FF8000000000001)
    assert sketched(usual) != sketched(other)
    assert version(usual) == version(other)
    words = pd.Series(["a", "b"])
    few, many = (pd.DataFrame({"x": words.astype(pd.CategoricalDtype(list(all_)))}) for all_ in ("ab", "abc"))
    assert sketched(few) != sketched(many)
    assert version(few) == version(many)
    assert version(pd.DataFrame({"x": [0.0]})) != version(pd.DataFrame({"x": [-0.0]}))


def test_h7_labels_that_are_no_text_are_refused_with_advice_and_double_ones_are_numbered() -> None:
    mixed = pd.DataFrame({"a": [1], 2: [3]})
    with pytest.raises(TypeError, match="not supported between"):
        sketched(mixed)
    with pytest.raises(Refused, match="the label 2 is int, not text; rename it"):
        version(mixed)
    double, exchanged = (pd.DataFrame([row], columns=["a", "a"]) for row in ([1, 2], [2, 1]))
    assert version(double) != version(exchanged)


def test_h8_what_is_put_together_is_framed_and_the_schema_is_the_data_s_own() -> None:
    def of_bytes(data: bytes, label: str) -> str:
        artifact = DatasetArtifact(FRAME, label)
        artifact._canonical_form = data
        return artifact.content_hash

    assert of_bytes(b"ab", "c") == of_bytes(b"a", "bc")
    assert version(pa.table({"ab": ["c"]})) != version(pa.table({"a": ["bc"]}))
    assert sketched(FRAME, "v1") != sketched(FRAME, "v2")  # the same data under two labels
    narrow = FRAME.astype({"a": "int32"})
    ours, other = table_digest(FRAME), table_digest(narrow)
    assert ours.schema != other.schema
    assert ours.values != other.values


def test_h14_what_is_equal_has_one_hash_and_what_is_no_content_is_left_to_the_other_side() -> None:
    artifact = DatasetArtifact(FRAME, "v1")
    with pytest.raises(TypeError, match="unhashable"):
        hash(artifact)
    assert artifact.__eq__(3) is False  # type: ignore[arg-type]
    left, right = content_of(FRAME), content_of(FRAME.copy())
    assert left == right
    assert len({left, right}) == 1
    assert left.__eq__(3) is NotImplemented


def test_h15_a_frame_that_was_changed_after_it_was_recorded_does_not_keep_its_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = FRAME.copy()
    artifact = DatasetArtifact(frame, "v1")
    was = artifact.content_hash
    frame.loc[1, "b"] = 500
    assert artifact.content_hash == was

    frame = FRAME.copy()
    monkeypatch.chdir(tmp_path)
    lineage = Lineage(namespace="defects")
    with lineage.run("make") as run:
        run.output(frame, name="frame")
    frame.loc[1, "b"] = 500
    with lineage.run("use") as run:
        run.input(frame, name="frame")
    lineage.close()
    last = {event["job"]["name"]: event for event in events_in(tmp_path) if event["eventType"] == "COMPLETE"}
    written, read = last["make"]["outputs"][0], last["use"]["inputs"][0]
    digests = [one["facets"]["version"]["datasetVersion"] for one in (written, read)]
    assert digests == [version(FRAME), version(frame)]
    assert digests[0] != digests[1]


def test_h16_a_tolerance_is_no_part_of_an_identity() -> None:
    def rounded(value: float) -> str:
        return sketched(pd.DataFrame({"x": [value]}).round(6))

    below, above, far = 0.12345649999, 0.12345650001, 0.12345550002
    assert rounded(below) != rounded(above)  # 2e-11 apart, and not equal
    assert rounded(below) == rounded(far)  # 9e-7 apart, and equal
    assert len({version(pd.DataFrame({"x": [value]})) for value in (below, above, far)}) == 3


def test_h17_digests_cost_less_than_those_of_the_sketch() -> None:
    frame = pd.DataFrame({f"x{i}": np.random.default_rng(i).normal(size=400_000) for i in range(10)})

    def seconds(digest: Any) -> float:
        """CPU, the best of three."""
        taken = []
        for _ in range(3):
            began = time.process_time()
            digest(frame)
            taken.append(time.process_time() - began)
        return min(taken)

    assert seconds(version) < seconds(sketched) / 1.5


def test_h18_what_is_stored_twice_is_there_once(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store", tmp_path)
    twin = columns_added_later()
    assert sketched(twin) != sketched(FRAME)  # would have been two, if the sketch had stored anything
    urls = {store.put(content_of(data), data) for data in (FRAME, twin, pa.Table.from_pandas(FRAME))}
    assert len(urls) == 1
    assert len(list(store.scan())) == 1
