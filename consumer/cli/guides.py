"""Anything that branches, drawn as a tree: which lines there are, and the guides before them.

Decides where a thing that is reached by several ways is unfolded, and that a long history is drawn straight: where more
than `STRAIGHT_LEVELS` lines would each stand to the right of the one before, the one with most below it comes last, and
what is below it follows at the same indentation. So each step to the right at least halves what is left, but for short
stretches, and lines stay short however deep the tree is. What a line says is decided by the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum
from typing import Generic, NamedTuple, TypeVar

from rich.console import Console
from rich.text import Text

Thing = TypeVar("Thing")
# What a line says: texts, each with a style.
Parts = list[tuple[str, str]]

STRAIGHT_LEVELS = 12
LABEL_COLUMNS = 80  # a line has at least as many after its guides: the terminal breaks it, where it has fewer
_BATCH_LINES = 500


class Again(Enum):
    """Why a line has nothing below it though there is something."""

    ABOVE = "above"
    BELOW = "below"
    CYCLE = "cycle"


class Line(NamedTuple, Generic[Thing]):
    """A line: its guides, those before what does not fit into it, and what it is about."""

    guide: str
    rest: str
    thing: Thing
    again: Again | None
    straight: bool


class _Unfolded(Generic[Thing]):
    """A tree, its lines numbered in the order in which they were unfolded.

    Args:
        top: The first line.
        name: Under which name a thing is unfolded only once; None: whenever it comes.
        below: What stands below it.
        history: Things that are unfolded last of what stands below one line, and nowhere else.
    """

    def __init__(
        self,
        top: Thing,
        name: Callable[[Thing], str | None],
        below: Callable[[Thing], Sequence[Thing]],
        history: Sequence[Thing] = (),
    ) -> None:
        self.things: list[Thing] = []
        self.children: list[list[int]] = []
        self.where: dict[str, int] = {}  # name → the line below which it is unfolded
        self.cycles: set[int] = set()
        parents: list[int] = []
        branch: set[str] = set()
        last = set(map(id, history))
        places = {name(thing): id(thing) for thing in history}
        # By hand: a tree may be deeper than Python's stack. A name closes its branch.
        pending: list[tuple[Thing, int] | str] = [(top, -1)]
        while pending:
            one = pending.pop()
            if isinstance(one, str):
                branch.remove(one)
                continue
            thing, parent = one
            line = len(self.things)
            self.things.append(thing)
            self.children.append([])
            parents.append(parent)
            if parent >= 0:
                self.children[parent].append(line)
            inner = below(thing)
            named = name(thing) if inner else None
            if named in self.where:
                if named in branch:
                    self.cycles.add(line)
                continue
            if named is not None:
                if places.get(named, id(thing)) != id(thing):
                    continue
                self.where[named] = line
                branch.add(named)
                pending.append(named)
            ordered = sorted(inner, key=lambda one: id(one) in last) if last else inner
            pending += [(one, line) for one in reversed(ordered)]
        self._straighten(parents)

    def _straighten(self, parents: list[int]) -> None:
        """Of each line the one below it with which its stretch goes on, where that is long: `straight`, else -1.

        How many lines its stretch has from there: `levels`.
        """
        lines = len(self.things)
        sizes, heavy = [1] * lines, [-1] * lines
        self.levels = levels = [1] * lines
        for line in range(lines - 1, -1, -1):
            if self.children[line]:
                heavy[line] = max(reversed(self.children[line]), key=sizes.__getitem__)
                levels[line] += levels[heavy[line]]
            if line:
                sizes[parents[line]] += sizes[line]
        self.straight = [-1] * lines
        long = [False] * lines
        for line in range(lines):
            parent = parents[line]
            goes_on = line > 0 and heavy[parent] == line
            long[line] = long[parent] if goes_on else levels[line] > STRAIGHT_LEVELS
            if goes_on and long[line] and self.children[line]:
                self.straight[parent] = line


def tree_lines(
    top: Thing, name: Callable[[Thing], str | None], below: Callable[[Thing], Sequence[Thing]]
) -> Iterator[Line[Thing]]:
    """The lines from top to bottom; in time and size linear in their number, but for a logarithm.

    Args:
        top: The first line.
        name: Under which name a thing is unfolded only once; None: whenever it comes.
        below: What stands below it, always the same objects.
    """
    tree = _Unfolded(top, name, below)
    history = [
        tree.things[line] for line in tree.straight if line >= 0 and tree.levels[line] > STRAIGHT_LEVELS
    ]
    if history and not tree.cycles:
        # What is drawn last is unfolded last, too: what all steps of a history have read is then unfolded at the first.
        tree = _Unfolded(top, name, below, history)
    drawn: set[int] = set()
    pending = [(0, "", "", "", False)]
    while pending:
        line, guide, rest, inner, straight = pending.pop()
        thing = tree.things[line]
        again = None
        if not tree.children[line] and below(thing):
            again = Again.ABOVE if tree.where[name(thing) or ""] in drawn else Again.BELOW
            again = Again.CYCLE if line in tree.cycles else again
        drawn.add(line)
        yield Line(guide, rest, thing, again, straight)
        onward = tree.straight[line]
        others = [child for child in tree.children[line] if child != onward]
        if onward >= 0:
            pending.append((onward, f"{inner}↓   ", f"{inner}│   ", inner, True))
        for child in reversed(others):
            ends = onward < 0 and child == others[-1]
            deeper = f"{inner}    " if ends else f"{inner}│   "
            pending.append((child, f"{inner}└── " if ends else f"{inner}├── ", deeper, deeper, False))


def print_lines(console: Console, lines: Iterable[tuple[str, str, Parts]]) -> None:
    """Write lines (guide, guide of what does not fit, what it says) as they come; `| head` ends it.

    Each line is put together here: rich takes 0.3 ms to do so.
    """
    escapes: dict[str, tuple[str, str]] = {}

    def styled(text: str, style: str) -> str:
        if style not in escapes:
            with console.capture() as capture:
                console.print(Text("x", style=style), end="")
            before, _, after = capture.get().partition("x")
            escapes[style] = before, after
        before, after = escapes[style]
        return f"{before}{text}{after}" if text else ""

    def write() -> None:
        console.file.write("".join(f"{line}\n" for line in batch))
        console.file.flush()
        batch.clear()

    batch: list[str] = []
    width = console.width
    for guide, rest, parts in lines:
        columns = max(width - len(guide), LABEL_COLUMNS)
        # No character is wider than two columns.
        if 2 * sum(len(text) for text, _ in parts) <= columns:
            batch.append("".join(styled(text, style) for text, style in [(guide, "dim"), *parts]))
        else:
            for number, piece in enumerate(Text.assemble(*parts).wrap(console, columns)):
                with console.capture() as capture:
                    console.print(
                        Text.assemble((rest if number else guide, "dim"), piece), soft_wrap=True, end=""
                    )
                batch.append(capture.get())
        if len(batch) >= _BATCH_LINES:
            write()
    write()
