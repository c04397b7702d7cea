"""The steps of `why`: in ordinary lineages the pairs are guessed rightly, however often somebody has made the same."""

from typing import Any

import pytest
from streams import dataset, encode, event, occurrence, run_id

from relineage.consumer.why_steps import take_steps

STEPS = 5


def chain(
    execution: int, raw: int, *, second: int, again: bool = False, role: str | None = None
) -> list[bytes]:
    """A chain of steps; each may read its own output `again`, or its two inputs in one `role`."""
    messages = []
    for n in range(STEPS):
        at = second + 2 * n
        read = [
            dataset(("d", f"t{n}"), f"{n} {raw}", io=occurrence(role or "table", at)),
            dataset(("d", "codes"), "1", io=occurrence(role or "codes", at)),
        ]
        after = dataset(("d", f"t{n + 1}"), f"{n + 1} {raw}", io=occurrence("after", at + 1))
        if again:
            read.append(dataset(("d", f"t{n + 1}"), f"{n + 1} {raw}", io=occurrence("check", at + 2)))
        messages.append(
            encode(
                event(execution * 10 + n, at + 1, job=("n", f"s{n}"), inputs=tuple(read), outputs=(after,))
            )
        )
    return messages


# The raw data of each execution, in the order of time; two of them are compared.
@pytest.mark.parametrize("raws", [(1, 2), (1, 1, 2), (2, 2, 2, 1, 3, 3)])
@pytest.mark.parametrize("form", [{}, {"again": True}, {"role": "of several"}])
def test_repeated_executions_are_told_apart_without_a_walk(
    raws: tuple[int, ...], form: dict[str, Any], new_store: Any
) -> None:
    store = new_store()
    for execution, raw in enumerate(raws, 1):
        store.ingest(chain(execution, raw, second=execution * 100, **form))
    last = len(raws)
    first = next(n for n, raw in enumerate(raws, 1) if raw != raws[-1])
    with store.connection.cursor() as cursor:
        a, b = run_id(first * 10 + STEPS - 1), run_id(last * 10 + STEPS - 1)
        [cause] = take_steps(cursor, a, b).fetchall()
        misguessed = cursor.execute("select * from misguess").fetchall()
        pairs = cursor.execute("select run_a::varchar, run_b::varchar from pair").fetchall()
    assert misguessed == []
    assert sorted(pairs) == [(run_id(first * 10 + n), run_id(last * 10 + n)) for n in range(STEPS)]
    assert cause[6].endswith("t0")
