"""What of a file from elsewhere is believed: bundles that lie are refused before anything of them is used."""

import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from bundle_archives import EVENT, MIME, Parts, Spoil, described

from relineage.consumer.bundle.manifest import Of
from relineage.consumer.bundle.mark import is_bundle
from relineage.consumer.bundle.opening import manifest_of, opened
from relineage.consumer.errors import BundleError


def member(name: str, content: bytes = b"x") -> Spoil:
    def spoil(parts: Parts) -> None:
        parts.members[name] = content

    return spoil


def manifest(**fields: object) -> Spoil:
    def spoil(parts: Parts) -> None:
        parts.manifest |= fields

    return spoil


def raw(text: bytes) -> Spoil:
    def spoil(parts: Parts) -> None:
        parts.raw_manifest = text

    return spoil


def unnamed(name: str, content: bytes = b"x") -> Spoil:
    def spoil(parts: Parts) -> None:
        parts.more.append((name, content))

    return spoil


def another_size(parts: Parts) -> None:
    parts.manifest["members"] = [described("events.ndjson", EVENT + b"\n") | {"size": 5}]


def another_digest(parts: Parts) -> None:
    parts.manifest["members"] = [described("events.ndjson", EVENT + b"\n") | {"sha256": "0" * 64}]


def named_twice(parts: Parts) -> None:
    parts.manifest["members"] = [described("events.ndjson", EVENT + b"\n")] * 2


def not_there(parts: Parts) -> None:
    parts.manifest["members"] = [
        described("events.ndjson", EVENT + b"\n"),
        described("code/sha1.bundle", b""),
    ]


def compressed(kind: int) -> Spoil:
    def spoil(parts: Parts) -> None:
        parts.compression = kind

    return spoil


HOSTILE: dict[str, tuple[Spoil, str]] = {
    "a path that climbs": (member("../../evil"), "no name of a part"),
    "an absolute path": (member("/etc/passwd"), "no name of a part"),
    "a path below objects that climbs": (member("objects/b3-bytes1/../../../evil"), "no name of a part"),
    "a path of Windows": (member("objects\\b3-bytes1\\ab"), "no name of a part"),
    "an object with another ending's path": (member("objects/b3-bytes1/ab/" + "c" * 62 + "/x"), "no name"),
    "a name with a line break": (member("events.ndjson\n"), "no name of a part"),
    "a script": (member("run.sh", b"#!/bin/sh\nrm -rf /\n"), "no name of a part"),
    "git's hooks": (member("code/hooks/post-checkout"), "no name of a part"),
    "a member that the manifest does not name": (unnamed("details/" + "a" * 64 + ".json"), "differ"),
    "a member that is not there": (not_there, "differ"),
    "a member twice": (unnamed("events.ndjson"), "is there 2 times"),
    "a member that is named twice": (named_twice, "differ"),
    "another size": (another_size, "differ"),
    "another digest": (another_digest, "events.ndjson is not what its manifest says"),
    "a bomb": (member("events.ndjson", b" " * (64 << 20)), "says that"),
    "a bomb of another compression": (compressed(zipfile.ZIP_BZIP2), "says that"),
    "a manifest that is no JSON": (raw(b"{"), "its manifest cannot be read"),
    "a manifest that is a list": (raw(b"[]"), "its manifest cannot be read"),
    "a manifest that is not UTF-8": (raw(b"\xff"), "its manifest cannot be read"),
    "a manifest nested deeply": (raw(b"[" * 100_000), "its manifest cannot be read"),
    "a manifest that is a bomb": (raw(b"[" + b" " * (65 << 20) + b"]"), "says that"),
    "another format": (manifest(format="zip"), "its manifest cannot be read: format"),
    "a newer version": (manifest(version=2), "perhaps a newer relineage made it"),
    "a field that nobody knows": (manifest(hooks=["rm -rf /"]), "its manifest cannot be read: hooks"),
    "a commit that is an option of git": (manifest(commits=["--upload-pack=evil"]), "commits.0"),
    "a number of events below none": (manifest(events=-1), "events"),
    "a kind that x cannot have": (manifest(of={"x": "a", "kind": "file"}), "of.kind"),
    "a missing thing of no kind": (manifest(missing=[{"what": "x", "name": "y", "reason": "z"}]), "missing.0.what"),
    "no manifest's fields": (raw(b"{}"), "its manifest cannot be read: of"),
    "another head": (lambda parts: setattr(parts, "head", b"application/zip"), "is no bundle"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_what_lies_is_refused_with_its_reason_and_nothing_is_left(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil, reason = HOSTILE[case]
    parts = Parts()
    spoil(parts)
    aside = tmp_path / "temporary"
    aside.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(aside))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # zipfile warns of names that are there twice
        file = parts.write(tmp_path / "hostile.lineage")

    with pytest.raises(BundleError, match=reason), opened(file):
        pass

    assert list(aside.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hostile.lineage", "temporary"]


def honest(path: Path) -> bytes:
    return Parts().write(path).read_bytes()


def patched(place: Callable[[bytes], int], value: bytes) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        at = place(data)
        return data[:at] + value + data[at + len(value) :]

    return change


CENTRAL, END = b"PK\x01\x02", b"PK\x05\x06"


def second(data: bytes) -> int:
    """Where the list of members has its second entry: the events."""
    return data.index(CENTRAL, data.index(CENTRAL) + 1)


BROKEN: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "nothing": (lambda data: b"", "is no bundle"),
    "its head alone": (lambda data: data[:74], "does not end where a bundle does"),
    "its first half": (lambda data: data[: len(data) // 2], "does not end where a bundle does"),
    "without its last byte": (lambda data: data[:-1], "does not end where a bundle does"),
    "something behind it": (lambda data: data + b"x", "does not end where a bundle does"),
    "a list of members without an end": (
        patched(lambda data: data.rindex(END) + 12, struct.pack("<I", 1 << 30)), "list of members is larger"),
    "a list of members elsewhere": (
        patched(lambda data: data.rindex(END) + 16, struct.pack("<I", 7)), "cannot be read|is refused|is damaged"),
    "a member that is encrypted": (
        patched(lambda data: second(data) + 8, b"\x01"), "is encrypted"),
    "a member that is longer than it is": (
        patched(lambda data: second(data) + 24, struct.pack("<I", 1 << 30)), "says that"),
    "members that overlap": (
        patched(lambda data: second(data) + 20, struct.pack("<I", 1 << 20)), "larger than the file"),
    "a damaged event": (
        patched(lambda data: data.index(b"events.ndjson") + 20, b"\xff\xff\xff\xff"), "is damaged|is not what"),
    "a damaged manifest": (
        patched(lambda data: data.index(b"manifest.json") + 20, b"\xff\xff\xff\xff"), "is damaged|cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_refused(case: str, tmp_path: Path) -> None:
    change, reason = BROKEN[case]
    file = tmp_path / "broken.lineage"
    data = change(honest(file))
    file.write_bytes(data)
    with pytest.raises(BundleError, match=reason), opened(file):
        pass


def test_an_honest_bundle_by_hand_is_opened(tmp_path: Path) -> None:
    file = tmp_path / "x.lineage"
    honest(file)
    assert is_bundle(file)
    assert manifest_of(file).of == Of(x="run:0199c0de-0000-7000-8000-000000000001", kind="run")
    with opened(file) as bundle:
        assert bundle.store.counts() == (1, 0)
        assert bundle.objects is None
        assert bundle.repositories == ()


@pytest.mark.parametrize("name", ["notes.txt", "empty", "data.zip", "folder", "nothing", "weights.npz"])
def test_other_files_are_no_bundles(name: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("PK\x03\x04 " + MIME.decode())
    (tmp_path / "empty").touch()
    (tmp_path / "folder").mkdir()
    for archive in ("data.zip", "weights.npz"):
        with zipfile.ZipFile(tmp_path / archive, "w") as made:
            made.writestr("manifest.json", Parts().said())
    assert not is_bundle(tmp_path / name)


def test_what_is_no_event_is_told_and_the_rest_is_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bomb = b"[" * 100_000
    parts = Parts(members={"events.ndjson": EVENT + b"\nnonsense\n" + bomb + b"\n"})
    with opened(parts.write(tmp_path / "x.lineage")) as bundle:
        assert bundle.store.counts() == (1, 2)
    assert "2 messages in" in caplog.text
