"""`relineage why`: what it says of code and chance, and which two things it compares when one is named."""

import json
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from cli_projects import git, process_environment

from relineage.emitter import Lineage

Run = Callable[..., Any]

SCRIPT = """
from pathlib import Path
import numpy as np
from relineage.emitter import Lineage

lineage = Lineage(namespace="n", environ={})
with lineage.run("train", seed=1) as run:
    data = run.input(np.array([1, 2, 3]), name="data")
    noise = float(Path("noise.txt").read_text())
    run.output({"w": data * 2 + noise}, name="model")
assert lineage.close()
"""


def execute(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "train.py"],
        cwd=folder,
        env=process_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def project(folder: Path) -> Path:
    """A repository with a training that has run; what it cannot be told of is in a file that git ignores."""
    git(folder, "init", "--quiet")
    (folder / ".gitignore").write_text("noise.txt\n.relineage\n")
    (folder / "noise.txt").write_text("0")
    (folder / "train.py").write_text(SCRIPT)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", "first")
    execute(folder)
    return folder


def commit(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", "next")


def test_of_code_the_file_the_line_and_the_lines_are_shown(project: Path, relineage: Run) -> None:
    commit(project, train_py=SCRIPT.replace("data * 2", "data * 3"), README_md="new\n")
    execute(project)
    said = relineage("why", "model")
    assert said.code == 1
    lines = [line.strip() for line in said.out.splitlines()]
    assert lines[0] == "1  code in train"
    shown = "\n".join(lines)
    assert "train.py:10" in shown
    assert '-    run.output({"w": data * 2 + noise}' in shown
    assert '+    run.output({"w": data * 3 + noise}' in shown
    assert shown.index("train.py") < shown.index("README.md")


def test_a_commit_of_prose_alone_is_no_cause(project: Path, relineage: Run) -> None:
    commit(project, README_md="words\n", LICENSE_txt="words\n")
    (project / "noise.txt").write_text("1e-9")
    execute(project)
    causes = relineage("why", "model", "--json").json
    assert [(one["what"], one["grade"]) for one in causes] == [
        ("non-determinism", "cause"),
        ("commit", "also"),
    ]
    said = relineage("why", "model").out
    assert said.startswith(" 1  non-determinism in train\n      nothing that is recorded differs\n")
    assert "switches that were off" in said
    assert "PYTHONHASHSEED = random" in said


@pytest.mark.parametrize(
    ("written", "file", "causes"),
    [
        ("run.output(Path('out.txt'), name='notes')", "out.txt", ["non-determinism"]),
        ("run.output(Path('out'), role='folder')", "out/a.txt", ["non-determinism"]),
        ("None", "out.txt", ["commit"]),  # nobody says that it is data: the run may have read it
        ("run.output(Path('out.py'), name='notes')", "out.py", ["commit"]),  # and that it may have run
    ],
)
def test_what_runs_have_written_beside_the_code_is_no_code(
    written: str, file: str, causes: list[str], folder: Path, relineage: Run
) -> None:
    """A work tree where results are not ignored is another one in each run."""
    git(folder, "init", "--quiet")
    (folder / ".gitignore").write_text("noise.txt\n.relineage\n")
    (folder / "out").mkdir()
    script = SCRIPT.replace(
        "    run.output(", f"    Path('{file}').write_text(str(noise))\n    {written}\n    run.output("
    )
    commit(folder, train_py=script)
    for noise in ("0", "1", "2"):
        (folder / "noise.txt").write_text(noise)
        execute(folder)
    found = relineage("why", "model", "--json").json
    assert [one["what"] for one in found if one["grade"] == "cause"] == causes
    assert "commit" in [one["what"] for one in found]


STEP = """
import json
from pathlib import Path
import numpy as np
from relineage.emitter import Lineage

lineage = Lineage(namespace="n", environ={})

@lineage.step(seed=1, names={"output": "made"})
def make(size):
    noise = float(Path("noise.txt").read_text())
    return np.arange(size) * json.loads(Path("conf.json").read_text())["k"] + noise

make(9)
"""


@pytest.mark.parametrize(
    ("changed", "what", "shown"),
    [
        ({"conf_json": '{"k": 2}'}, "commit", "conf.json:1"),
        ({"conf_json": '{"k": 2}', **{f"m{i}_py": "2" for i in range(9)}}, "commit", "conf.json:1"),
        ({"other_py": "x = 2"}, "non-determinism", ""),  # which the step does not reach
        ({"notes_md": "words"}, "non-determinism", ""),
    ],
)
def test_of_a_step_a_commit_of_what_it_may_have_read_is_a_cause(
    changed: dict[str, str], what: str, shown: str, folder: Path, relineage: Run
) -> None:
    git(folder, "init", "--quiet")
    (folder / ".gitignore").write_text("noise.txt\n.relineage\n")
    commit(folder, train_py=STEP, conf_json='{"k": 1}')
    (folder / "noise.txt").write_text("0")
    execute(folder)
    commit(folder, **changed)
    (folder / "noise.txt").write_text("0" if "conf_json" in changed else "1")
    execute(folder)
    found = relineage("why", "made", "--json").json
    assert [one["what"] for one in found if one["grade"] == "cause"] == [what]
    assert shown in relineage("why", "made").out


TWO_RUNS = """
import sys
import numpy as np
from relineage.emitter import Lineage

lineage = Lineage(namespace="n", environ={})
with lineage.run("load", seed=int(sys.argv[1])) as run:
    made = run.output(np.random.random(9), name="made")
with lineage.run("train", seed=1) as run:
    run.output(run.input(made, role="made") * 2, name="model")
"""


def test_the_command_line_of_a_process_is_told_of_one_of_its_runs(folder: Path, relineage: Run) -> None:
    (folder / "two.py").write_text(TWO_RUNS)
    for seed in ("1", "2"):
        subprocess.run([sys.executable, "two.py", seed], cwd=folder, env=process_environment(), check=True)

    said = relineage("why", "model").out
    assert said.startswith(" 1  seed in load\n")
    assert said.count("command line in ") == 1
    causes = relineage("why", "model", "--json").json
    assert sorted(one["job_name"] for one in causes if one["what"] == "command line") == ["load", "train"]


UNSEEN = """
import os
import numpy as np
import pandas as pd
from relineage.emitter import Lineage

lineage = Lineage(namespace="n", environ={})
FRAME = pd.DataFrame({"a": range(9)}) * len(os.environ["WORD"])

@lineage.step(seed=1, names={"output": "made"})
def make(token):
    return FRAME + len(token)

make(os.environ["WORD"])
"""


def test_what_is_in_no_digest_is_named_where_nothing_else_explains_a_difference(
    folder: Path, relineage: Run
) -> None:
    (folder / "make.py").write_text(UNSEEN)
    for secret in ("aaaa", "bbbbbb"):
        environment = process_environment() | {"WORD": secret}
        subprocess.run([sys.executable, "make.py"], cwd=folder, env=environment, check=True)
    said = relineage("why", "made").out
    assert said.startswith(" 1  non-determinism in make\n")
    assert "in no digest, and may differ" in said
    assert "of the code __main__.FRAME: a pandas.DataFrame" in said
    assert "parameter token: a secret" in said


@pytest.mark.parametrize(
    ("line", "what", "grade"),
    [("", "code local.py", "cause"), ("password = 'hunter2'\n", "unknown", "unknown")],
)
def test_beside_a_commit_of_prose_a_module_that_git_ignores_is_the_cause_or_may_be_if_it_holds_a_secret(
    line: str, what: str, grade: str, project: Path, relineage: Run
) -> None:
    with (project / ".gitignore").open("a") as file:
        file.write("local.py\n__pycache__\n")
    commit(project, train_py="import local\n" + SCRIPT.replace("+ noise", "+ local.noise"))
    # Of another length: Python would take its bytecode for that of a file as long, written in the same second.
    for value in (1, 10):
        commit(project, README_md=f"words {value}\n")
        (project / "local.py").write_text(f"noise = {value}\n{line}")
        execute(project)

    causes = relineage("why", "model", "--json").json

    assert [(one["what"], one["grade"]) for one in causes] == [(what, grade), ("commit", "also")]
    assert line == "" or causes[0]["a"] == "code in use was not kept: local.py"


@pytest.mark.parametrize("file", ["helper.py", "stopwords.txt", "scale.yaml"])
def test_a_commit_of_a_module_or_of_what_may_be_read_is_a_cause(
    file: str, project: Path, relineage: Run
) -> None:
    commit(project, **{file: "x = 1\n"})
    (project / "noise.txt").write_text("1e-9")
    execute(project)
    [cause] = relineage("why", "model", "--json").json
    assert (cause["what"], cause["grade"]) == ("commit", "cause")
    assert f"{file}:1" in relineage("why", "model").out


def test_where_no_file_of_the_repository_differs_the_code_that_lies_elsewhere_is_named(
    folder: Path, relineage: Run, tmp_path_factory: pytest.TempPathFactory
) -> None:
    library = tmp_path_factory.mktemp("library")
    git(folder, "init", "--quiet")
    (folder / ".gitignore").write_text("noise.txt\n.relineage\n")
    (folder / "noise.txt").write_text("0")
    step = STEP.replace("np.arange(size)", "np.arange(size) * elsewhere.SCALE")
    commit(
        folder,
        conf_json='{"k": 1}',
        train_py=f"import sys\nsys.path[:0] = [{str(library)!r}]\nimport elsewhere\n{step}",
    )
    for scale in ("1.0", "10.0"):
        (library / "elsewhere.py").write_text(f"SCALE = {scale}\n")
        execute(folder)
    said = relineage("why", "made").out
    assert said.startswith(" 1  code in make\n")
    assert "no file differs" in said
    assert f"{library / 'elsewhere.py'} was in use, and is in neither" in " ".join(said.split())


def test_code_that_no_repository_here_holds_is_said_to_be_so(
    project: Path, relineage: Run, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(project, train_py=SCRIPT.replace("data * 2", "data * 3"))
    execute(project)
    relineage("why", "model")
    (project / ".git").rename(project / "away")
    said = relineage("why", "model")
    assert said.out.startswith(" 1  code in train\n")
    assert "no repository here holds both" in said.out


def make(*values: int, job: str = "make") -> None:
    lineage = Lineage(namespace="n", environ={})
    for value in values:
        with lineage.run(job, seed=value, params={"value": value}) as run:
            run.output(pd.DataFrame({"a": [value, 2, 3]}), name="table")
    assert lineage.close()


@pytest.mark.parametrize("x", ["table", "n/table", "job:make"])
def test_one_thing_alone_is_compared_with_what_it_was_before(x: str, folder: Path, relineage: Run) -> None:
    make(1, 2, 3, 3)
    said = relineage("why", x, "--json")
    assert [(one["what"], one["a"], one["b"]) for one in said.json] == [
        ("seed", "2", "3"),
        ("parameter value", "int: 2", "int: 3"),
    ]
    assert said.err.startswith("relineage: A is ")


Told = tuple[str, str | None, list[str], str]
"""A run, the run around it, the versions of n/model that it wrote one after the other, and how."""

ONE, TWO, THREE = ["1a", "1b", "1c"], ["2a", "2b", "2c"], ["3a", "3b", "3c"]
EARLIER: list[Told] = [("one", None, ONE, "declared"), ("two", None, TWO, "declared")]


@pytest.mark.parametrize(
    ("told", "a", "b"),
    [
        pytest.param(EARLIER, "1c", "2c", id="checkpoints of two trainings"),
        pytest.param(EARLIER[:1], "1b", "1c", id="checkpoints of one training alone"),
        pytest.param(
            [*EARLIER, ("again", None, TWO, "declared")], "1c", "2c", id="the same training done again"
        ),
        pytest.param([*EARLIER, ("again", None, ["2c"], "declared")], "1c", "2c", id="answered from the cache"),
        pytest.param([*EARLIER, ("again", None, ["1c"], "declared")], "2c", "1c", id="back to the first one"),
        pytest.param(
            [*EARLIER, ("around", None, [], ""), ("three", "around", THREE, "declared"),
             ("around", None, ["3c"], "forwarded")],
            "2c", "3c", id="handed on by the run around it",
        ),
        pytest.param(
            [*EARLIER, ("around", None, ["3a", "3b"], "declared"), ("three", "around", ["3c"], "declared")],
            "2c", "3c", id="begun by the run around it",
        ),
        pytest.param(
            [*EARLIER, *((f"epoch {one}", "around", [one], "declared") for one in THREE)],
            "2c", "3c", id="a step for each epoch",
        ),
        pytest.param(
            [(f"seed {one[0]}", "around", one, "declared") for one in (ONE, TWO)],
            "1c", "2c", id="two trainings within one run",
        ),
        pytest.param(
            [*EARLIER[:1], ("two", None, ["1c", *TWO], "declared")], "1b", "2c", id="goes on where one ended"
        ),
    ],
)  # fmt: skip
def test_the_latest_version_is_compared_with_one_of_another_execution(
    told: list[Told], a: str, b: str, folder: Path, relineage: Run, tell: Callable[..., Any]
) -> None:
    """Of a training that writes a checkpoint each epoch, its own last two were compared."""
    base = {"_producer": "https://example.com/tests", "_schemaURL": "https://example.com/schema"}
    written: dict[str, str] = {}
    for hour, (name, around, versions, origin) in enumerate(told):
        facets = {
            "parent": base | {"run": {"runId": run_named(around)}, "job": {"namespace": "n", "name": around}}
        }
        outputs = []
        for minute, version in enumerate(versions):
            at = f"2026-01-31T{hour:02}:{minute:02}:00Z"
            at = written.setdefault(version, at) if origin == "forwarded" else at
            written[version] = at
            io = base | {"role": "model", "instant": at, "origin": origin}
            outputs.append(
                {"namespace": "n", "name": "model", "outputFacets": {"relineage_io": io},
                 "facets": {"version": base | {"datasetVersion": version}}}
            )  # fmt: skip
        tell(folder, name.split()[0], hour, outputs=outputs,
             run={"runId": run_named(name), "facets": facets if around else {}})  # fmt: skip

    assert f"A is dataset:n/model@{a}, B is dataset:n/model@{b}\n" in relineage("why", "model").err


def run_named(name: str | None) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, str(name)))


def test_two_versions_with_one_digest_are_not_two_things(folder: Path, relineage: Run, tell: Any) -> None:
    base = {"_producer": "https://example.com/tests", "_schemaURL": "https://example.com/schema"}
    same = [f"b3-bytes1:{'5' * 64}"]
    for hour, (version, digests) in enumerate([("1", []), ("2", same), ("3", same)]):
        facets = {
            "version": base | {"datasetVersion": version},
            "relineage_content": base | {"digests": digests},
        }
        tell(folder, "train", hour, outputs=[{"namespace": "n", "name": "model", "facets": facets}])

    assert "A is dataset:n/model@1, B is dataset:n/model@3\n" in relineage("why", "model").err


@pytest.mark.parametrize(
    ("x", "said"),
    [
        ("table", "no two versions of table are recorded"),
        ("job:make", "no two runs with different outcomes of job:make are recorded"),
        ("run", "is one run; name another one"),
    ],
)
def test_where_there_are_no_two_it_is_an_error(x: str, said: str, folder: Path, relineage: Run) -> None:
    make(1, 1)
    if x == "run":
        x = relineage("runs", "--format", "json").json[0]["run_id"]
    found = relineage("why", x)
    assert found.code == 2
    assert said in found.err


def test_json_is_the_same_by_either_option(folder: Path, relineage: Run) -> None:
    make(1, 2)
    assert relineage("why", "table", "--json").out == relineage("why", "table", "--format", "json").out


def test_what_differs_besides_stands_apart(folder: Path, relineage: Run) -> None:
    lineage = Lineage(namespace="n", environ={})
    for value, threads in ((1, "1"), (2, "8")):
        lineage = Lineage(namespace="n", environ={"OMP_NUM_THREADS": threads})
        with lineage.run("make", seed=1, params={"value": value}) as run:
            run.output(pd.DataFrame({"a": [value, 2, 3]}), name="table")
        assert lineage.close()
    lines = relineage("why", "table").out.splitlines()
    assert [line for line in lines if line[:2].strip()] == [" 1  parameter value in make"]
    assert lines[-2:] == [
        "    besides, with no need to explain it:",
        "      switch OMP_NUM_THREADS in make  1 → 8",
    ]


def test_two_recorded_names_are_compared_without_waiting_for_the_emitter() -> None:
    # It takes 0.1 s to import, and only files and bundles need it.
    code = "import sys, relineage.consumer.cli.why; print([m for m in sys.modules if 'emitter' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("a", "b", "shown"),
    [
        ([0] * 1000, [*[0] * 500, 7, *[0] * 499], " 0, 0, 0, 7, 0, 0"),
        ("x" * 1000, "y", f"str: {'x' * 155} … → str: y"),
    ],
)
def test_of_long_values_what_lies_around_the_first_difference_is_shown(
    a: object, b: object, shown: str, folder: Path, relineage: Run
) -> None:
    (folder / "long.py").write_text(
        "from pathlib import Path\nimport json, sys\nfrom relineage.emitter import Lineage\n"
        "with Lineage().run('fit', seed=1, params={'values': json.loads(sys.argv[1])}) as run:\n"
        "    run.output([sys.argv[1][:2000]], name='fitted')\n"
    )
    for value in (a, b):
        subprocess.run(
            [sys.executable, "long.py", json.dumps(value)], cwd=folder, env=process_environment(), check=True
        )
    said = relineage("why", "fitted").out
    assert shown in said
    assert max(map(len, said.splitlines())) < 500


MODELS = """
from dataclasses import dataclass

@dataclass
class Scaler:
    factor: float
    def apply(self, xs):
        return [x * self.factor for x in xs]

class Plain(list):
    def apply(self, xs):
        return [x * 2 for x in xs]

class Holder:
    def __init__(self):
        self.held = {"scaler": Scaler(2.0)}
    def apply(self, xs):
        return self.held["scaler"].apply(xs)

class Function:
    apply = staticmethod(lambda xs: [x * 2 for x in xs])
"""


@pytest.mark.parametrize("argument", ["Scaler(2.0)", "Plain()", "Holder()", "Function"])
def test_code_that_comes_with_an_argument_is_named(argument: str, project: Path, relineage: Run) -> None:
    step = (
        "import models\nfrom relineage.emitter import Lineage\nlineage = Lineage()\n"
        "@lineage.step(names={'output': 'fitted'}, seed=1)\n"
        "def fit(model, xs):\n    return {'y': model.apply(xs)}\n"
        f"fit(models.{argument}, [1.0, 2.0])\n"
    )
    for code in (MODELS, MODELS.replace("* ", "* 3 * ")):
        commit(project, train_py=step, models_py=code)
        execute(project)
    causes = relineage("why", "fitted", "--json").json
    assert [(one["what"], one["job_name"]) for one in causes if one["grade"] == "cause"] == [("code", "fit")]
    assert "models.py:" in relineage("why", "fitted").out


TWICE = STEP.replace(
    "make(9)",
    """
@lineage.step(names={"output": "joined"})
def join(a, b):
    return a[:5] + b[:5]

join(make(9), make(5))
""",
).replace(', names={"output": "made"}', "")


def test_a_changed_configuration_is_the_cause_for_every_call_that_may_have_read_it(
    folder: Path, relineage: Run
) -> None:
    git(folder, "init", "--quiet")
    (folder / ".gitignore").write_text("noise.txt\n.relineage\n")
    (folder / "noise.txt").write_text("0")
    for number in (1, 2):
        commit(folder, train_py=TWICE, conf_json=f'{{"k": {number}}}')
        execute(folder)
    found = relineage("why", "joined", "--json").json
    assert [one["what"] for one in found if one["grade"] == "cause"] == ["commit"]
