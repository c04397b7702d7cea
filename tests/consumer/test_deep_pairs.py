"""Deep lineages: from so many levels on, the runs to compare are guessed in Python."""

from dataclasses import astuple
from typing import Any

import pytest
from executions import two_executions
from hypothesis import given
from soak import examples
from streams import dataset, encode, event, occurrence, run_id

from relineage.consumer.ask import Ask
from relineage.consumer.deep_pairs import guess_deep_pairs
from relineage.consumer.named import named

DEEP = 2_100  # more than store.deepest_guess()


def guessed(cursor: Any) -> list[tuple[Any, ...]]:
    return sorted(cursor.execute("select run_a, run_b, depth from guess").fetchall())


def take_steps_to_the_guess(cursor: Any, a: str, b: str) -> None:
    for name, statement in named("why_steps").items():
        cursor.execute(statement, {"a": a, "b": b} if "$a" in statement else None).fetchall()
        if name == "guess":
            return


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_the_guess_in_python_is_that_of_sql(new_store: Any) -> None:
    store = new_store()

    @examples(25, 400)
    @given(two_executions())
    def law(lineage: tuple[list[bytes], int]) -> None:
        messages, steps = lineage
        store.clear()
        store.ingest(messages)
        with store.connection.cursor() as cursor:
            take_steps_to_the_guess(cursor, run_id(10 + steps - 1), run_id(20 + steps - 1))
            expected = guessed(cursor)
            guess_deep_pairs(cursor)
            assert guessed(cursor) == expected

    law()


def loop(execution: int, changed: int, side: int) -> list[bytes]:
    """A training loop: each step reads the state that the one before has left, and a batch, of which one is another."""
    messages = []
    for n in range(DEEP):
        differs = side if n > changed else 0
        state, after, batch = (
            dataset(("d", "state"), f"{n}/{differs}", io=occurrence("state", n)),
            dataset(("d", "state"), f"{n + 1}/{side if n >= changed else 0}", io=occurrence("state", n + 1)),
            dataset(("d", f"batch {n}"), f"{side if n == changed else 0}", io=occurrence("batch", n)),
        )
        read = (state, batch) if n else (batch,)
        messages.append(
            encode(event(execution * 10_000 + n, n + 1, job=("n", "step"), inputs=read, outputs=(after,)))
        )
    return messages


@pytest.mark.parametrize(("changed", "sides"), [(0, (1, 2)), (60, (1, 2)), (60, (1, 2, 2))])
def test_of_a_loop_of_many_steps_the_batch_that_was_another_is_named(
    changed: int, sides: tuple[int, ...], new_store: Any
) -> None:
    store = new_store()
    for execution, side in enumerate(sides, 1):
        store.ingest(loop(execution, changed, side))
    a, b = (run_id(side * 10_000 + DEEP - 1) for side in (1, 2))
    causes = Ask(store.connection).why(a, b)
    [cause] = causes
    assert (cause.what, cause.role, cause.a, cause.b) == ("input", "batch", "1", "2")
    assert cause.run_a == run_id(10_000 + changed)
    assert cause.path is not None
    assert cause.path.endswith(f" ← … {DEEP - changed - 8} more … ← step ← state ← step ← batch {changed}")
    assert [astuple(cause)] == store.sql("from why($a, $b)", {"a": a, "b": b})
