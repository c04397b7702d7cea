"""One process done again: code, inputs, chance and command put together, run, compared, judged.

Decides in which order, and what keeps a replay from saying anything: code that is not the snapshot's, a program that
ends before the run has, a file of somebody's that would be overwritten. It runs the recorded code with the rights of
whoever calls it: to ask first is the caller's part.
"""

from __future__ import annotations

import os
import shutil
import site
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from ... import emitter
from ...emitter.digests.closeness import Tolerance
from ...emitter.errors import StoreError
from ...emitter.store import Store, open_store
from .. import engine
from ..chance import chances_of
from ..named import named
from .answer import causes_between, joined, not_as_recorded, setting_differences
from .calls import Call, call_of
from .code import Source, checked_out, cut_links, find_code
from .command import drawn, folder_of, moved_command, of_call, program_of, script_folder, variables_for
from .details import OBJECTS
from .environment import build_environment
from .inputs import put_inputs
from .outcome import compare_outputs, pairs
from .places import Places, below, places
from .process import Ended, Say, guard_beside, run_process, write_plan
from .recorded import Member, Output, Recorded, read_members, read_outputs
from .verdicts import NotReplayed, Replayed, verdict_of

REPEATING = "relineage.emitter.repeating"
MOST_NOT_COVERED = 5  # files that are told


@dataclass(frozen=True, kw_only=True)
class Means:
    """What a replay may use.

    Attributes:
        repositories: Where commits are looked for, in this order.
        objects: The store of contents.
        tolerance: How far apart values may be; null if only equal digests count.
        tolerance_text: The same as it was asked for.
        here: Whether recorded paths may be of this machine: the work tree is asked for the code, too, and files are
            taken from their paths. Else the events are those of a bundle.
        kept: What `objects` is called.
        around: A work tree on this machine: what lay in that of the run may be at the same place in this one.
        environment: Rebuild the recorded packages first; default: this interpreter with what it has.
        keep: A folder that is not there yet, for the replay's own events and store.
        say: Gets what the program prints, line by line.
    """

    repositories: Sequence[Path]
    objects: Store | None
    tolerance: Tolerance | None = None
    tolerance_text: str | None = None
    here: bool = True
    kept: str = "the store"
    around: Path | None = None
    environment: bool = False
    keep: Path | None = None
    say: Say = field(default=lambda line: None)


def replay_process(
    run: Recorded,
    wanted: Sequence[str],
    means: Means,
    folder: Path,
    remade: Mapping[tuple[str, str], Path],
) -> tuple[list[Replayed], dict[tuple[str, str], Path]]:
    """Do the process of a run again, and judge some of its runs.

    Args:
        run: One of its runs.
        wanted: The runs that are judged.
        means: What may be used.
        folder: An empty folder, which holds the replay.
        remade: (path, version) → what takes the place of a file that was read.

    Returns:
        The verdicts, and for each file that the process wrote then, by (path, version), where what was written in its
        place lies below `folder`.
    """
    by_itself = _called(run, wanted, means, folder / "call") if not remade else None
    if by_itself is not None and by_itself.verdict in ("bitwise", "within tolerance"):
        return [by_itself], {}
    verdicts, made = _replayed_program(run, wanted, means, folder / "program", remade)
    if (
        by_itself is not None
        and by_itself.verdict != "not replayed"
        and verdicts[0].verdict == "not replayed"
    ):
        return [by_itself], {}
    return verdicts, made


def _called(run: Recorded, wanted: Sequence[str], means: Means, folder: Path) -> Replayed | None:
    """The verdict on a step that was called again by itself; null if it is none."""
    call = call_of(run, wanted[0], means.objects) if len(wanted) == 1 else None
    if call is None:
        return None
    member = replace(call.member, ordinal=0)
    try:
        with _ran(run, means, folder, {}, call) as ran:
            verdict = _judged(member, run, ran, means)
    except (NotReplayed, StoreError, OSError) as reason:
        return _not_replayed(member, str(reason), means)
    if means.keep is not None and verdict.reason is None:
        shutil.copytree(ran.home, means.keep, dirs_exist_ok=True)
    return replace(verdict, notes=(f"{call.callable} was called by itself", *verdict.notes))


def _replayed_program(
    run: Recorded,
    wanted: Sequence[str],
    means: Means,
    folder: Path,
    remade: Mapping[tuple[str, str], Path],
) -> tuple[list[Replayed], dict[tuple[str, str], Path]]:
    members = {one.run_id: one for one in run.members}
    try:
        with _ran(run, means, folder, remade) as ran:
            verdicts = [_judged(members[one], run, ran, means) for one in wanted]
            made = _files_made(run, ran)
    except (NotReplayed, StoreError, OSError) as reason:  # a full disk, say
        return [_not_replayed(members[one], str(reason), means) for one in wanted], {}
    if means.keep is not None:
        shutil.copytree(ran.home, means.keep, dirs_exist_ok=True)
    return verdicts, made


@dataclass(frozen=True, kw_only=True)
class _Ran:
    """A process that has ended, and the database that knows it and the original."""

    source: Source
    where: Places
    home: Path
    ended: Ended
    notes: tuple[str, ...]
    connection: engine.DuckDBPyConnection
    others: Mapping[tuple[str, str, int], Member]

    @property
    def store(self) -> Store:
        """What came out."""
        return open_store(self.home / "store", self.home)

    def outputs(self, other: Member) -> tuple[Output, ...]:
        """What one of its runs made."""
        return read_outputs(self.connection, [other.run_id], self.home / OBJECTS)


@contextmanager
def _ran(
    run: Recorded,
    means: Means,
    folder: Path,
    remade: Mapping[tuple[str, str], Path],
    call: Call | None = None,
) -> Iterator[_Ran]:
    if call is None or run.root is None or run.directory is None:
        program_of(run)
    folder.mkdir()
    root, directory = run.root, run.directory
    assert root is not None
    assert directory is not None
    repositories = [*([Path(root)] if means.here else []), *means.repositories]
    source = find_code(run, list(dict.fromkeys(repositories)), means.objects)
    checkout, scratch, home = folder / "code", folder / "data", folder / "home"
    read = [path for one in run.inputs for path in one.paths]
    written = [path for one in run.outputs for path in one.paths]
    where = places(
        root=root, directory=directory, arguments=run.command, files=[*read, *written],
        checkout=checkout, scratch=scratch,
    )  # fmt: skip
    _refuse_to_overwrite(written, where)
    with checked_out(source, means.objects, checkout) as missing:
        for recorded in dict.fromkeys([*read, *written]):
            if (here := where.now(recorded)) is not None:
                cut_links(here, folder)
        for path in (folder_of(run, where), *_folders_for(written, where), home):
            path.mkdir(parents=True, exist_ok=True)
        inputs = run.inputs if call is None else call.files()
        may_be = partial(_may_be, root=root, means=means)
        notes = put_inputs(inputs, where, means.objects, remade, may_be, means.kept)
        said: dict[str, Any] = {
            "home": str(home),
            "foreign": [root, directory, *written],
            "own": _own(folder),
        }
        if call is None:
            said["runs"] = drawn(run)
        else:
            said |= {
                "runs": of_call(call.member),
                "call": call.as_plan(where, means.objects, folder / "inputs", checkout),
            }
        plan = write_plan(folder / "plan", said)
        python, lacking = Path(sys.executable), list[str]()
        if means.environment:
            python, lacking = build_environment(run.python, run.packages, folder / "environment", means.say)
        command = [
            str(python),
            *(moved_command(run, where, python.parent) if call is None else ("-m", REPEATING)),
        ]
        modules = () if call is None else script_folder(run, where)
        environment = variables_for(run, where, plan, guard_beside(plan), modules)
        ended = run_process(command, folder_of(run, where), environment, plan, means.say)
        _refuse_foreign(ended)
        with joined(run, home / "events", where, folder / "events") as connection:
            yield _Ran(
                source=source,
                where=where,
                home=home,
                ended=ended,
                notes=(*missing, *lacking, *notes),
                connection=connection,
                others=_others(connection, run),
            )


def _may_be(path: str, *, root: str, means: Means) -> list[Path]:
    """Where what had a path may be: there, or at the same place in the work tree here."""
    places = [Path(path)] if means.here else []
    if means.around is not None and below(path, root):
        places.append(Path(f"{means.around}{path[len(root.rstrip('/')) :]}"))
    return list(dict.fromkeys(places))


def _judged(one: Member, run: Recorded, ran: _Ran, means: Means) -> Replayed:
    other = ran.others.get((one.namespace, one.job, one.ordinal))
    if other is None or (one.state == "COMPLETE" and other.state != "COMPLETE"):
        what = "did not come to this run" if other is None else "did not complete this run"
        return _not_replayed(
            one, f"the program {what}: it {ran.ended.words()}", means, notes=[*ran.notes, *_not_covered(run)]
        )
    outputs = compare_outputs(
        [output for output in run.outputs if output.run_id == one.run_id],
        ran.outputs(other),
        stores=(means.objects, ran.store),
        tolerance=means.tolerance,
    )
    verdict, reason = verdict_of(outputs)
    if verdict == "not reproduced" and ran.ended.asked:
        return _not_replayed(
            one, f"it read standard input, of which nothing is recorded; without any, {reason}", means
        )
    notes = list(ran.notes)
    if verdict == "not reproduced":
        notes += _not_covered(run)
    if ran.ended.code != 0:
        notes.append(f"the program {ran.ended.words()}")
    if one.state != "COMPLETE":
        notes.append(f"the original run did not complete: it is {one.state}")
    differ = verdict == "not reproduced"
    if not differ:  # what is recorded may be another story that ends alike
        notes += not_as_recorded(ran.connection, one, other, run.read)
    causes = causes_between(ran.connection, one.run_id, other.run_id) if differ else ()
    return Replayed(
        run_id=one.run_id,
        job=f"{one.namespace}/{one.job}",
        verdict=verdict,
        reason=reason,
        tolerance=means.tolerance_text,
        snapshot=ran.source.snapshot,
        setting=setting_differences(ran.connection, one.run_id, other.run_id),
        outputs=tuple(outputs),
        causes=causes,
        chances=chances_of(ran.connection, causes),
        notes=tuple(notes),
        new_run_id=other.run_id,
    )


def _not_covered(run: Recorded) -> list[str]:
    """What may be missing, since the snapshot does not hold it."""
    left = len(run.not_covered) - MOST_NOT_COVERED
    told = [*run.not_covered[:MOST_NOT_COVERED], *([f"and {left} more"] if left > 0 else [])]
    return [f"not in the snapshot: {', '.join(told)}"] if told else []


def _not_replayed(one: Member, reason: str, means: Means, notes: Sequence[str] = ()) -> Replayed:
    return Replayed(
        run_id=one.run_id,
        job=f"{one.namespace}/{one.job}",
        verdict="not replayed",
        reason=reason,
        tolerance=means.tolerance_text,
        notes=tuple(notes),
    )


def _others(connection: engine.DuckDBPyConnection, run: Recorded) -> dict[tuple[str, str, int], Member]:
    """The runs of the replay, by what makes them the counterpart of an original; the first process that has one counts:
    workers come after what has started them.
    """
    originals = [one.run_id for one in run.members]
    found: dict[tuple[str, str, int], Member] = {}
    seen: set[str] = set()
    rows = connection.execute(named("replay")["other_runs"], {"run_ids": originals}).fetchall()
    for (run_id,) in rows:
        if run_id not in seen:
            members = read_members(connection, run_id)
            seen.update(one.run_id for one in members)
            for one in members:
                found.setdefault((one.namespace, one.job, one.ordinal), one)
    return found


def _files_made(run: Recorded, ran: _Ran) -> dict[tuple[str, str], Path]:
    """Copies of what was written in place of each file, out of the store of the replay."""
    made: dict[tuple[str, str], Path] = {}
    for one in run.members:
        other = ran.others.get((one.namespace, one.job, one.ordinal))
        if other is None:
            continue
        then = [output for output in run.outputs if output.run_id == one.run_id]
        for original, replayed in pairs(then, ran.outputs(other)):
            if original is None or replayed is None or not original.paths:
                continue
            copy = _taken(replayed, ran.store, ran.home / "made" / str(len(made)))
            if copy is not None:
                made |= {(path, original.version or ""): copy for path in original.paths}
    return made


def _taken(output: Output, store: Store, target: Path) -> Path | None:
    for digest in output.digests:
        if digest.startswith(("b3-bytes1:", "b3-folder1:")) and store.find(digest) is not None:
            target.parent.mkdir(exist_ok=True)
            store.fetch(digest, target)
            return target
    return None


def _refuse_to_overwrite(written: Sequence[str], where: Places) -> None:
    for path in written:
        if where.now(path) is None and os.path.lexists(path):
            raise NotReplayed(
                f"it writes {path}, which no argument of its command names: a replay would overwrite that file"
            )


def _folders_for(written: Sequence[str], where: Places) -> Iterator[Path]:
    """git keeps no empty folders, and what is ignored is in no snapshot."""
    for path in written:
        here = where.now(path)
        if here is not None:
            yield here.parent


def _refuse_foreign(ended: Ended) -> None:
    if ended.changed:
        raise NotReplayed(
            f"it wanted to change {ended.changed[0]}, which a replay may not: the path is written in the code"
        )
    if ended.loaded:
        raise NotReplayed(
            f"it loaded {ended.loaded[0]} from the work tree, which need not be the recorded code: "
            "the path is written in the code, or installed with pip install -e"
        )


def _own(folder: Path) -> list[str]:
    """What may lie below a work tree and is no part of it: this replay, the interpreter's packages, ourselves."""
    ours = Path(emitter.__file__).parent
    packages = [*site.getsitepackages(), site.getusersitepackages()]
    houses = [str(ours.with_name(name)) for name in ("emitter", "facets", "consumer")]
    return [str(folder), sys.prefix, sys.base_prefix, *packages, *houses]
