"""The steps of `why`: in ordinary lineages the pairs are guessed rightly, however often somebody has made the same."""

from dataclasses import astuple
from typing import Any

import pytest
from streams import dataset, encode, event, facet, occurrence, run_id

from relineage.consumer.ask import Ask
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


def rounds_and_answer(cursor: Any, a: str, b: str) -> tuple[int, Any]:
    """How often the pairs were guessed, and what was answered."""
    asked = []

    class Counted:
        def __getattr__(self, name: str) -> Any:
            return getattr(cursor, name)

        def execute(self, statement: str, *values: Any) -> Any:
            asked.append("temp table guess" in statement)
            return cursor.execute(statement, *values)

    counted: Any = Counted()
    answer = take_steps(counted, a, b).fetchall()
    return sum(asked), answer


def test_a_pipeline_that_was_begun_again_from_each_of_its_stages_is_guessed_a_few_times(
    new_store: Any,
) -> None:
    stages = 16
    store = new_store()
    for side in (1, 2):
        for begin in range(stages):
            second = side * 10_000 + begin * 100
            store.ingest(
                [
                    encode(
                        event(
                            side * 100_000 + begin * 100 + n,
                            second + 2 * n + 1,
                            job=("n", f"s{n}"),
                            inputs=(dataset(("d", f"t{n}"), f"{side}", io=occurrence("x", second + 2 * n)),),
                            outputs=(
                                dataset(
                                    ("d", f"t{n + 1}"), f"{side}", io=occurrence("y", second + 2 * n + 1)
                                ),
                            ),
                        )
                    )
                    for n in range(begin, stages)
                ]
            )
    a, b = (run_id(side * 100_000 + (stages - 1) * 101) for side in (1, 2))
    with store.connection.cursor() as cursor:
        rounds, [cause] = rounds_and_answer(cursor, a, b)
        misguessed = cursor.execute("select * from misguess").fetchall()
    assert (cause[3], cause[4], cause[5]) == ("input", "1", "2")
    assert misguessed == []
    assert rounds <= 6


def test_what_a_run_reads_of_its_own_is_no_input_though_another_has_written_it_in_between(
    new_store: Any,
) -> None:
    store = new_store()
    # Runs 1 and 2 train on one table at the same time, 3 and 4 on another; each reads its own model again.
    for run, raw, second, verbose in ((1, 1, 20, 0), (2, 1, 22, 1), (3, 2, 120, 0), (4, 2, 122, 2)):
        parameters = [{"name": "verbose", "type": "int", "value": str(verbose)}]
        step = facet(operation="fit", code="b3-code1:" + "0" * 64, parameters=parameters)
        table = dataset(("d", "raw"), f"r{raw}", io=occurrence("raw", second - 5))
        model, again = (
            dataset(("d", "model"), f"m{raw}", io=occurrence(role, at))
            for role, at in (("model", second), ("check", second + 5))
        )
        fitted = event(
            run, second + 8, job=("n", "fit"), inputs=(table, again), outputs=(model,),
            run_facets={"relineage_step": step},
        )  # fmt: skip
        store.ingest([encode(fitted)])
    found = Ask(store.connection).why(run_id(1), run_id(3))
    assert [(one.what, one.a, one.b, one.run_a) for one in found] == [("input", "r1", "r2", run_id(1))]
    asked = store.sql("from why($a, $b)", {"a": run_id(1), "b": run_id(3)})
    assert [astuple(one) for one in found] == asked


def test_versions_of_one_dataset_in_one_role_are_counterparts_in_their_order_without_a_walk(
    new_store: Any,
) -> None:
    store = new_store()
    for side in (1, 2):
        raw = dataset(("d", "raw"), f"{side}", io=occurrence("raw", side * 100))
        checkpoints = [
            dataset(("d", "checkpoint"), f"{n} {side}", io=occurrence("checkpoint", side * 100 + n))
            for n in (1, 2, 3)
        ]
        made = dataset(("d", "score"), f"{side}", io=occurrence("score", side * 100 + 8))
        for n, one in enumerate(checkpoints):
            store.ingest(
                [
                    encode(
                        event(side * 10 + n, side * 100 + n, job=("n", "fit"), inputs=(raw,), outputs=(one,))
                    )
                ]
            )
        seen = tuple(
            dataset(("d", "checkpoint"), f"{n} {side}", io=occurrence("checkpoint", side * 100 + 4 + n))
            for n in (1, 2, 3)
        )
        store.ingest(
            [encode(event(side * 10 + 9, side * 100 + 8, job=("n", "score"), inputs=seen, outputs=(made,)))]
        )
    with store.connection.cursor() as cursor:
        [cause] = take_steps(cursor, run_id(19), run_id(29)).fetchall()
        misguessed = cursor.execute("select * from misguess").fetchall()
        pairs = cursor.execute("select run_a::varchar, run_b::varchar from pair").fetchall()
    assert misguessed == []
    assert set(pairs) == {(run_id(10 + n), run_id(20 + n)) for n in (0, 1, 2, 9)}
    assert (cause[3], cause[4], cause[5], cause[10]) == ("input", "1", "2", 3)


def test_what_is_alone_in_a_role_of_which_others_read_several_is_one_counterpart(new_store: Any) -> None:
    def table(name: str, version: int, role: str, second: int) -> Any:
        return dataset(("d", name), f"{version}", io=occurrence(role, second))

    store = new_store()
    several = (table("t", 1, "x", 1), table("u", 1, "x", 1))
    store.ingest([encode(event(5, 2, inputs=several, outputs=(table("other", 1, "y", 2),)))])
    for side, more in ((1, (table("more", 1, "z", 100),)), (2, ())):
        read = (table("t", 1, "x", side * 100), *more)
        made = (table("m", side, "m", side * 100 + 1),)
        store.ingest([encode(event(side * 10, side * 100 + 1, job=("n", "fit"), inputs=read, outputs=made))])
    with store.connection.cursor() as cursor:
        found = take_steps(cursor, run_id(10), run_id(20)).fetchall()
        plain = cursor.execute("select role from plain").fetchall()
    assert plain == [("x",)]
    assert [(row[3], row[2]) for row in found] == [("input only in a", "z")]
