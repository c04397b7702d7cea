"""What is said of a run and its replay in one database."""

from typing import Any

from streams import encode, event, facet, run_id

from relineage.consumer.ask import Ask
from relineage.consumer.ingest.batch import Batch, Message
from relineage.consumer.replay.answer import setting_differences
from relineage.consumer.store import Store


def setting(python: str, commit: str, wobble: str | None, threads: str, **engine: str) -> dict[str, Any]:
    variables = [{"name": "OMP_NUM_THREADS", "value": threads}, {"name": "SAME", "value": "1"}]
    packages = {"numpy": "2.4"} | ({} if wobble is None else {"wobble": wobble})
    return {
        "relineage_environment": facet(
            python=python,
            platform=f"Linux-{python}",
            cpu=f"Abacus × {threads}",
            packages=packages,
            code={"commit": commit, "dirty": False},
        ),
        "relineage_seeds": facet(entropy=threads, given=True, switches={"PYTHONHASHSEED": python}),
        "relineage_step": facet(
            operation=python, parameters=[{"name": "n", "type": "int", "value": threads}]
        ),
        "environmentVariables": facet(environmentVariables=variables),
        **({"processing_engine": facet(**engine)} if engine else {}),
    }


def test_what_differs_between_two_settings_is_what_run_diff_says_but_for_the_commit() -> None:
    told = [
        event(1, 1, run_facets=setting("3.12.1", "a" * 40, "1.0", "1")),
        event(2, 2, run_facets=setting("3.12.2", "b" * 40, None, "8", name="spark", version="4.0")),
        event(3, 3),
    ]
    with Store.open() as store:
        bodies = map(encode, told)
        store.ingest(
            Batch([Message(body=body, source="test", offset=offset) for offset, body in enumerate(bodies)])
        )
        for a, b in ((1, 2), (2, 1), (1, 1), (1, 3)):
            found = setting_differences(store.connection, {run_id(a): run_id(b)})[run_id(a)]
            kinds = ("python", "platform", "cpu", "engine", "package", "switch", "variable")
            assert sorted(found) == sorted(
                f"{f'{one.what} {one.key}'.strip()}: {one.a or 'none'} → {one.b or 'none'}"
                for one in Ask(store.connection).run_diff(f"run:{run_id(a)}", f"run:{run_id(b)}")
                if one.what in kinds
            )
            lacking = ["none" in one for one in found]
            assert lacking == sorted(lacking)  # what both have stands first
            assert len(found) == {(1, 2): 7, (2, 1): 7, (1, 1): 0, (1, 3): 8}[a, b]
