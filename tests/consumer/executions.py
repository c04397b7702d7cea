"""Random lineages of executions of the same steps, for laws of `why`."""

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from streams import dataset, encode, event, occurrence

SIDES = (1, 2)


@dataclass
class Execution:
    """What one execution reads and writes."""

    wiring: list[list[tuple[int, str]]]
    other: dict[int, int]
    renamed: dict[int, str]
    written: dict[int, int | None]
    digests: tuple[bool, bool]
    undeclared: set[int]
    read_again: set[int]
    older: set[int]
    forwarded: set[int]

    def entry(
        self, number: int, role: str, second: int, origin: str = "declared", *, older: bool = False
    ) -> Any:
        """A table at one time; or what it had been before, which nobody has written."""
        other = self.other[number] + 7 * older
        content = f"b3-table1:{number + 2:02}{other:02}" + "0" * 60
        # A table may be written into other bytes; it is the same all the same.
        copy = f"b3-bytes1:{number + 2:02}{self.written[number] or 0:02}{other:02}" + "0" * 58
        known = [content] if self.written[number] is None else [content, copy]
        return dataset(
            ("d", f"t{number}{self.renamed[number]}"),
            content if number % 3 or self.digests[0] else f"v{other}",
            digests=known if self.digests[1] or number % 2 else None,
            io=occurrence(role, second, origin),
        )

    def messages(self, side: int, begin: int) -> list[Any]:
        """Its events, a run each; the outer run that forwards what some have written comes last, if there is one."""
        found = []
        for number, reads in enumerate(self.wiring):
            second = begin + number * 2
            read = [
                dataset(("d", f"t{n}{self.renamed[n]}"), io=occurrence(role, second))
                if n in self.undeclared
                else self.entry(n, role, second)
                for n, role in reads
                if n < number
            ]
            if number in self.older:
                read += [self.entry(n, role, second - 1, older=True) for n, role in reads if n < number]
            if number in self.read_again:
                read.append(self.entry(number, "again", second + 1 + number % 2))
            wrote = (self.entry(number, "out", second + 1),)
            found.append(
                event(
                    side * 10 + number, second + 1, job=("n", f"s{number}"), inputs=tuple(read), outputs=wrote
                )
            )
        if self.forwarded:
            wrote = tuple(self.entry(n, f"out {n}", begin + 20, "forwarded") for n in sorted(self.forwarded))
            found.append(event(side * 10 + 9, begin + 20, job=("n", "outer"), outputs=wrote))
        return found


@st.composite
def two_executions(draw: st.DrawFn) -> tuple[list[bytes], int]:
    """Steps that read what earlier ones and nobody wrote, twice: some contents, names and inputs are others then.

    One or the other may have been repeated before, after or at the same time. With how many steps there are: their
    runs are 10, 11, … on the first and 20, 21, … on the second side.
    """
    steps = draw(st.integers(1, 6))
    roles, inputs = st.sampled_from(["", "x", "y"]), st.integers(-2, steps - 2)
    some = st.sets(st.integers(0, steps - 1), max_size=2)
    wiring = [
        draw(st.lists(st.tuples(inputs, roles), max_size=3, unique_by=lambda i: i[0])) for _ in range(steps)
    ]
    executions = {}
    for side in SIDES:
        if side == 2 and draw(st.booleans()):
            wiring = [*wiring]
            wiring[draw(st.integers(0, steps - 1))] = draw(
                st.lists(st.tuples(inputs, roles), max_size=3, unique_by=lambda i: i[0])
            )
        executions[side] = Execution(
            wiring=wiring,
            other={n: draw(st.sampled_from([0, 0, side])) for n in range(-2, steps)} | {steps - 1: side},
            renamed={n: draw(st.sampled_from(["", "", f"/{side}"])) for n in range(-2, steps)},
            written={n: draw(st.sampled_from([None, 0, side])) for n in range(-2, steps)},
            digests=(draw(st.booleans()), draw(st.booleans())),
            undeclared=draw(st.sets(st.integers(-2, steps - 1), max_size=2)),
            read_again=draw(some),
            older=draw(some),
            forwarded=draw(some),
        )
    repeats = draw(st.lists(st.sampled_from(SIDES), max_size=2))
    messages = []
    for number, side in enumerate([*SIDES, *repeats], 1):
        begin = draw(st.sampled_from([100 * number, 100, 200, 300]))
        messages += executions[side].messages(number, begin)
    return [encode(message) for message in messages], steps
