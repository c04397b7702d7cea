"""The container: a zip file, the same bytes for the same content, and what of one from elsewhere is believed.

Decides the form. The first member is `mimetype`, stored, so that thirty bytes in it says what the file is; the last one
the manifest; no times, no modes, no comments. Text is deflated, all else is stored as it is (Parquet, weights and git's
packs do not get smaller). Decides as well that a bundle comes from anybody: members have names of a short list, which
never become paths of their own; none is larger than the manifest says, all together are no more than a file of that
size can honestly hold; and each is digested while it is read.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from ..errors import BundleError
from .manifest import MAX_BYTES as MANIFEST_BYTES
from .manifest import Manifest, Member, decoded
from .mark import MIME, MIMETYPE, is_bundle

MANIFEST = "manifest.json"
EVENTS = "events.ndjson"
# Everything that can be in a bundle; an object as the store of contents calls it.
_NAMES = {
    "events": re.compile(r"events\.ndjson|events/[0-9a-f]{32}\.json"),
    "code": re.compile(r"code/(?:sha1|sha256)\.bundle"),
    "details": re.compile(r"details/[0-9a-f]{64}\.json"),
    "objects": re.compile(r"objects/b3-[a-z0-9]+/[0-9a-f]{2}/[0-9a-f]{62}(?:\.[a-z]+)?"),
}
_DEFLATED = frozenset({"events", "details"})

MAX_MEMBERS = 100_000
MAX_DIRECTORY_BYTES = 16 << 20
# Events of one project deflate to a tenth, of one loop to a fiftieth; the format's limit is 1,032. What is denser than
# this is a bomb, or is stored as it is.
MAX_RATIO = 200
_PIECE_BYTES = 1 << 20
_END = b"PK\x05\x06"
_END_BYTES = 22
_END64 = b"PK\x06\x06"
_END64_BYTES = 56 + 20 + _END_BYTES  # with the pointer to it, and the other end


def kind_of(name: str) -> str | None:
    """events, code, details or objects; null for a name that no member can have."""
    return next((kind for kind, pattern in _NAMES.items() if pattern.fullmatch(name)), None)


class TooDense(Exception):
    """What was deflated is so small that a reader would take it for a bomb: store it."""


class Writer:
    """A bundle that is being written to a new file.

    Attributes:
        members: What was written, in order.
    """

    def __init__(self, file: IO[bytes], *, deflated: bool = True) -> None:
        """Begin.

        Args:
            file: A new file, seekable.
            deflated: Text is made smaller.
        """
        self.members: list[Member] = []
        self._deflated = _DEFLATED if deflated else frozenset()
        self._zip = zipfile.ZipFile(file, "w", allowZip64=True)
        with self._zip.open(_info(MIMETYPE, len(MIME), deflated=False), "w") as member:
            member.write(MIME)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()  # which has been done if it is whole

    def add(self, name: str, source: IO[bytes], size: int) -> None:
        """A member of a known size.

        Raises:
            BundleError: It is not of that size: somebody has changed it meanwhile. Or there are too many.
        """
        with self.stream(name, size) as write:
            while piece := source.read(_PIECE_BYTES):
                write(piece)
        if self.members[-1].size != size:
            raise BundleError(f"{name} was changed while it was read: make the bundle again")

    @contextmanager
    def stream(self, name: str, size: int | None = None) -> Iterator[Writing]:
        """A member that is written in pieces; of unknown size if that is null.

        Raises:
            BundleError: There are too many.
            TooDense: It must not be deflated.
        """
        kind = kind_of(name)
        assert kind is not None, name
        if len(self.members) >= MAX_MEMBERS:
            raise BundleError(
                f"more than {MAX_MEMBERS:,} files are too many for one bundle: leave out --data, "
                "and pass the store on besides"
            )
        info = _info(name, size or 0, deflated=kind in self._deflated)
        with self._zip.open(info, "w", force_zip64=size is None) as member:
            writing = Writing(member)
            yield writing
        if not _plausible(info.file_size, info.compress_size):
            raise TooDense(name)
        self.members.append(Member(name=name, size=writing.size, sha256=writing.digest.hexdigest()))

    def finish(self, manifest: Manifest) -> None:
        """The manifest, and the end."""
        text = manifest.encoded()
        deflated = _plausible(len(text), len(zlib.compress(text)))
        with self._zip.open(_info(MANIFEST, len(text), deflated=deflated), "w") as member:
            member.write(text)
        self._zip.close()


class Writing:
    """Where a member's bytes go: called with a piece; `size` and `digest` are of all so far."""

    def __init__(self, member: IO[bytes]) -> None:
        self.size = 0
        self.digest = sha256()
        self._member = member

    def __call__(self, piece: bytes) -> None:
        """Write a piece."""
        self.size += len(piece)
        self.digest.update(piece)
        self._member.write(piece)


class Reader:
    """A bundle from anywhere: opened, with its manifest read and its list of members compared with it.

    Attributes:
        manifest: What it says.
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        """Open it; no member but the manifest is read.

        Raises:
            BundleError: It is no bundle, or one that cannot be honest; the text says why.
        """
        self.path = path
        if not is_bundle(path):
            raise BundleError(f"{path} is no bundle of relineage")
        self._size = path.stat().st_size
        try:
            self._check_directory()
            self._zip = zipfile.ZipFile(path)
        except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as error:
            raise BundleError(f"{path} cannot be read: {error}") from error
        try:
            self._infos = self._checked()
            text = self._bytes(self._infos[MANIFEST], MANIFEST_BYTES)
            self.manifest = decoded(text, str(path))
            self._compare()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    def members(self, kind: str) -> list[Member]:
        """The members of a kind, in the order of their names."""
        found = [member for member in self.manifest.members if kind_of(member.name) == kind]
        return sorted(found, key=lambda member: member.name)

    def extract(self, member: Member, target: Path) -> None:
        """Write a member to a new file of the caller's naming; it is digested while that is done.

        Raises:
            BundleError: It is not what the manifest says, or cannot be written; the file is not there then.
        """
        digest = sha256()
        size = 0
        try:
            with self._zip.open(self._infos[member.name]) as source, target.open("xb") as written:
                while piece := source.read(_PIECE_BYTES):
                    size += len(piece)
                    if size > member.size:
                        break
                    digest.update(piece)
                    written.write(piece)
        except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, zlib.error) as error:
            target.unlink(missing_ok=True)
            raise BundleError(f"{self.path}: {member.name} is damaged: {error}") from error
        except OSError as error:
            target.unlink(missing_ok=True)
            raise BundleError(f"{self.path}: {member.name} cannot be unpacked: {error}") from error
        if size != member.size or digest.hexdigest() != member.sha256:
            target.unlink()
            raise BundleError(f"{self.path}: {member.name} is not what its manifest says")

    def _check_directory(self) -> None:
        """Before zipfile reads all of it into memory. Ours ends with the file, since it has no comment."""
        with self.path.open("rb") as file:
            file.seek(max(0, self._size - _END64_BYTES))
            tail = file.read()
        end = tail[-_END_BYTES:]
        if len(end) < _END_BYTES or end[:4] != _END or end[20:] != b"\0\0":
            raise zipfile.BadZipFile("it does not end where a bundle does; perhaps it was cut off")
        sizes = [int.from_bytes(end[12:16], "little")]
        if tail[:4] == _END64:  # of a file beyond 4 GB, and believed instead
            sizes.append(int.from_bytes(tail[40:48], "little"))
        if max(sizes) > MAX_DIRECTORY_BYTES:
            raise zipfile.BadZipFile(f"its list of members is larger than {MAX_DIRECTORY_BYTES >> 20} MB")

    def _checked(self) -> dict[str, zipfile.ZipInfo]:
        infos = self._zip.infolist()
        for name, count in Counter(info.filename for info in infos).items():
            if count > 1:
                raise self._dishonest(f"{name} is there {count} times")
        if len(infos) > MAX_MEMBERS + 2:
            raise self._dishonest(f"it has {len(infos):,} members")
        for info in infos:
            name = info.filename
            if name not in (MIMETYPE, MANIFEST) and kind_of(name) is None:
                raise self._dishonest(f"{name} is no name of a part of a bundle")
            if info.flag_bits & 1:
                raise self._dishonest(f"{name} is encrypted")
            if info.compress_type == zipfile.ZIP_STORED:
                honest = info.file_size == info.compress_size
            else:
                honest = info.compress_type == zipfile.ZIP_DEFLATED
                honest &= _plausible(info.file_size, info.compress_size)
            if not honest:
                raise self._dishonest(f"{name} says that {info.compress_size} bytes are {info.file_size}")
        if sum(info.compress_size for info in infos) > self._size:
            raise self._dishonest("its members are larger than the file")
        if MANIFEST not in self._zip.NameToInfo:
            raise self._dishonest("it has no manifest")
        return dict(self._zip.NameToInfo)

    def _compare(self) -> None:
        """The manifest and the list of members say the same."""
        said = {member.name: member.size for member in self.manifest.members}
        there = {
            name: info.file_size for name, info in self._infos.items() if name not in (MIMETYPE, MANIFEST)
        }
        if said != there or len(said) != len(self.manifest.members):
            odd = sorted(set(said.items()) ^ set(there.items()))
            raise self._dishonest(
                f"its manifest and its members differ: {odd[0][0] if odd else 'twice named'}"
            )

    def _bytes(self, info: zipfile.ZipInfo, limit: int) -> bytes:
        if info.file_size > limit:
            raise self._dishonest(f"{info.filename} has {info.file_size} bytes, more than {limit >> 20} MB")
        try:
            with self._zip.open(info) as source:
                return source.read(limit)
        except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, zlib.error) as error:
            raise BundleError(f"{self.path}: {info.filename} is damaged: {error}") from error

    def _dishonest(self, reason: str) -> BundleError:
        return BundleError(f"{self.path} is refused: {reason}")


def _plausible(size: int, deflated: int) -> bool:
    """Whether text of that size may be that small; a few bytes may be all zeros."""
    return size <= MAX_RATIO * max(deflated, _PIECE_BYTES // MAX_RATIO)


def _info(name: str, size: int, *, deflated: bool) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    info.create_system = 3
    info.external_attr = 0o644 << 16
    info.compress_type = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
    info.file_size = size
    return info
