"""How causes are shown: ranked, each a small tree of what is known of it.

Decides the words, and how many are shown. What is a cause is
decided in macros/why.sql, what has changed in the code in `code_changes.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click
from rich.padding import Padding
from rich.text import Text
from rich.tree import Tree

from ..ask import Cause
from ..chance import Chance
from ..display import printable
from .code_changes import Change
from .output import short, terminal

MOST_CAUSES = 30
MOST_CHARACTERS = 160  # of a value; --json has all


def print_causes(
    causes: Sequence[Cause],
    changes: Mapping[tuple[str | None, str | None], Change] | None = None,
    chances: Mapping[str, Chance] | None = None,
) -> None:
    """Print causes, the likeliest on top, and below them what else differs.

    Args:
        causes: The rows of `why`.
        changes: What has changed in the code, by the two runs.
        chances: What is known of chance, by run.
    """
    console = terminal()
    # An input of which columns, rows or tensors are named needs no line of its own.
    inside = {
        (one.run_a, one.run_b, one.role) for one in causes if one.what.startswith(("column", "row", "tensor"))
    }
    told = [
        one
        for one in causes
        if one.grade != "also" or one.what != "input" or (one.run_a, one.run_b, one.role) not in inside
    ]
    # All runs of a process have its command line: it is told of the first.
    lines = {(one.what, one.a, one.b): one for one in reversed(told) if one.what == "command line"}
    told = [one for one in told if one.grade != "also" or lines.get((one.what, one.a, one.b), one) is one]
    for place, cause in enumerate(told[:MOST_CAUSES]):
        if cause.grade == "also" and (place == 0 or told[place - 1].grade != "also"):
            console.print(Text("    besides, with no need to explain it:", style="dim"))
        heading = _heading(cause)
        if cause.runs > 1:
            heading.append(f" ({cause.runs} runs)", style="dim")
        if cause.grade == "also":
            console.print(Padding(Text.assemble(heading, "  ", _values(cause)), (0, 0, 0, 6), expand=False))
            continue
        console.print(Text.assemble(f"{cause.rank:>2}  ", heading))
        console.print(Padding(_values(cause), (0, 0, 0, 6), expand=False))
        if cause.path:
            console.print(Padding(Text(printable(cause.path), style="dim"), (0, 0, 0, 6), expand=False))
        for branch in _details(cause, changes or {}, chances or {}):
            console.print(Padding(branch, (0, 0, 0, 6), expand=False))
    if len(told) > MOST_CAUSES:
        click.echo(f"relineage: … and {len(told) - MOST_CAUSES} more; --json has all", err=True)


def _heading(cause: Cause) -> Text:
    """What differs, and where: `seed in split`, `column age of output in load`, `input labels in train, only in A`."""
    what, role, side = cause.what, cause.role, ""
    if what.startswith("input only in "):
        what, side = "input", what[-1].upper()
    text = Text()
    if what == "input" and cause.job_name is not None:
        text.append("input", style="bold")
        if role and role != "input":
            text.append(f" {printable(role.removeprefix('input '))}", style="italic")
    else:  # an input of no job is A or B itself, which nobody is known to have written
        text.append(printable("content" if what == "input" else what), style="bold")
        if role:
            text.append(f" of {printable(role)}", style="italic")
    if cause.job_name:
        text.append(f" in {printable(cause.job_name)}")
    if side:
        text.append(f", only in {side}")
    return text


def _values(cause: Cause) -> Text:
    if cause.what == "non-determinism" and cause.a == cause.run_a:
        return Text("nothing that is recorded differs", style="yellow")
    if cause.what in ("unknown", "setting"):  # said, rather than differing
        return Text(_value(cause.a), style="yellow")
    a, b = _excerpts(cause.a, cause.b)
    return Text.assemble((_value(a), "red"), (" → ", "dim"), (_value(b), "green"))


def _excerpts(a: str | None, b: str | None) -> tuple[str | None, str | None]:
    """Of long texts, such as a parameter of a thousand numbers, what lies around the first place where they differ."""
    if max(len(a or ""), len(b or "")) <= MOST_CHARACTERS:
        return a, b
    pairs = zip(a or "", b or "", strict=False)
    place = next((place for place, (one, other) in enumerate(pairs) if one != other), 0)
    begin = max(0, place - MOST_CHARACTERS // 4)
    return _excerpt(a, begin), _excerpt(b, begin)


def _excerpt(text: str | None, begin: int) -> str | None:
    if text is None:
        return None
    end = begin + MOST_CHARACTERS
    return ("… " if begin else "") + text[begin:end] + (" …" if len(text) > end else "")


def _value(value: str | None) -> str:
    return "(nothing)" if value is None else short(value)


def _details(
    cause: Cause, changes: Mapping[tuple[str | None, str | None], Change], chances: Mapping[str, Chance]
) -> list[Tree]:
    if cause.what in ("code", "commit"):
        change = changes.get((cause.run_a, cause.run_b))
        return [] if change is None else [_code(change)]
    if cause.what == "non-determinism":
        return _chance(
            [chances[run] for run in (cause.run_a, cause.run_b) if run is not None and run in chances]
        )
    return []


def _code(change: Change) -> Tree:
    """The files that differ, with the first lines that do."""
    if change.unknown is not None:
        return Tree(Text(printable(change.unknown), style="dim"))
    states = " ".join(state[:12] for state in (change.a, change.b) if state is not None)
    tree = Tree(Text(f"git diff {states}", style="dim"), guide_style="dim")
    lines = {one.file: one for one in change.lines}
    for file in change.files[: max(len(lines), 5)]:
        one = lines.get(file)
        branch = tree.add(Text(printable(f"{file}:{one.line}" if one else file), style="bold"))
        for line in one.lines if one else ():
            branch.add(Text(printable(line), style={"-": "red", "+": "green"}.get(line[:1], "dim")))
    if len(change.files) > max(len(lines), 5):
        tree.add(Text(f"… and {len(change.files) - max(len(lines), 5)} more files", style="dim"))
    if not change.files:
        tree.add(Text("no file differs", style="dim"))
        for file in change.not_kept:
            tree.add(Text(printable(f"{file} was in use, and is in neither"), style="bold"))
    return tree


def _chance(chances: Sequence[Chance]) -> list[Tree]:
    """Determinism switches that were off, sources of chance that no seed covers, and what may have differed unseen."""
    off = sorted({switch for chance in chances for switch in chance.open_switches})
    uncovered = list(dict.fromkeys(source for chance in chances for source in chance.uncovered))
    result = []
    unseen = list(dict.fromkeys(one for chance in chances for one in chance.unseen))
    told = {
        "in no digest, and may differ": unseen,
        "determinism switches that were off": off,
        "not covered by a seed": uncovered,
    }
    for heading, members in told.items():
        if members:
            tree = Tree(Text(heading, style="dim"), guide_style="dim")
            for member in members:
                tree.add(Text(printable(member)))
            result.append(tree)
    return result
