"""`relineage code`: lists and removes the snapshots that runs have made of their work trees.

Decides what is listed, asked and said, and that nothing is removed unless a database was read that knows of a snapshot.
What a snapshot is and where git keeps it is decided by the emitter.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from ...emitter.capture.code import Repositories, Repository
from ...emitter.capture.git import Git, GitError
from ...emitter.capture.snapshot import REFS, kept_at
from .. import engine
from ..consume import take_in
from ..errors import QuestionError, SourceError
from ..home import DATABASE, EVENTS, find_home
from ..named import named
from ..store import Store
from .contents import YOUNG_HOURS, databases_option, each_database, yes_option
from .listing import TABLE_LIMIT
from .output import Section, print_json, print_table
from .session import database_option, format_option, limit_option, question

_GIT_SECONDS = 60.0
_TREE = re.compile(r"[0-9a-f]{40,64}")


@dataclass(frozen=True)
class _Snapshot:
    """One ref: its tree and its commit, and when it was made or made again for the last time (Unix time)."""

    tree: str
    commit: str
    kept_at: float


@click.group("code")
def command() -> None:
    """List and tidy the snapshots of code in the repository around the working directory.

    A run keeps its work tree, with what is not committed, as a commit of its own, which no branch has: under
    refs/relineage, once for each distinct tree. RELINEAGE_SNAPSHOT=off and Lineage(snapshot=False) switch that off.
    """


@command.command("ls")
@limit_option
@format_option("table", "json")
@database_option
def list_snapshots(limit: int | None, format_: str, database: Path | None) -> int:
    """List the snapshots, the latest first: the commit, its tree, the first run that it was made for, how many runs.

    git show COMMIT:PATH shows a file of it, git diff COMMIT COMMIT what differs. The time is in UTC; a snapshot that
    no run in the database has shows when it was made.
    """
    repository = _repository()
    with question(database) as asked:
        runs = {row[0]: row[1:] for row in asked.connection.execute(named("code")["runs"]).fetchall()}
    rows: list[list[Any]] = []
    for one in _snapshots(repository):
        first, count = runs.get(one.commit, (None, 0))
        made = datetime.fromtimestamp(one.kept_at, UTC).replace(tzinfo=None, microsecond=0)
        rows.append([one.commit, one.tree, first or made, count])
    rows.sort(key=lambda row: (row[2], row[0]), reverse=True)
    limit = limit if limit is not None or format_ == "json" else TABLE_LIMIT
    section = Section("", ["commit", "tree", "first_run_at", "runs"], rows[:limit])
    if format_ == "json":
        print_json(section.objects())
    elif rows:
        print_table(section)
    else:
        click.echo(f"relineage: {repository.root} has no snapshots", err=True)
    if limit is not None and len(rows) > limit:
        click.echo(f"relineage: these are the first {limit}, there are more: --limit N lists more", err=True)
    return 0


@command.command("gc")
@yes_option
@databases_option
def collect(yes: bool, databases: tuple[Path, ...]) -> int:
    """Remove the snapshots that no run in a database has, after saying which and asking.

    Kept is whatever is named anywhere in an event that was taken in, or in a message that could not be read as one, and
    all that was made within the last 24 hours: its event may be on its way. So take in all events first, and where
    several databases know of runs in this repository, name them all; those of linked work trees, which share the
    snapshots, are asked unnamed, with the events beside them. Only refs are removed: git itself removes their files
    later, when nothing else has them. Nothing is removed where a database cannot be read.
    """
    repository = _repository()
    before = time.time() - YOUNG_HOURS * 3600
    needed: set[str] = set()
    for connection in each_database(databases):
        needed.update(_needed(connection))
    kept = needed.union(*map(_needed, _of_other_work_trees(repository)))
    unneeded = [one for one in _snapshots(repository) if one.commit not in kept and one.kept_at < before]
    if not unneeded:
        click.echo("relineage: nothing to remove: all are needed, or younger than a day", err=True)
        return 0
    if not needed:
        raise QuestionError(
            "the database knows of no snapshot at all: is it the right one? nothing is removed"
        )
    for one in unneeded:
        click.echo(f"{one.commit}  {REFS}/{one.tree}")
    if not yes and not click.confirm(f"Remove {_counted(len(unneeded))} from {repository.root}?", err=True):
        click.echo("relineage: nothing is removed", err=True)
        return 0
    # Who has made one again meanwhile is about to tell of it.
    gone = [one for one in unneeded if kept_at(repository.common_folder, one.tree, one.commit) < before]
    lines = "".join(f"delete {REFS}/{one.tree} {one.commit}\n" for one in gone)
    _ask(repository, "update-ref", "--stdin", given=lines.encode())
    click.echo(f"relineage: {_counted(len(gone))} removed", err=True)
    return 0


def _of_other_work_trees(repository: Repository) -> Iterator[engine.DuckDBPyConnection]:
    """What linked work trees know, which have the same snapshots: their databases, and events that may not be in them.

    Raises:
        ConsumerError: Something of it cannot be read.
    """
    listed = _ask(repository, "worktree", "list", "--porcelain").splitlines()
    roots = [line.removeprefix("worktree ") for line in listed if line.startswith("worktree ")]
    homes = {home for root in roots if (home := find_home(Path(root))) is not None}
    for home in homes - {find_home(Path.cwd())}:
        if (home / DATABASE).exists():
            with question(home / DATABASE) as asked:
                yield asked.connection
        if (home / EVENTS).is_dir():
            with Store.open() as store:  # what is taken in there is left to those who work there
                take_in(store, [home / EVENTS])
                yield store.connection


def _needed(connection: engine.DuckDBPyConnection) -> set[str]:
    return {row[0] for row in connection.execute(named("code")["needed"]).fetchall()}


def _repository() -> Repository:
    folder = Path.cwd()
    repositories = Repositories()
    repository = repositories.at(folder)
    if repository is None:
        raise SourceError(repositories.refusal(folder) or f"{folder} is in no git repository")
    return repository


def _snapshots(repository: Repository) -> list[_Snapshot]:
    printed = _ask(repository, "for-each-ref", "--format=%(objectname) %(refname)", REFS)
    found = []
    for line in printed.splitlines():
        commit, _, ref = line.partition(" ")
        tree = ref.removeprefix(f"{REFS}/")
        if _TREE.fullmatch(tree):  # whatever else somebody keeps there
            found.append(_Snapshot(tree, commit, kept_at(repository.common_folder, tree, commit)))
    return found


def _ask(repository: Repository, *arguments: str, given: bytes = b"") -> str:
    try:
        return Git(repository.root, _GIT_SECONDS).ask(*arguments, given=given)
    except GitError as error:
        raise SourceError(f"{repository.root}: {error}") from None


def _counted(snapshots: int) -> str:
    return f"{snapshots} snapshot{'s'[: snapshots != 1]}"
