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


READER = 50


# Writes of one version by other runs and the reader itself, as (second, who, origin); it is read at second 50.
@pytest.mark.parametrize(
    "writes",
    [
        [(10, "other", "declared"), (30, "other", "declared")],
        [(60, "other", "declared"), (80, "other", "declared")],
        [(30, "other", "declared"), (50, "other", "declared"), (60, "other", "declared")],
        [(10, "other", "declared"), (30, "other", "forwarded")],
        [(60, "other", "declared"), (30, "other", "forwarded")],
        [(10, "other", "forwarded"), (30, "other", "forwarded")],
        [(30, "other", "declared"), (30, "other", "declared"), (10, "other", "declared")],
        [(60, "other", "declared"), (60, "other", "declared")],
        [(10, "other", "declared"), (55, "reader", "declared")],
        [(60, "other", "declared"), (55, "reader", "declared")],
        [(10, "other", "forwarded"), (55, "reader", "declared")],
        [(55, "reader", "declared")],
    ],
)
def test_of_several_writes_the_one_that_was_seen_is_followed(
    writes: list[tuple[int, str, str]], new_store: Any
) -> None:
    def table(version: str, second: int, origin: str = "declared") -> Any:
        return dataset(("d", "t"), version, io=occurrence("table", second, origin))

    store = new_store()
    own = [table("1", second, origin) for second, who, origin in writes if who == "reader"]
    for n, (second, who, origin) in enumerate(writes):
        if who == "other":
            raw = dataset(("d", "raw"), "1", io=occurrence("raw", second))
            store.ingest([encode(event(n, second, inputs=(raw,), outputs=(table("1", second, origin),)))])
    raw = dataset(("d", "raw"), "2", io=occurrence("raw", 9))
    store.ingest([encode(event(20, 10, inputs=(raw,), outputs=(table("2", 10),)))])
    for run, version, wrote in ((30, "1", own), (40, "2", [])):
        model = dataset(("d", "model"), version, io=occurrence("model", 70))
        read = (table(version, READER),)
        store.ingest([encode(event(run, 71, job=("n", "fit"), inputs=read, outputs=(model, *wrote)))])
    [(seen,)] = store.sql("select writer_run_id from inputs where run_id = $run", {"run": run_id(30)})

    with store.connection.cursor() as cursor:
        take_steps(cursor, "dataset:d/model@1", "dataset:d/model@2").fetchall()
        pairs = cursor.execute("select run_a::varchar, run_b::varchar from pair").fetchall()

    assert set(pairs) == {(run_id(30), run_id(40))} | ({(seen, run_id(20))} if seen else set())
