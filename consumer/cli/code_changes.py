"""What has changed in the code between two runs: files and lines, as git tells them.

Decides which two states of the code are compared (the snapshots, else the commits of clean work trees), in which
repository (the one around a folder, else the one that the runs name, if it is there), that a commit of no code is no
cause: of prose, or of what runs have written, which is data; and that one of files that a step may have read is a
cause, though the digest of its code is the same. Leaves to the macro `why` where the code is named at all. Git is only
asked: no hooks, no external diff, no fetch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from .. import engine
from ..ask import Cause
from ..git import GitError, git, has_commit
from ..named import named

MOST_FILES = 5
_MOST_LINES = 6  # of one file
_COMMIT = re.compile(r"[0-9a-f]{40,64}")
_HUNK = re.compile(r"@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@")
# What no run executes or reads: a commit of nothing else explains no difference. Text files and pictures may be data.
_PROSE = frozenset({".md", ".rst", ".adoc", ".license"})
_PROSE_NAMES = frozenset(
    {"license", "licence", "readme", "changelog", "authors", "notice", ".gitignore", ".gitattributes"}
)


@dataclass(frozen=True, kw_only=True)
class Lines:
    """One change of a file: where it begins in B (in A where B has nothing there), and its lines with `-` and `+`."""

    file: str
    line: int
    lines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Change:
    """What differs between two states of the code, or why that cannot be told.

    Attributes:
        a: commit of A's.
        b: commit of B's.
        files: those that differ, those that hold code first, and among the first ones some that are no Python.
        lines: the first changes of the first of them.
        unknown: why there are none.
        not_kept: files that one of the two runs had loaded and that are in neither state.
        written: those of the files that runs are known to have written.
    """

    a: str | None = None
    b: str | None = None
    files: tuple[str, ...] = ()
    lines: tuple[Lines, ...] = ()
    unknown: str | None = None
    not_kept: tuple[str, ...] = ()
    written: frozenset[str] = frozenset()

    @property
    def holds_no_code(self) -> bool:
        """Whether only files differ that no run executes: prose, and what runs have written. A program that one of them
        has written may be run by the next.
        """
        executed = (file for file in self.files if file not in self.written or file.endswith(".py"))
        return self.unknown is None and not any(map(_holds_code, executed))

    @property
    def may_be_read(self) -> bool:
        """Whether files differ that are no Python, such as a configuration: the digest of a step's code says nothing of
        what the step reads.
        """
        return any(_is_read(file) for file in self.files if file not in self.written)


_Key = tuple[str | None, str | None]


def code_changes(
    causes: Sequence[Cause],
    connection: engine.DuckDBPyConnection,
    repositories: Sequence[Path],
    *,
    elsewhere: bool = False,
) -> dict[_Key, Change]:
    """Of each two runs of which `code` or `commit` is told, or that nothing differs, what has changed, by their ids.

    Args:
        causes: The rows of `why`.
        connection: Of the store.
        repositories: Those around these folders are asked first.
        elsewhere: The folders that the runs name are of another machine, and are left alone.
    """
    wanted = {
        (cause.run_a, cause.run_b)
        for cause in causes
        if cause.what in ("code", "commit") or _says_nothing_differs(cause)
    }
    run_ids = sorted({run_id for pair in wanted for run_id in pair if run_id is not None})
    if not run_ids:
        return {}
    rows = connection.execute(named("why")["code"], {"run_ids": run_ids}).fetchall()
    told = {
        run_id: (
            _state(commit, dirty, snapshot),
            root,
            frozenset((one["file"], one["digest"]) for one in not_kept or ()),
        )
        for run_id, commit, dirty, snapshot, root, not_kept in rows
    }
    nothing: tuple[str | None, str | None, frozenset[tuple[str, str | None]]] = (None, None, frozenset())
    known: dict[tuple[str | None, str | None], Change] = {}
    result = {}
    for one, two in sorted(wanted, key=str):
        (a, root, lost), (b, other_root, other_lost) = (
            told.get(one or "", nothing),
            told.get(two or "", nothing),
        )
        if (a, b) not in known:
            roots = [path for path in (root, other_root) if path]
            change = _change(a, b, [*repositories, *([] if elsewhere else map(Path, roots))])
            known[a, b] = replace(change, written=_written(change.files, roots, connection))
        result[one, two] = replace(known[a, b], not_kept=_unsure(lost, other_lost))
    return result


def with_commits_weighed(causes: Sequence[Cause], changes: Mapping[_Key, Change]) -> list[Cause]:
    """The causes, in which a commit that touches no code has made way for what is left: non-determinism, or code that
    was not kept. Where a step was said to be non-deterministic because nothing but the commit differs, and that touches
    what it may have read, the commit is the cause.

    Args:
        causes: The rows of `why`.
        changes: Of `code_changes`.
    """
    # The commit is told once of all runs of a job that have it: any of them may be the one that read what it touches.
    commits = {
        (cause.job_name, touched.a, touched.b): cause
        for cause in causes
        if cause.what == "commit" and (touched := changes[cause.run_a, cause.run_b]).may_be_read
    }
    read = set()
    result = []
    for cause in causes:  # those that count stand first
        change = changes.get((cause.run_a, cause.run_b))
        kind = None if change is None else (cause.job_name, change.a, change.b)
        if kind in commits and _says_nothing_differs(cause):
            if kind not in read:
                result.append(
                    replace(
                        commits[kind], grade="cause", path=cause.path, run_a=cause.run_a, run_b=cause.run_b
                    )
                )
            read.add(kind)
            continue
        if kind in read and cause.what == "commit":
            continue
        if cause.grade == "cause" and cause.what == "commit" and change is not None and change.holds_no_code:
            if change.not_kept:
                lost = f"code in use was not kept: {', '.join(change.not_kept)}"
                result.append(replace(cause, what="unknown", a=lost, b=None, grade="unknown"))
            else:
                result.append(replace(cause, what="non-determinism", a=cause.run_a, b=cause.run_b))
            cause = replace(cause, grade="also")
        result.append(cause)
    ordered = sorted(result, key=lambda cause: ("cause", "unknown", "also").index(cause.grade))
    return [replace(cause, rank=rank) for rank, cause in enumerate(ordered, start=1)]


def _says_nothing_differs(cause: Cause) -> bool:
    return cause.what == "non-determinism" and cause.a == cause.run_a


def _written(
    files: Sequence[str], roots: Sequence[str], connection: engine.DuckDBPyConnection
) -> frozenset[str]:
    """Of files in a work tree those that a run has written, itself or in a folder."""
    places = {
        file: {
            f"{root}/{part}" for root in roots for part in (file, *map(str, PurePosixPath(file).parents[:-1]))
        }
        for file in files
    }
    paths = sorted(set().union(*places.values()))
    rows = connection.execute(named("code")["written_files"], {"paths": paths}).fetchall() if paths else []
    written = {path for (path,) in rows}
    return frozenset(file for file in files if places[file] & written)


def _unsure(
    one: frozenset[tuple[str, str | None]], other: frozenset[tuple[str, str | None]]
) -> tuple[str, ...]:
    """Files of which nobody can say whether they were the same: those without a digest in one of the two runs."""
    known = {file for file, digest in one if digest} & {file for file, digest in other if digest}
    return tuple(sorted({file for file, _ in one | other} - known))


def _state(commit: str | None, dirty: bool | None, snapshot: str | None) -> str | None:
    """The commit that holds the code as it was; None if none does."""
    state = snapshot or (commit if dirty is False else None)
    return state if state is not None and _COMMIT.fullmatch(state) else None


def _change(a: str | None, b: str | None, folders: Sequence[Path]) -> Change:
    if a is None or b is None:
        side = "A" if a is None else "B"
        return Change(a=a, b=b, unknown=f"no snapshot or clean commit of {side}'s code is recorded")
    for folder in folders:
        if has_commit(folder, a) and has_commit(folder, b):
            break
    else:
        return Change(a=a, b=b, unknown=f"no repository here holds both {a[:12]} and {b[:12]}")
    if a == b:
        return Change(a=a, b=b)
    options = ("--no-ext-diff", "--no-textconv", "--no-color", "--no-renames")
    try:
        listed = git(folder, "diff", "--name-only", "-z", *options, a, b)
        files = _in_order(list(filter(None, listed.split("\0"))))
        shown = [f":(literal,top){file}" for file in files[:MOST_FILES]]
        text = git(folder, "diff", "--unified=0", *options, a, b, "--", *shown) if shown else ""
    except GitError:
        return Change(a=a, b=b, unknown=f"git in {folder} could not compare them")
    return Change(a=a, b=b, files=tuple(map(_readable, files)), lines=tuple(_parsed(_readable(text))))


def _in_order(files: Sequence[str]) -> list[str]:
    """Code first, and prose last; of what is neither, the first stand where they are seen."""
    ordered = sorted(files, key=lambda file: (not _holds_code(file), _is_read(file), file))
    read = list(filter(_is_read, ordered))[: MOST_FILES // 2]
    code = [file for file in ordered if file not in read]
    place = MOST_FILES - len(read)
    return [*code[:place], *read, *code[place:]] if len(code) > place else ordered


def _holds_code(file: str) -> bool:
    path = PurePosixPath(file.lower())
    return path.suffix not in _PROSE and path.name.removesuffix(".txt") not in _PROSE_NAMES


def _is_read(file: str) -> bool:
    return _holds_code(file) and PurePosixPath(file).suffix not in (".py", ".pyi", ".ipynb")


def _parsed(text: str) -> list[Lines]:
    """The first change of each file of a diff without context."""
    found: list[Lines] = []
    names = {"a": "", "b": ""}
    for part in re.split(r"^diff --git .*$", text, flags=re.MULTILINE)[1:]:
        for side, mark in (("a", "--- "), ("b", "+++ ")):
            match = re.search(rf"^{re.escape(mark)}(.*)$", part, re.MULTILINE)
            names[side] = match[1].split("\t")[0].strip() if match else "/dev/null"
        hunk = _HUNK.search(part)
        if hunk is None:  # binary, or only its mode
            continue
        body = re.split(r"^@@ ", part[hunk.end() :], flags=re.MULTILINE)[0].splitlines()[1:]
        lines = [line for line in body if line[:1] in ("-", "+")]
        cut = [*lines[:_MOST_LINES], *(["…"] if len(lines) > _MOST_LINES else [])]
        name = (names["b"] if names["b"] != "/dev/null" else names["a"])[2:]
        found.append(Lines(file=name, line=max(int(hunk[1]), 1), lines=tuple(cut)))
    return found


def _readable(text: str) -> str:
    """For people: bytes that are no UTF-8 are told as such."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
