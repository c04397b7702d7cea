"""Random lineages of two executions of the same steps, for laws of `why`."""

from typing import Any

from hypothesis import strategies as st
from streams import dataset, encode, event, occurrence

SIDES = (1, 2)


@st.composite
def two_executions(draw: st.DrawFn) -> list[bytes]:
    """Steps that read what earlier ones and nobody wrote, twice: some contents, names and inputs are others then."""
    steps = draw(st.integers(1, 6))
    roles, inputs = st.sampled_from(["", "x", "y"]), st.integers(-2, steps - 2)
    wiring = [
        draw(st.lists(st.tuples(inputs, roles), max_size=3, unique_by=lambda i: i[0])) for _ in range(steps)
    ]
    messages = []
    for side in SIDES:
        if side == 2 and draw(st.booleans()):
            wiring[draw(st.integers(0, steps - 1))] = draw(
                st.lists(st.tuples(inputs, roles), max_size=3, unique_by=lambda i: i[0])
            )
        other = {n: draw(st.sampled_from([0, 0, side])) for n in range(-2, steps)} | {steps - 1: side}
        renamed = {n: draw(st.sampled_from(["", "", f"/{side}"])) for n in range(-2, steps)}
        written = {n: draw(st.sampled_from([None, 0, side])) for n in range(-2, steps)}
        digests = draw(st.booleans()), draw(st.booleans())
        undeclared = draw(st.sets(st.integers(-2, steps - 1), max_size=2))

        def entry(number: int, role: str, second: int) -> Any:
            content = f"b3-table1:{number + 2:02}{other[number]:02}" + "0" * 60  # noqa: B023
            # A table may be written into other bytes; it is the same all the same.
            copy = f"b3-bytes1:{number + 2:02}{written[number] or 0:02}{other[number]:02}" + "0" * 58  # noqa: B023
            known = [content] if written[number] is None else [content, copy]  # noqa: B023
            declared = content if number % 3 or digests[0] else f"v{other[number]}"  # noqa: B023
            return dataset(("d", f"t{number}{renamed[number]}"), declared,  # noqa: B023
                           digests=known if digests[1] or number % 2 else None,  # noqa: B023
                           io=occurrence(role, second))  # fmt: skip

        for number, reads in enumerate(wiring):
            second = side * 100 + number * 2
            read = tuple(
                dataset(("d", f"t{n}{renamed[n]}"), io=occurrence(role, second))
                if n in undeclared
                else entry(n, role, second)
                for n, role in reads
                if n < number
            )
            messages.append(
                event(
                    side * 10 + number,
                    second + 1,
                    job=("n", f"s{number}"),
                    inputs=read,
                    outputs=(entry(number, "out", second + 1),),
                )
            )
    return [encode(message) for message in messages]
