"""One read or write of a run becomes an entry of its events: what it is called, and whose it is.

Decides the name (rule R8 of docs/data-model.md), the version, and whether an outer run only hands on what a
run inside of it has read or written (rule R5); and what an earlier run has made where an array is used that it has
returned within a state. What is said of the content is decided in `datasets.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from .datasets import Description
from .events import Entry, Keep, fit_dataset
from .known import Known, KnownObjects, Occurrence
from .members import Member, Members, Returned
from .naming import DatasetName, of_path, of_text
from .ours import io_facet
from .standard import StandardFacets


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What the caller said of one input or output.

    Attributes:
        direction: `input` or `output`.
        data: The object; null where something is only named.
        name: As given; null for the default.
        version: As given; null for the default.
        role: Its part in the run.
        instant: When it was read or written.
        namespace: Of the `Lineage`.
        job: Name of the run's job.
        run_id: The run.
        outer_runs: Run ids of the runs around it.
    """

    direction: str
    data: object
    name: str | DatasetName | None
    version: str | None
    role: str
    instant: datetime
    namespace: str
    job: str
    run_id: str
    outer_runs: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Made:
    """What a declaration makes.

    Attributes:
        entries: Of its run.
        instant: When it was first read or written.
        part: An output that another run is to tell, since this one uses it: the state that it was a part of, and the
            entry; null nearly always.
    """

    entries: tuple[Entry, ...]
    instant: datetime
    part: tuple[Returned, Entry] | None = None


class _Source(NamedTuple):
    """What an inner run has made and an output holds: what is known of it, when it was made, and what is told of it."""

    known: Known
    instant: datetime
    facets: Mapping[str, Mapping[str, Any]]


def make_entries(
    said: Declaration,
    description: Description,
    known_objects: KnownObjects,
    members: Members,
    standard: StandardFacets,
    producer: str,
    keep: Keep,
) -> Made:
    """The entry of a declaration; the object is remembered under its name. What an inner run has written under another
    name, or what is saved now, is read from there as well, else nobody would know where it comes from.
    """
    recognised_by = description.digest if description.distinctive else None
    known = known_objects.find(said.data, recognised_by) if said.data is not None else None
    same_content = known is not None and known.digest == description.digest
    member = None
    if known is None or not same_content or not known.written:
        member = _member(said, description, members)
    if member is not None:
        known = _as_known(
            member, description, known.occurrences if known is not None and same_content else ()
        )
        same_content = True
    name = _name(said, known)
    version = _version(said, name, description, known)
    original = None
    if known is not None and same_content:
        original = known.handed_on(said.direction, said.run_id)
    saved = _saved(said, name, known_objects.made(recognised_by)) if original is None else None
    instant = original or said.instant
    if said.data is not None:
        here = Occurrence(
            direction=said.direction, run_id=said.run_id, outer_runs=said.outer_runs, instant=instant
        )
        before = known.occurrences[-99:] if known is not None and same_content else ()
        # Who has no run around has nobody to hand it on.
        seen = (*before, here) if here.outer_runs else before
        now = Known(
            name=name,
            version=version,
            digest=description.digest,
            written=said.direction == "output" or (known is not None and same_content and known.written),
            occurrences=seen,
        )
        known_objects.remember(said.data, recognised_by, now)
        if recognised_by is not None and said.direction == "output" and original is None and said.outer_runs:
            known_objects.remember_made(recognised_by, now)
    whole = dict(description.facets)
    if version is not None:
        whole["version"] = standard.version(version)
    if isinstance(said.data, Path) and (path := of_path(said.data)) != name:
        whole["symlinks"] = standard.symlinks([path], "LOCATION")
    origin = "declared" if original is None else "forwarded"
    io_facets: dict[str, Mapping[str, Any]] = {
        "relineage_io": io_facet(said.direction, said.role, instant, origin, producer)
    }
    if description.rows is not None or description.size is not None:
        counted = standard.statistics(said.direction, description.rows, description.size)
        io_facets[f"{said.direction}Statistics"] = counted
    entry = Entry(
        direction=said.direction,
        name=name,
        role=said.role,
        version=version,
        digest=description.digest,
        facets=fit_dataset(whole, keep),
        whole=whole,
        io_facets=io_facets,
    )
    part = None if member is None else (member.of, _part(member, entry, standard, producer))
    read = saved
    if original is not None and known is not None and known.name != name and "symlinks" not in whole:
        read = _Source(known, original, description.facets)
    if read is None or said.direction == "input" or read.known.version is None:
        return Made(entries=(entry,), instant=instant, part=part)
    facets = {**read.facets, "version": standard.version(read.known.version)}
    source = replace(
        entry,
        direction="input",
        name=read.known.name,
        version=read.known.version,
        facets=fit_dataset(facets, keep),
        whole=facets,
        io_facets={"relineage_io": io_facet("input", said.role, read.instant, "forwarded", producer)},
        asked=False,
    )
    return Made(entries=(source, entry), instant=instant, part=part)


def _member(said: Declaration, description: Description, members: Members) -> Member | None:
    """The state of another run that the object is a part of: read, or handed on from an inner run."""
    if said.data is None or isinstance(said.data, dict) or description.digest is None:
        return None
    found = members.find(said.data, description.digest)
    if found is None or found.of.run.run_id == said.run_id:
        return None
    return found if said.direction == "input" or said.run_id in found.of.outer_runs else None


def _as_known(member: Member, description: Description, seen: tuple[Occurrence, ...]) -> Known:
    """What would be known if the run had returned it by itself."""
    made = Occurrence(
        direction="output",
        run_id=member.of.run.run_id,
        outer_runs=member.of.outer_runs,
        instant=member.of.instant,
    )
    return Known(
        name=member.name,
        version=description.version,
        digest=description.digest,
        written=True,
        occurrences=(made, *seen),
    )


def _part(member: Member, entry: Entry, standard: StandardFacets, producer: str) -> Entry:
    """The output that the run which has returned the state is to tell: what is said of the content is the same."""
    version = entry.version if entry.name == member.name else entry.digest
    assert version is not None  # without a digest it would not have been found
    facets = {**entry.facets, "version": standard.version(version)}
    said = io_facet("output", member.role, member.of.instant, "declared", producer, member.of.role)
    return replace(
        entry,
        direction="output",
        name=member.name,
        role=member.role,
        version=version,
        facets=facets,
        whole=facets,
        io_facets={"relineage_io": said},
    )


def _saved(said: Declaration, name: DatasetName, made: Known | None) -> _Source | None:
    """What an inner run has made, and when, of which a file that is written now has the content. What else is told of
    the file, such as the digest of its bytes, is not told of that.
    """
    if made is None or made.name == name or not isinstance(said.data, Path):
        return None
    instant = made.handed_on("output", said.run_id)
    return None if instant is None else _Source(made, instant, {})


def _name(said: Declaration, known: Known | None) -> DatasetName:
    if isinstance(said.name, DatasetName):
        return said.name
    if said.name is not None:
        return of_text(said.name, said.namespace)
    if known is not None:
        return known.name
    if isinstance(said.data, Path):
        return of_path(said.data)
    return DatasetName(namespace=said.namespace, name=f"{said.job}/{said.role}")


def _version(
    said: Declaration, name: DatasetName, description: Description, known: Known | None
) -> str | None:
    if said.version is not None:
        return said.version
    if known is not None and known.name == name and known.version is not None:
        same_content = description.digest is not None and known.digest == description.digest
        nothing_else = description.version is None and known.digest is None
        if same_content or nothing_else:  # what it was called it still is
            return known.version
    return description.version
