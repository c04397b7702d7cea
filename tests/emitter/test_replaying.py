"""A process that has a plan: what it draws, where its events go, what it may not touch."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from emitted import events_in

from relineage.emitter import Lineage
from relineage.emitter.errors import SettingsError


@pytest.fixture
def replayed(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a text under a plan, with the guard; its events are below `home`."""
    (tmp_path / "guard").mkdir()
    (tmp_path / "guard" / "sitecustomize.py").write_text(
        "from relineage.emitter.replaying import guard\nguard()\n"
    )
    (tmp_path / "job").mkdir()

    def run(text: str, runs: tuple[Any, ...] = (), check: bool = True, **more: Any) -> Any:
        plan = {"home": str(tmp_path / "home"), "runs": list(runs), **more}
        (tmp_path / "plan.json").write_text(json.dumps(plan))
        environment = {
            "PATH": "", "RELINEAGE_REPLAY": str(tmp_path / "plan.json"), "PYTHONPATH": str(tmp_path / "guard"),
        }  # fmt: skip
        return subprocess.run(
            [sys.executable, "-c", f"from relineage.emitter import Lineage\n{text}"], cwd=tmp_path / "job",
            env=environment, check=check, capture_output=True, text=True,
        )  # fmt: skip

    return run


def entropies(folder: Path) -> list[tuple[str, str, bool]]:
    ends = [event for event in events_in(folder) if event["eventType"] == "COMPLETE"]
    seeds = [event["run"]["facets"]["relineage_seeds"] for event in ends]
    return [(end["job"]["name"], one["entropy"], one["given"]) for end, one in zip(ends, seeds, strict=True)]


def test_a_run_draws_what_was_drawn_for_its_like(replayed: Callable[..., Any], tmp_path: Path) -> None:
    planned = [
        {"namespace": "n", "job": "a", "ordinal": ordinal, "entropy": entropy}
        for ordinal, entropy in ((0, "a0"), (2, "a2"))
    ]
    replayed(
        """
lineage = Lineage("n")
for seed in (None, None, 5, None):
    with lineage.run("a", seed=seed): pass
with lineage.run("a"):
    with lineage.run("b"): pass
with Lineage("m").run("a"): pass
""",
        runs=(*planned, {"namespace": "n", "job": "a", "ordinal": 4, "entropy": "a4"}),
    )

    found = entropies(tmp_path / "home")
    first, second, given, fourth, inner, outer, other = found
    assert first == ("a", "a0", False)
    assert given == ("a", "5", True)  # a seed in the code is what it is
    assert outer == ("a", "a4", False)
    assert {len(second[1]), len(fourth[1]), len(other[1])} <= {31, 32}  # nobody planned them
    assert inner[0] == "b"
    assert len({one[1] for one in found}) == 7


def test_what_comes_out_is_kept_and_no_other_transport_is_asked(
    replayed: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "job" / "openlineage.yml").write_text("transport:\n  type: nonsense\n")
    replayed("""
import pyarrow as pa
class Theirs:
    def emit(self, event):
        raise SystemExit("theirs")
with Lineage("n", transport=Theirs(), strict=True).run("a") as run:
    run.input(pa.table({"in": [1, 2]}))
    run.output(pa.table({"out": [1, 2]}))
""")

    [*_, end] = events_in(tmp_path / "home" / "events")
    assert all("stored" not in one["facets"]["relineage_content"] for one in end["inputs"])
    assert all("stored" in one["facets"]["relineage_content"] for one in end["outputs"])
    assert list((tmp_path / "home" / "store").rglob("*.parquet"))
    assert not (tmp_path / "job" / ".relineage").exists()


def test_an_estimator_that_cannot_be_kept_stops_nobody(replayed: Callable[..., Any], tmp_path: Path) -> None:
    done = replayed("""
import numpy as np
from sklearn.linear_model import LinearRegression
model = LinearRegression().fit(np.arange(9.0).reshape(-1, 1), np.arange(9.0))
with Lineage("n", strict=True).run("a") as run:
    run.output(model)
""")

    [*_, end] = events_in(tmp_path / "home" / "events")
    assert (end["eventType"], done.stderr) == ("COMPLETE", "")


@pytest.mark.parametrize("plan", ["nothing.json", "broken.json"])
def test_a_plan_that_cannot_be_read_is_an_error_before_anything_happens(
    plan: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.json").write_text('{"home": 1}')
    monkeypatch.setenv("RELINEAGE_REPLAY", str(tmp_path / plan))

    with pytest.raises(SettingsError, match="is no plan of a replay"):
        Lineage("n")


FORBIDDEN = {
    "write": "open({there}, 'w')",
    "append": "open({there}, 'ab')",
    "pathlib": "__import__('pathlib').Path({there}).write_text('')",
    "os.open": "__import__('os').open({there}, __import__('os').O_RDWR)",
    "remove": "__import__('os').remove({there})",
    "rename to": "__import__('os').rename('mine', {there})",
    "rename from": "__import__('os').rename({there}, 'mine')",
    "move": "__import__('shutil').move({there}, 'mine')",
    "rmtree": "__import__('shutil').rmtree({folder})",
    "mkdir": "__import__('os').mkdir({folder} + '/new')",
    "relative": "open('../theirs/file', 'w')",
    "link": "__import__('os').link({there}, 'mine-too')",
    "sqlite": "__import__('sqlite3').connect({there})",
    "truncate": "__import__('os').truncate({there}, 0)",
    "symlink": "__import__('os').symlink('mine', {folder} + '/new')",
    "by another name": "open('../another-name/file', 'w')",
    "remove by another name": "__import__('os').remove('../another-name/file')",
    "through a link": "open('leads-there', 'w')",
}


@pytest.mark.parametrize("way", FORBIDDEN)
def test_what_is_foreign_is_not_changed(way: str, replayed: Callable[..., Any], tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "file").write_text("as it was")
    (tmp_path / "job" / "mine").write_text("mine")
    (tmp_path / "another-name").symlink_to(theirs)
    (tmp_path / "job" / "leads-there").symlink_to(theirs / "file")
    text = FORBIDDEN[way].format(there=repr(str(theirs / "file")), folder=repr(str(theirs)))

    done = replayed(text, foreign=[str(theirs)], check=False)

    assert "PermissionError: a replay may not change" in done.stderr
    assert {file.name: file.read_text() for file in theirs.iterdir()} == {"file": "as it was"}
    assert (tmp_path / "touched.txt").read_text().startswith("changed ")


def test_what_is_foreign_may_be_read_and_what_is_ones_own_changed(
    replayed: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "theirs" / "own").mkdir(parents=True)
    (tmp_path / "theirs" / "file").write_text("as it was")
    (tmp_path / "theirs" / "module.py").write_text("")
    replayed(
        """
import sys
assert open("../theirs/file").read() == "as it was"
open("../theirs/own/file", "w").write("mine")
sys.path.append("../theirs")
import module
""",
        foreign=[str(tmp_path / "theirs")],
        own=[str(tmp_path / "theirs" / "own")],
    )

    assert (tmp_path / "theirs" / "own" / "file").read_text() == "mine"
    told = (tmp_path / "touched.txt").read_text().splitlines()
    assert {line for line in told if line.endswith(".py")} == {f"loaded {tmp_path}/theirs/module.py"}
    assert all(line.startswith("loaded ") for line in told)
    assert not (tmp_path / "theirs" / "__pycache__").exists()
