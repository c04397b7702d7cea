"""What an object is called, and that nothing else becomes a path."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relineage.emitter.store.names import FORMS, digest_of, ending_of, label_of, name_of, names_of

HEX = "ab" + "0123456789abcdef" * 4
DIGEST = f"b3-table1:{HEX[:64]}"


def test_an_object_lies_under_its_label_and_two_digits_of_its_digest():
    assert name_of(DIGEST, ".parquet") == f"objects/b3-table1/ab/{HEX[2:64]}.parquet"


@pytest.mark.parametrize(("label", "ending"), [(label, one) for label in FORMS for one in FORMS[label]])
def test_a_name_gives_its_digest_back(label: str, ending: str):
    digest = f"{label}:{HEX[:64]}"

    assert digest_of(name_of(digest, ending)) == digest
    assert ending_of(name_of(digest, ending)) == ending
    assert name_of(digest, ending) in names_of(digest)


HOSTILE = [
    "",
    "b3-table1",
    "b3-table1:",
    f"b3-table1:{HEX[:63]}",
    f"b3-table1:{HEX[:64]}\n",
    f" b3-table1:{HEX[:64]}",
    f"b3-table1:{HEX[:64].upper()}",
    f"b3-table1:../../{HEX[:58]}",
    f"b3-table1:{'/' * 64}",
    f"../b3-table1:{HEX[:64]}",
    f"b3-table1/..:{HEX[:64]}",
    f"b3-table2:{HEX[:64]}",
    f"b3-estimator1:{HEX[:64]}",  # has no form here
    f"b3-column1:{HEX[:64]}",  # of a part
    f"sha256:{HEX[:64]}",
    f"b3-table1:{'٠' * 64}",  # digits, but no ASCII
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_no_digest_of_ours_never_becomes_a_name(text: str):
    assert label_of(text) is None
    assert names_of(text) == []
    with pytest.raises(ValueError, match="names no object"):
        name_of(text, ".parquet")


@given(st.text())
def test_any_text_either_names_nothing_or_stays_below_its_label(text: str):
    for name in names_of(text):
        assert name.startswith("objects/b3-")
        assert ".." not in name


@pytest.mark.parametrize(
    "name",
    [
        f"objects/b3-table1/ab/{HEX[2:64]}",
        f"objects/b3-table1/ab/{HEX[2:64]}.pickle",
        f"objects/b3-table1/ab/{HEX[2:63]}.parquet",
        f"objects/b3-bytes1/ab/{HEX[2:64]}.parquet",
        f"objects/b3-estimator1/ab/{HEX[2:64]}",
        f"tmp/{HEX[:32]}.parquet",
        "objects/README",
    ],
)
def test_what_else_lies_in_a_store_is_no_object(name: str):
    assert digest_of(name) is None


def test_a_form_that_a_label_does_not_have_is_refused():
    with pytest.raises(ValueError, match="names no object"):
        name_of(DIGEST, ".json")
