"""Facets that are too large are cut, and the whole of them is kept."""

import json

import pytest
from blake3 import blake3

from relineage.emitter.guard import Guard
from relineage.emitter.limits import FACET_BYTES, fit, keep, size_of

FACET = {"_producer": "urn:x", "_schemaURL": "urn:y"}


@pytest.mark.parametrize(
    "large",
    [
        pytest.param(
            {"columns": [{"name": f"column {i}", "digest": "d" * 64} for i in range(5000)]}, id="a list"
        ),
        pytest.param(
            {"columnMetrics": {f"column {i}": {"nullCount": i} for i in range(9000)}}, id="an object"
        ),
        pytest.param({"stackTrace": "é" * 90_000}, id="a text"),
        pytest.param({"a": ["x" * 40_000], "b": ["y" * 40_000] * 3}, id="two lists"),
    ],
)
def test_a_facet_that_is_too_large_keeps_its_first_entries(large):
    fitted, cut = fit({**FACET, **large})

    assert cut
    assert size_of(fitted) <= FACET_BYTES
    assert size_of(fitted) > FACET_BYTES // 3
    assert fitted["_producer"] == "urn:x"
    for key, value in large.items():
        kept = list(fitted[key].items()) if isinstance(value, dict) else fitted[key]
        all_of_it = list(value.items()) if isinstance(value, dict) else value
        assert kept == all_of_it[: len(kept)] or kept == all_of_it[: len(kept) - 1] + "…"


def test_a_facet_that_fits_is_as_it_was():
    facet = {**FACET, "columns": [1, 2, 3]}

    assert fit(facet) == (facet, False)


def test_the_leaves_of_columns_go_before_anything_else():
    columns = [
        {"name": f"column {i}", "type": "float64", "digest": "d" * 64, "leaves": "A" * 700} for i in range(90)
    ]
    fitted, cut = fit({**FACET, "columns": columns})

    assert cut
    assert fitted["columns"] == [{k: v for k, v in one.items() if k != "leaves"} for one in columns]
    assert fit({**FACET, "columns": columns[:70]}) == ({**FACET, "columns": columns[:70]}, False)


def test_histograms_and_then_frequent_values_give_way_before_columns_do():
    histogram, top = {"edges": [0.5] * 90, "counts": [7] * 89}, [{"value": "x" * 30, "count": 10}] * 10
    features = [{"name": f"column {i}", "histogram": histogram, "top": top} for i in range(200)]

    def columns_with(part, count):
        fitted, cut = fit({**FACET, "features": features[:count]})
        assert size_of(fitted) <= FACET_BYTES
        assert [one["name"] for one in fitted["features"]] == [one["name"] for one in features[:count]]
        having = [part in one for one in fitted["features"]]
        assert having == sorted(having, reverse=True)
        assert cut
        return sum(having)

    one = size_of(features[150])
    fitting = (FACET_BYTES - size_of({**FACET, "features": []})) // (one + 1)
    assert fit({**FACET, "features": features[:fitting]})[1] is False
    assert fitting - 3 <= columns_with("histogram", fitting + 1) <= fitting
    assert columns_with("top", fitting + 1) == fitting + 1
    assert columns_with("histogram", 200) == 0
    assert 0 < columns_with("top", 200) < 200


def test_one_entry_that_is_too_large_alone_is_left_out():
    fitted, cut = fit({**FACET, "features": [{"name": "x" * 70_000}]})

    assert (fitted["features"], cut) == ([], True)


def test_the_object_is_named_by_the_digest_of_its_bytes_and_holds_no_secret(tmp_path):
    said = {"parameters": {"password": "hunter2", "depth": 3}}
    digest = keep(said, lambda: tmp_path / "objects", Guard(strict=True))

    (file,) = (tmp_path / "objects").iterdir()
    assert file.name == f"{digest}.json"
    assert digest == "b3-bytes1:" + blake3(file.read_bytes()).hexdigest()
    assert json.loads(file.read_text())["parameters"]["depth"] == 3
    assert "hunter2" not in file.read_text()


def test_the_same_object_is_written_once(tmp_path):
    keep({"a": 1}, lambda: tmp_path, Guard(strict=True))
    (file,) = tmp_path.iterdir()
    written = file.stat().st_mtime_ns

    keep({"a": 1}, lambda: tmp_path, Guard(strict=True))

    assert [one.stat().st_mtime_ns for one in tmp_path.iterdir()] == [written]
