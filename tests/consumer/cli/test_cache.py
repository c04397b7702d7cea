"""`relineage cache`: what steps have kept, and why a call was computed."""

import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from relineage.emitter import Lineage

TEXT = """
import numpy as np
from relineage.emitter import Lineage
lineage = Lineage(namespace="n", environ={})

@lineage.step(cache="dirty")
def scale(array, other=None, factor: float = 2.0):
    return array * factor + 0

@lineage.step(cache="dirty")
def noise(array):
    return array + np.random.normal(size=array.shape)

@lineage.step
def plain(array):
    return array * 2

@lineage.step(cache="dirty")
def fail():
    raise OSError
"""
ONE, TWO = np.arange(20.0), np.arange(30.0)


def steps(folder: Path, text: str = TEXT) -> Any:
    """The module of a text in a folder, imported anew."""
    file = folder / "steps.py"
    file.write_text(textwrap.dedent(text))
    module = ModuleType("steps")
    exec(compile(file.read_text(), str(file), "exec"), vars(module))
    return module


def why(relineage: Callable[..., Any], x: str, code: int = 1) -> dict[str, Any]:
    said = relineage("cache", "why-miss", x, "--format", "json")
    assert said.code == code, said.err
    answer = said.json
    assert isinstance(answer, dict)
    return answer


def differences(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["what"], one["key"]) for one in answer["differences"]]


def test_ls_lists_what_is_kept_the_last_used_first(folder: Path, relineage: Callable[..., Any]) -> None:
    module = steps(folder)
    module.scale(ONE)
    module.scale(TWO)
    said = relineage("cache", "ls", "--format", "json").json

    assert [one["bytes"] for one in said] == [240, 160]
    assert {one["operation"] for one in said} == {"scale"}
    assert said[0]["outputs"] == ["n/scale/output"]
    assert said[0]["recipe"].startswith("b3-recipe1:")
    runs = {one["run_id"] for one in relineage("runs", "--format", "json").json}
    assert {one["run_id"] for one in said} == runs
    module.scale(ONE)
    assert [one["bytes"] for one in relineage("cache", "ls", "--format", "json").json] == [160, 240]
    table = relineage("cache", "ls", "--limit", "1")
    assert table.out.count("n/scale/output") == 1
    assert "there are more" in table.err


def test_ls_of_nothing_says_so(folder: Path, relineage: Callable[..., Any]) -> None:
    said = relineage("cache", "ls")

    assert (said.code, said.out) == (0, "")
    assert said.err == "relineage: nothing is kept; steps with cache=True keep their results\n"


def test_a_call_that_was_answered_was_no_miss(folder: Path, relineage: Callable[..., Any]) -> None:
    module = steps(folder)
    module.scale(ONE)
    first = relineage("runs", "--format", "json").json[0]["run_id"]
    module.scale(ONE)

    assert why(relineage, "scale", 0)["served_from"] == first
    assert relineage("cache", "why-miss", "scale").out == f"served from run {first}\n"


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda module: module.scale(TWO), [("input", "array")]),
        (lambda module: module.scale(ONE, factor=3.0), [("parameter", "factor")]),
        (lambda module: module.scale(ONE, factor=2), [("parameter", "factor")]),
        (lambda module: module.scale(ONE, TWO), [("input", "other"), ("parameter", "other")]),
        (lambda module: module.scale(TWO, factor=3.0), [("input", "array"), ("parameter", "factor")]),
    ],
)
def test_a_miss_says_which_part_of_the_recipe_differs_from_the_nearest_result(
    folder: Path,
    relineage: Callable[..., Any],
    call: Callable[[Any], Any],
    expected: list[tuple[str, str]],
) -> None:
    module = steps(folder)
    module.scale(ONE * 2, ONE, 5.0)  # further away
    module.scale(ONE)
    nearest = relineage("runs", "--format", "json").json[0]["run_id"]
    call(module)

    answer = why(relineage, "scale")
    assert differences(answer) == expected
    assert answer["nearest_run_id"] == nearest
    shown = relineage("cache", "why-miss", "scale")
    assert shown.code == 1
    assert shown.out.startswith("computed: nothing is kept for this recipe; kept\n")
    assert all(key in shown.out for _, key in expected)


def test_a_miss_says_that_the_code_differs(folder: Path, relineage: Callable[..., Any]) -> None:
    steps(folder).scale(ONE)
    steps(folder, TEXT.replace("factor + 0", "factor + 1")).scale(ONE)

    assert differences(why(relineage, "scale")) == [("code", "")]


def test_a_miss_says_that_the_seed_differs_where_chance_was_used(
    folder: Path, relineage: Callable[..., Any]
) -> None:
    module = steps(folder)
    for seed in (7, 8):
        with module.lineage.run("outer", seed=seed):
            module.noise(ONE)

    answer = why(relineage, "noise")
    assert differences(answer) == [("seed", "")]
    assert answer["differences"][0]["run"] != answer["differences"][0]["kept"]


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (
            lambda module: module.noise(ONE),
            "computed: nothing is kept for this recipe; not kept: chance was used and no seed was given",
        ),
        (lambda module: module.plain(ONE), "the step was not told to ask: @lineage.step(cache=True)"),
        (
            lambda module: module.scale(ONE, object()),
            "computed and not kept: it has no recipe: parameter 'other'",
        ),
    ],
)
def test_a_call_that_is_never_kept_says_why(
    folder: Path, relineage: Callable[..., Any], call: Callable[[Any], Any], reason: str
) -> None:
    call(steps(folder))
    (run,) = relineage("runs", "--format", "json").json

    answer = why(relineage, run["run_id"])
    assert answer["reason"].startswith(reason)
    assert answer["nearest_run_id"] is None


def test_a_call_that_failed_and_a_run_that_is_no_call_say_so(
    folder: Path, relineage: Callable[..., Any]
) -> None:
    with pytest.raises(OSError):
        steps(folder).fail()
    with Lineage(namespace="n").run("block"):
        pass

    assert why(relineage, "fail")["reason"] == "it has not completed (FAIL)"
    assert why(relineage, "block")["reason"] == "it is no call of a step"


def test_the_first_call_of_a_job_has_nothing_near(folder: Path, relineage: Callable[..., Any]) -> None:
    module = steps(folder)
    module.scale(ONE)
    first = relineage("runs", "--format", "json").json[0]["run_id"]
    module.scale(TWO)

    said = relineage("cache", "why-miss", first)
    assert said.code == 1
    assert said.err == "relineage: no call of this job was kept before it\n"


def test_what_is_lost_from_the_store_is_the_reason(folder: Path, relineage: Callable[..., Any]) -> None:
    module = steps(folder)
    module.scale(ONE)
    for file in (folder / ".relineage" / "store").rglob("*.safetensors"):
        file.unlink()
    module.scale(ONE)

    assert "is not in the store; kept" in why(relineage, "scale")["reason"]


@pytest.mark.parametrize("x", ["nothing", "n/scale/output", ""])
def test_what_is_no_run_is_an_error(folder: Path, relineage: Callable[..., Any], x: str) -> None:
    steps(folder).scale(ONE)
    said = relineage("cache", "why-miss", x)

    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("relineage: ")


def test_hostile_texts_are_shown_escaped(folder: Path, relineage: Callable[..., Any]) -> None:
    text = TEXT.replace(
        '@lineage.step(cache="dirty")\ndef scale',
        '@lineage.step(cache="dirty", job="\\x1b[31mx", names={"output": "[bold]\\x1b"})\ndef scale',
    )
    module = steps(folder, text)
    module.scale(ONE)
    module.scale(TWO)
    run = relineage("runs", "--format", "json").json[0]["run_id"]

    for said in (relineage("cache", "ls"), relineage("cache", "why-miss", run)):
        assert "\x1b" not in said.out + said.err
        assert said.code in (0, 1)
    assert "[bold]" in relineage("cache", "ls").out


def test_outside_of_a_project_there_is_no_cache(
    tmp_path: Path, relineage: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = relineage("cache", "ls")

    assert said.code == 2
    assert said.err.startswith("relineage: there is no .relineage in ")
