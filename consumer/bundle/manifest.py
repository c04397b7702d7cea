"""What a bundle says of itself: `manifest.json`, its last member.

Decides the fields and what a well-formed manifest is; unknown fields and versions are refused, since whoever reads a
bundle must know all of it. A manifest holds no time of making and no machine's name, so that the same content is the
same bytes: `asOf` is the instant of the latest event. Whether the members are what it says is the archive's business.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from ..errors import BundleError

MAX_BYTES = 64 << 20

Text = Annotated[str, Field(max_length=1 << 20)]
Commit = Annotated[str, Field(pattern=r"^(?:[0-9a-f]{40}|[0-9a-f]{64})$")]


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, strict=True
    )


class Of(_Part):
    """What the bundle is of.

    Attributes:
        x: As it can be asked for among the events of the bundle.
        kind: run, dataset, version or digest.
    """

    x: Text
    kind: Literal["run", "dataset", "version", "digest"]
    run_id: Text | None = None
    namespace: Text | None = None
    name: Text | None = None
    version: Text | None = None
    digest: Text | None = None


class Member(_Part):
    """One file of the bundle: its name in it, bytes, and SHA-256 in hex."""

    name: Text
    size: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Missing(_Part):
    """Something that belongs in the bundle and could not be had.

    Attributes:
        what: Code of a run, what it read, what came out, or an object that holds what did not fit into an event.
        name: The commit, dataset or digest.
        reason: Why, in words.
    """

    what: Literal["code", "input", "output", "details"]
    name: Text
    reason: Text


class Manifest(_Part):
    """What a bundle is, and what is in it.

    Attributes:
        made_by: The program and its version.
        as_of: Instant of the latest event, UTC.
        runs: What x comes from, by their ids.
        besides: Runs of the same processes, those around them, and such as alone say what answers depend upon.
        events: How many there are.
        commits: The code, as git knows it.
        folders: The code where there was no git: digests of folders among the objects.
        data: Whether contents were asked for; without them there are digests only.
    """

    format: Literal["relineage-bundle"] = "relineage-bundle"
    version: Literal[1] = 1
    of: Of
    made_by: Text
    as_of: Text
    runs: tuple[Text, ...]
    besides: tuple[Text, ...]
    events: Annotated[int, Field(ge=0)]
    commits: tuple[Commit, ...]
    folders: tuple[Text, ...]
    data: bool
    members: tuple[Member, ...]
    missing: tuple[Missing, ...]

    def encoded(self) -> bytes:
        """The bytes in the bundle."""
        return self.model_dump_json(by_alias=True, exclude_none=True, indent=1).encode() + b"\n"


def decoded(text: bytes, where: str) -> Manifest:
    """The manifest in these bytes.

    Raises:
        BundleError: They are none that this version knows; the text says what is wrong, and where.
    """
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise BundleError(
            f"{where}: its manifest cannot be read: {place}: {first['msg']}; perhaps a newer relineage made it"
        ) from None
