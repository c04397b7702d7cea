"""How trees are drawn: short ones as trees, long histories straight down, everything once."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from soak import examples

from relineage.consumer.cli.guides import STRAIGHT_LEVELS, Again, Line, print_lines, tree_lines


@dataclass(frozen=True, eq=False)
class Read:
    """A line of the tree: what is read, by what its writer is called."""

    writer: str


Graph = dict[str, list[Read]]
"""Of each writer what it has read."""


def graph(edges: dict[str, str]) -> Graph:
    """`{"a": "b c"}`: a has read what b wrote, and what c wrote."""
    return {reader: [Read(writer) for writer in read.split()] for reader, read in edges.items()}


def drawn(reads: Graph, top: str) -> list[Line[Read]]:
    return list(tree_lines(Read(top), lambda read: read.writer, lambda read: reads.get(read.writer, [])))


def texts(reads: Graph, top: str) -> list[str]:
    return [
        f"{line.guide}{line.thing.writer}{f' {line.again.value}' if line.again else ''}"
        for line in drawn(reads, top)
    ]


def chain(length: int) -> dict[str, str]:
    return {f"s{number}": f"s{number - 1}" for number in range(1, length)}


def test_a_tree_of_twelve_lines_in_a_row_is_indented_and_of_thirteen_straight() -> None:
    indented = texts(graph(chain(STRAIGHT_LEVELS)), f"s{STRAIGHT_LEVELS - 1}")
    straight = texts(graph(chain(STRAIGHT_LEVELS + 1)), f"s{STRAIGHT_LEVELS}")

    assert indented[:3] == ["s11", "└── s10", "    └── s9"]
    assert indented[-1] == " " * 40 + "└── s0"
    assert straight == ["s12", *(f"↓   s{number}" for number in range(11, 0, -1)), "└── s0"]


@pytest.mark.parametrize("inputs", ["batch{0} state{0}", "state{0} batch{0}"])
def test_a_training_loop_has_its_batches_beside_it_and_what_they_come_from_at_the_first(inputs: str) -> None:
    edges = {f"state{step}": inputs.format(step - 1) for step in range(1, 15)}
    edges |= {f"batch{step}": "split" for step in range(14)} | {"split": "raw"}

    assert texts(graph(edges), "state14")[:7] == [
        "state14",
        "├── batch13",
        "│   └── split",
        "│       └── raw",
        "↓   state13",
        "├── batch12",
        "│   └── split above",
    ]


def test_a_history_within_a_tree_has_guides_beside_it() -> None:
    edges = {"model": "a13 b13 c"}
    edges |= {f"{side}{number}": f"{side}{number - 1}" for side in "ab" for number in range(1, 14)}

    lines = texts(graph(edges), "model")

    assert lines[:4] == ["model", "├── a13", "│   ↓   a12", "│   ↓   a11"]
    assert lines[13:18] == ["│   ↓   a1", "│   └── a0", "├── c", "↓   b13", "↓   b12"]


@pytest.mark.parametrize("inputs", ["s{0} s{1}", "s{1} s{0}"])
def test_what_is_unfolded_further_down_a_history_is_to_be_seen_below(inputs: str) -> None:
    """Each step reads the two before it."""
    edges = {f"s{number}": inputs.format(number - 1, number - 2) for number in range(2, 2000)}

    lines = drawn(graph(edges), "s1999")

    assert Again.BELOW in {line.again for line in lines}
    assert max(len(line.guide) for line in lines) <= 4 * 4
    check(lines)


def test_a_cycle_in_a_history_is_told() -> None:
    edges = chain(3000) | {"s0": "s1500", "s1": "s0 s2999"}

    lines = drawn(graph(edges), "s2999")

    assert {line.thing.writer for line in lines if line.again is Again.CYCLE} == {"s1500", "s2999"}
    check(lines)


def check(lines: Sequence[Line[Read]]) -> None:
    """What is said to be above is, what is said to be below is; no line is far to the right."""
    at = {line.thing.writer: number for number, line in enumerate(lines) if line.again is None}
    for number, line in enumerate(lines):
        if line.again is Again.BELOW:
            assert at[line.thing.writer] > number
        elif line.again is not None:
            assert at[line.thing.writer] < number
    steps = (math.log2(len(lines)) + 1) * STRAIGHT_LEVELS
    assert max(len(line.guide) for line in lines) <= 4 * steps


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Runs that read what earlier runs wrote, mostly the last ones; now and then also what a later one did."""
    size = draw(st.integers(1, 60))
    far = draw(st.sampled_from([1, 2, 5, 60]))
    chance = random.Random(draw(st.integers(0, 2**32)))
    cycles = draw(st.booleans())
    reads: Graph = {}
    for number in range(1, size):
        earlier = [str(number - min(number, chance.randint(1, far))) for _ in range(chance.randint(0, 3))]
        later = [str(chance.randrange(size))] if cycles and chance.random() < 0.1 else []
        reads[str(number)] = [
            Read(one) for one in dict.fromkeys([str(number - 1)] * (far < 60) + earlier + later)
        ]
    return reads


@examples(100, 2000)
@given(graphs())
def test_every_read_of_a_run_that_is_reached_is_one_line(reads: Graph) -> None:
    top = str(len(reads))

    lines = drawn(reads, top)

    reached, pending = {top}, [top]
    while pending:
        for read in reads.get(pending.pop(), []):
            if read.writer not in reached:
                reached.add(read.writer)
                pending.append(read.writer)
    told = [id(line.thing) for line in lines[1:]]
    assert sorted(told) == sorted(id(read) for writer in reached for read in reads.get(writer, []))
    for line in lines:  # what comes again is what has something below it
        assert line.again is None or reads.get(line.thing.writer)
    check(lines)


def written(
    width: int,
    lines: list[tuple[str, str, list[tuple[str, str]]]],
    colours: bool = False,
) -> str:
    file = StringIO()
    print_lines(Console(file=file, width=width, force_terminal=colours), lines)
    return file.getvalue()


def test_a_line_longer_than_the_terminal_is_broken_behind_its_guides() -> None:
    words = " ".join(["abcd"] * 30)

    out = written(90, [("├── ", "│   ", [(words, "bold")]), ("└── ", "    ", [("x", "")])])

    assert out.splitlines() == [f"├── {words[:84]} ", f"│   {words[85:]}", "└── x"]


def test_a_line_far_to_the_right_is_broken_by_the_terminal() -> None:
    assert written(80, [(" " * 60, "", [("x" * 80, "")])]) == " " * 60 + "x" * 80 + "\n"


@pytest.mark.parametrize("width", [80, 300])
def test_colours_are_those_of_rich(width: int) -> None:
    parts = [("a" * 50, "bold"), ("b" * 50, "cyan"), ("c", "")]

    out = written(width, [("└── ", "    ", parts)], colours=True)

    assert "\x1b[2m└── \x1b[0m" in out
    assert "\x1b[1m" + "a" * 50 + "\x1b[0m" in out
    assert "\x1b[36m" in out
