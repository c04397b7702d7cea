"""`why` where lineages are odd: circles, other producers, runs within runs, many inputs of one role, long ways."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streams import TABLE_A, TABLE_B, dataset, encode, event, facet, occurrence, run_id

from relineage.consumer.ask import Ask, Cause
from relineage.consumer.consume import take_in
from relineage.consumer.errors import QuestionError
from relineage.consumer.store import Store
from relineage.consumer.why_steps import take_steps
from relineage.emitter import Lineage


@pytest.fixture
def store(new_store: Callable[..., Any]) -> Any:
    return new_store()


def why(store: Any, a: str, b: str) -> list[Cause]:
    return Ask(store.connection).why(a, b)


def said(causes: list[Cause]) -> list[tuple[str, str | None, str]]:
    return [(cause.what, cause.job_name, cause.grade) for cause in causes]


def told(number: int, job: str, reads: list[Any], writes: list[Any], second: int | None = None) -> bytes:
    """A COMPLETE event of another producer; datasets as (name, version)."""
    inputs, outputs = ([dataset(("d", name), version) for name, version in part] for part in (reads, writes))
    return encode(
        event(
            number, second or number, "COMPLETE", inputs=tuple(inputs), outputs=tuple(outputs), job=("n", job)
        )
    )


def test_a_circle_ends(store: Any) -> None:
    store.ingest([
        told(1, "x", [("b", "1")], [("a", "1")]), told(2, "y", [("a", "1")], [("b", "1")]),
        told(3, "x", [("b", "2")], [("a", "2")]), told(4, "y", [("a", "2")], [("b", "2")]),
    ])  # fmt: skip
    assert all(cause.grade != "cause" for cause in why(store, "d/a@1", "d/a@2"))


def test_one_version_text_of_two_datasets_is_not_one_content(store: Any) -> None:
    store.ingest([told(1, "fit", [("x", "1")], [("m", "1")]), told(2, "fit", [("y", "1")], [("m", "2")])])
    [cause] = why(store, "d/m@1", "d/m@2")
    assert (cause.what, cause.grade, cause.a, cause.b) == ("input", "cause", "1", "1")


def test_of_other_producers_nothing_is_called_non_determinism(store: Any) -> None:
    store.ingest([told(1, "fit", [("x", "1")], [("m", "1")]), told(2, "fit", [("x", "1")], [("m", "2")])])
    [cause] = why(store, "d/m@1", "d/m@2")
    assert (cause.what, cause.grade, cause.a) == (
        "unknown",
        "unknown",
        "nothing is recorded of its parameters and code",
    )


def test_what_has_no_version_is_unknown(store: Any) -> None:
    store.ingest([told(1, "fit", [("x", None)], [("m", "1")]), told(2, "fit", [("x", None)], [("m", "2")])])
    assert said(why(store, "d/m@1", "d/m@2")) == [("unknown input", "fit", "unknown")]


def test_two_outputs_of_one_run_differ_as_such(store: Any) -> None:
    store.ingest([told(1, "split", [("x", "1")], [("train", "1"), ("test", "2")])])
    assert said(why(store, "d/train@1", "d/test@2")) == [("output", "split", "cause")]


@pytest.mark.parametrize("many", [3, 150])
def test_of_many_inputs_of_one_role_the_one_that_differs_is_named(many: int, store: Any) -> None:
    parts = [(f"part-{n:03}", "1") for n in range(many)]
    store.ingest([
        told(1, "fit", parts, [("m", "1")]),
        told(2, "fit", [*parts[:1], ("part-001", "2"), *parts[2:]], [("m", "2")]),
        told(3, "fit", [*parts, ("part-0005", "1")], [("m", "3")]),
    ])  # fmt: skip
    assert [(c.what, c.role) for c in why(store, "d/m@1", "d/m@2")] == [("input", "part-001")]
    assert [(c.what, c.role) for c in why(store, "d/m@1", "d/m@3")] == [("input only in b", "part-0005")]


def test_of_more_than_a_hundred_runs_whose_settings_are_no_cause_it_is_said_that_not_all_were_compared(
    store: Any,
) -> None:
    for side in (1, 2):
        messages, ends = [], []
        parameters = [{"name": "p", "type": "int", "value": str(side)}]
        step = facet(operation="o", code="c", parameters=parameters)
        raw, model = dataset(("d", "raw"), "1"), dataset(("d", "m"), str(side))
        for number in range(101):
            ends.append(dataset(("d", f"end-{number}"), str(side)))
            told = {"inputs": (raw,), "outputs": (ends[-1],), "run_facets": {"relineage_step": step}}
            messages.append(event(side * 1000 + number, number, job=("n", "o"), **told))
        messages.append(event(side, 200, inputs=tuple(ends), outputs=(model,), job=("n", "fit")))
        store.ingest([encode(message) for message in messages])
    causes = why(store, "d/m@1", "d/m@2")
    assert said(causes)[0] == ("parameter p", "o", "cause")
    assert [cause.a for cause in causes if cause.what == "setting"] == [
        "compared for 100 of 101 runs, those furthest from the result"
    ]


def test_of_a_long_way_the_middle_is_left_out_and_counted(store: Any) -> None:
    steps = 12
    for side in (0, 1):
        store.ingest([
            told(side * 100 + n + 1, f"s{n}", [(f"t{n}", f"{side}")], [(f"t{n + 1}", f"{side}")]) for n in range(steps)
        ])  # fmt: skip
    [cause] = why(store, f"d/t{steps}@0", f"d/t{steps}@1")
    assert cause.path is not None
    assert cause.path.startswith("t12 ← s11 ← t11 ← s10 ← t10 ← ")
    assert cause.path.endswith(" ← … 4 more … ← s1 ← t1 ← s0 ← t0")
    assert (cause.what, cause.job_name) == ("input", "s0")


def test_a_run_that_is_not_known_to_have_written_x_is_an_error(store: Any) -> None:
    store.ingest([told(1, "fit", [], [("m", "1")]), told(2, "fit", [], [("a", "2"), ("b", "2")])])
    with pytest.raises(QuestionError, match="can be compared with"):
        why(store, f"run:{run_id(1)}", f"run:{run_id(2)}")


def test_a_run_that_was_served_stands_for_the_one_that_computed(store: Any) -> None:
    """B was answered from what an older Python had computed: now both have the same one."""
    answers = {1: (TABLE_A, "3.11.1", None), 2: (TABLE_B, "3.12.3", None), 3: (TABLE_A, "3.12.3", run_id(1))}
    for number, (table, python, origin) in answers.items():
        step = {"operation": "fit", "code": "c", "callable": "jobs.fit", "parameters": []}
        facets = {
            "relineage_step": facet(**step, **({"servedFrom": origin} if origin else {})),
            "relineage_environment": facet(python=python, packages={}),
        }
        made = dataset(("d", "m"), table, digests=[table])
        store.ingest([encode(event(number, number, outputs=(made,), job=("n", "fit"), run_facets=facets))])
    assert said(why(store, f"run:{run_id(2)}", f"run:{run_id(3)}")) == [("python", "fit", "cause")]
    [cause] = why(store, f"run:{run_id(2)}", f"run:{run_id(3)}")
    assert (cause.a, cause.b, cause.run_b) == ("3.12.3", "3.11.1", run_id(1))
    readers = [
        event(number, number, job=("n", "score"), inputs=(dataset(("d", "m"), table, digests=[table]),),
              outputs=(dataset(("d", "p"), f"{number}"),))
        for number, table in ((12, TABLE_B), (13, TABLE_A))
    ]  # fmt: skip
    store.ingest([encode(reader) for reader in readers])
    assert said(why(store, f"run:{run_id(12)}", f"run:{run_id(13)}"))[0] == ("python", "fit", "cause")


@pytest.mark.parametrize(
    ("place", "role"),
    [("lake", "input {}"), ("runs/{}", "input {}"), ("lake", "input")],
    ids=["one place for both", "a folder for each", "one role for several inputs"],
)
def test_the_pairs_of_runs_are_guessed_right(place: str, role: str, store: Any) -> None:
    """The slow walk is for what names and contents do not tell. Of two chains, one begins with other raw data."""

    def entry(side: int, chain: int, step: int, second: int, role: str) -> Any:
        name = f"{place.format(side)}/{chain}/{step}" if step else f"raw/{chain}"
        content = f"{chain:02}{step:02}{side * chain:02}" + "0" * 58
        return dataset(
            ("d", name),
            f"b3-table1:{content}",
            digests=[f"b3-table1:{content}", f"b3-bytes1:{content}"],
            io=occurrence(role, second),
        )

    for side in (1, 2):
        for step in range(3):
            for chain in range(2):
                read, written = (
                    entry(side, chain, step + n, side * 100 + step * 10 + n, "table") for n in (0, 1)
                )
                number = side * 10 + step * 2 + chain
                store.ingest([encode(event(number, side * 100 + step * 10 + 5, job=("n", f"{chain}/{step}"),
                                           inputs=(read,), outputs=(written,)))])  # fmt: skip
        ends = tuple(entry(side, chain, 3, side * 100 + 40, role.format(chain)) for chain in range(2))
        model = dataset(
            ("d", f"{place.format(side)}/model"), f"{side}", io=occurrence("model", side * 100 + 50)
        )
        store.ingest(
            [encode(event(side * 10 + 9, side * 100 + 50, job=("n", "fit"), inputs=ends, outputs=(model,)))]
        )
    with store.connection.cursor() as cursor:
        take_steps(cursor, run_id(19), run_id(29)).fetchall()
        assert cursor.sql("select count(*) from guess").fetchall() == [(4,)]
        assert cursor.sql("from misguess").fetchall() == []
    [cause] = why(store, run_id(19), run_id(29))
    assert (cause.what, cause.job_name, cause.grade) == ("input", "1/0", "cause")


def test_inputs_of_one_role_that_share_no_name_are_counterparts_in_the_order_of_their_names(
    store: Any,
) -> None:
    """Each execution in a folder of its own, but for what both read: of five tables two are others."""
    for side in ("b/1", "a/2"):
        tables = [("shared", "1"), *((f"{side}/{n}", side if n in (2, 5) else "1") for n in range(1, 6))]
        number = int(side[-1])
        inputs = tuple(
            dataset(("d", n), v, digests=[f"b3-table1:{n[-1] * 30}{v[-1] * 34}"]) for n, v in tables
        )
        model = dataset(("d", f"{side}/m"), side)
        store.ingest([encode(event(number, number, inputs=inputs, outputs=(model,), job=("n", "fit")))])
    causes = why(store, run_id(1), run_id(2))
    assert [(cause.role, cause.what) for cause in causes] == [("b/1/2", "input"), ("b/1/5", "input")]


def test_what_was_read_without_a_version_is_the_same_where_the_version_that_was_there_has_its_content(
    store: Any,
) -> None:
    for side in (1, 2):
        made = dataset(("d", f"x{side}"), f"{side}", digests=[TABLE_A])
        store.ingest([
            encode(event(side * 10 + 1, side * 10 + 1, job=("n", "make"), outputs=(made,))),
            encode(event(side * 10 + 2, side * 10 + 2, job=("n", "fit"), inputs=(dataset(("d", f"x{side}")),),
                         outputs=(dataset(("d", "m"), f"{side}"),))),
        ])  # fmt: skip
    [cause] = why(store, "d/m@1", "d/m@2")
    assert (cause.job_name, cause.what) == ("fit", "unknown")
    with store.connection.cursor() as cursor:
        take_steps(cursor, "d/m@1", "d/m@2").fetchall()
        assert cursor.sql("from misguess").fetchall() == []


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Store]]:
    """A project to record in; what it gives takes in what is new."""
    (tmp_path / ".relineage" / "events").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with Store.open() as store:

        def taken() -> Store:
            take_in(store, [tmp_path / ".relineage" / "events"])
            return store

        yield taken


@pytest.mark.parametrize("form", [pd.DataFrame, dict])  # known again as an object, or by its content only
def test_of_a_run_that_hands_on_the_inner_one_is_compared(form: Any, project: Callable[[], Store]) -> None:
    lineage, ids = Lineage(namespace="n", environ={}), []
    for rate in (0.1, 0.2):
        with lineage.run("pipeline", seed=1) as outer:
            ids.append(outer.id)
            with lineage.run("fit", params={"rate": rate}) as run:
                model = run.output(form({"w": np.array([rate, 1.0])}), name="model")
            outer.output(model)
    assert lineage.close()
    assert said(why(project(), *ids)) == [("parameter rate", "fit", "cause")]


def test_runs_without_outputs_stand_for_themselves(project: Callable[[], Store]) -> None:
    lineage, ids = Lineage(namespace="n", environ={}), []
    for share in (0.1, 0.2):
        with lineage.run("evaluate", seed=1, params={"share": share}) as run:
            ids.append(run.id)
            run.input(pd.DataFrame({"a": [1, 2]}), name="data")
            run.metric("auc", share)
    assert lineage.close()
    assert said(why(project(), *ids)) == [("parameter share", "evaluate", "cause")]


def test_one_change_of_many_runs_of_a_job_is_told_once_with_their_number(
    project: Callable[[], Store],
) -> None:
    lineage, ids = Lineage(namespace="n", environ={}), []
    for p in (0.5, 0.6):
        parts = []
        for n in range(4):
            with lineage.run("augment", seed=n, params={"p": p}) as run:
                part = run.input(pd.DataFrame({"a": [n, 2, 3]}), name=f"part {n}")
                parts.append(run.output(part * p, name=f"augmented {n}"))
        with lineage.run("fit", seed=1) as run:
            for n, part in enumerate(parts):
                run.input(part, role=f"part {n}")
            run.output({"w": np.array([p, 1.0])}, name="model")
            ids.append(run.id)
    assert lineage.close()
    [cause] = why(project(), *ids)
    assert (cause.what, cause.job_name, cause.runs) == ("parameter p", "augment", 4)
