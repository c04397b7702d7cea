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
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ... import emitter
from ...emitter.errors import StoreError
from .. import engine
from ..named import named
from .answer import joined
from .calls import Call, call_of
from .code import checked_out, cut_links, find_code
from .command import drawn, folder_of, moved_command, of_call, program_of, script_folder, variables_for
from .environment import build_environment
from .inputs import put_inputs
from .judging import Ran, files_made, judged, not_replayed
from .means import Means
from .places import Places, below, places
from .process import Ended, guard_beside, run_process, write_plan
from .recorded import Member, Recorded, read_members
from .verdicts import NotReplayed, Replayed

REPEATING = "relineage.emitter.repeating"


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
    if by_itself is not None:
        means.say(f"(called by itself it is {by_itself.verdict}: {by_itself.reason}; now the whole program)")
    verdicts, made = _replayed_program(run, wanted, means, folder / "program", remade)
    if (
        by_itself is not None
        and by_itself.verdict != "not replayed"
        and verdicts[0].verdict == "not replayed"
    ):
        # What the program had set up may have decided it: the settings of a module, a variable.
        other = f"called by itself, without that program, it came to something else: {by_itself.reason}"
        return [replace(verdicts[0], reason=f"{verdicts[0].reason}; {other}")], {}
    return verdicts, made


def _called(run: Recorded, wanted: Sequence[str], means: Means, folder: Path) -> Replayed | None:
    """The verdict on a step that was called again by itself; null if it is none."""
    call = call_of(run, wanted[0], means.objects) if len(wanted) == 1 else None
    if call is None:
        return None
    member = replace(call.member, ordinal=0)
    try:
        with _ran(run, means, folder, {}, call) as ran:
            [verdict] = judged([member], run, ran, means)
    except (NotReplayed, StoreError, OSError) as reason:
        return not_replayed(member, str(reason), means)
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
            verdicts = judged([members[one] for one in wanted], run, ran, means)
            made = files_made(run, ran)
    except (NotReplayed, StoreError, OSError) as reason:  # a full disk, say
        return [not_replayed(members[one], str(reason), means) for one in wanted], {}
    if means.keep is not None:
        shutil.copytree(ran.home, means.keep, dirs_exist_ok=True)
    return verdicts, made


@contextmanager
def _ran(
    run: Recorded,
    means: Means,
    folder: Path,
    remade: Mapping[tuple[str, str], Path],
    call: Call | None = None,
) -> Iterator[Ran]:
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
            yield Ran(
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


def _others(connection: engine.DuckDBPyConnection, run: Recorded) -> dict[tuple[str, str, int], Member]:
    """The runs of the replay, by what makes them the counterpart of an original; the first process that has one counts:
    workers come after what has started them.
    """
    originals = [*(one.run_id for one in run.members), *run.writers]
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
