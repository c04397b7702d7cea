"""How a bundle is put together: events keep their bytes whatever these are, and a file appears whole or not at all."""

from __future__ import annotations

import json
import zipfile
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from bundle_archives import EVENT

from relineage.consumer.bundle.making import Gathered, Origin, make
from relineage.consumer.bundle.manifest import Missing
from relineage.consumer.bundle.opening import opened
from relineage.consumer.errors import BundleError

RUN = "0199c0de-0000-7000-8000-000000000001"
OBJECT = "objects/b3-bytes1/ab/" + "c" * 62


class Given:
    """Contents that a test brings."""

    def __init__(self, *, missing: list[Missing] | None = None, **files: Path) -> None:
        self.missing = missing or []
        self.files = files

    def gather(self, wanted: Any, folders: Any) -> Gathered:
        members = {f"{OBJECT}.{name}": partial(nullcontext, path) for name, path in self.files.items()}
        return Gathered(members=members, missing=self.missing)


def origin(store: Any, folder: Path) -> Origin:
    return Origin(connection=store.connection, details=folder / "objects", repositories=[])


SHAPES = {
    "a line": EVENT,
    "with line breaks": json.dumps(json.loads(EVENT), indent=1).encode(),
    "with white space before it": b" " + EVENT,
    "with white space behind it": EVENT + b"\r",
    "with a byte order mark": b"\xef\xbb\xbf" + EVENT,
    "with other letters": EVENT.replace(b"train", "Übung – 訓練".encode()),
    "with a line break in a text": EVENT.replace(b"train", b"tr\\nain"),
}


def test_events_keep_their_bytes_whatever_these_are(new_store: Any, tmp_path: Path) -> None:
    store = new_store()
    store.ingest([*SHAPES.values(), EVENT])
    digests = store.sql("select event_digest from events order by all")
    assert len(digests) == len(SHAPES)

    made = make(origin(store, tmp_path), RUN, tmp_path / "x.lineage", Given(), data=False)

    assert made.manifest.events == len(SHAPES)
    with opened(tmp_path / "x.lineage") as bundle:
        again = bundle.store.connection.execute("select event_digest from events order by all").fetchall()
    assert again == digests
    with zipfile.ZipFile(tmp_path / "x.lineage") as archive:
        apart = [name for name in archive.namelist() if name.startswith("events/")]
        assert sorted(archive.read(name) for name in apart) == sorted(
            SHAPES[shape]
            for shape in ("with line breaks", "with white space before it", "with white space behind it")
        )


def test_events_that_would_be_taken_for_a_bomb_are_stored_as_they_are(new_store: Any, tmp_path: Path) -> None:
    store = new_store()
    padded = json.loads(EVENT) | {"padding": "0" * 3_000_000}
    store.ingest([EVENT, json.dumps(padded).encode()])
    make(origin(store, tmp_path), RUN, tmp_path / "x.lineage", Given(), data=False)
    with zipfile.ZipFile(tmp_path / "x.lineage") as archive:
        assert archive.getinfo("events.ndjson").compress_type == zipfile.ZIP_STORED
    with opened(tmp_path / "x.lineage") as bundle:
        assert bundle.store.counts() == (2, 0)


def test_a_file_that_grows_meanwhile_is_no_bundle(new_store: Any, tmp_path: Path) -> None:
    store = new_store()
    store.ingest([EVENT])
    growing = tmp_path / "growing"
    growing.write_bytes(b"x" * 10)

    class Grows(Given):
        def gather(self, wanted: Any, folders: Any) -> Gathered:
            class Twice(type(Path())):  # type: ignore[misc]
                """Its size is looked at before it is read."""

                def stat(self, **options: Any) -> Any:
                    found = super().stat(**options)
                    with growing.open("ab") as more:
                        more.write(b"y" * 10)
                    return found

            return Gathered(members={OBJECT: partial(nullcontext, Twice(growing))}, missing=[])

    with pytest.raises(BundleError, match="was changed while it was read: make the bundle again"):
        make(origin(store, tmp_path), RUN, tmp_path / "x.lineage", Grows(), data=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["growing"]


@pytest.mark.parametrize("fails", ["gather", "read"])
def test_what_fails_half_way_leaves_nothing(fails: str, new_store: Any, tmp_path: Path) -> None:
    store = new_store()
    store.ingest([EVENT])

    class Fails(Given):
        def gather(self, wanted: Any, folders: Any) -> Gathered:
            if fails == "gather":
                raise OSError("the disk is gone")
            return Gathered(members={OBJECT: partial(nullcontext, tmp_path / "nothing")}, missing=[])

    with pytest.raises(OSError, match=r"the disk is gone|No such file"):
        make(origin(store, tmp_path), RUN, tmp_path / "x.lineage", Fails(), data=True)
    assert list(tmp_path.iterdir()) == []


def test_the_reason_of_who_looked_first_stays(new_store: Any, tmp_path: Path) -> None:
    store = new_store()
    store.ingest([EVENT])
    first = Missing(what="input", name="raw", reason="the disk was full")
    other = Missing(what="input", name="other", reason="it is found now")
    known = Origin(
        connection=store.connection,
        details=tmp_path / "objects",
        repositories=[],
        known_missing=[first, other],
    )
    now = Given(missing=[Missing(what="input", name="raw", reason="it is not in the bundle")])

    made = make(known, RUN, tmp_path / "x.lineage", now, data=True)

    assert [one for one in made.manifest.missing if one.what == "input"] == [first]


def test_two_bundles_of_the_same_things_are_the_same_bytes_whenever_they_are_made(
    new_store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = tmp_path / "content"
    content.write_bytes(b"content")
    made = []
    for number in range(2):
        store = new_store()
        store.ingest([*SHAPES.values()][:: 1 if number else -1])
        monkeypatch.setattr("time.time", lambda number=number: 1e9 * (number + 1))
        make(origin(store, tmp_path), RUN, tmp_path / f"{number}.lineage", Given(file=content), data=True)
        made.append((tmp_path / f"{number}.lineage").read_bytes())
    assert made[0] == made[1]
