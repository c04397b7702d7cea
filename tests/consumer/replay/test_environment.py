"""The recorded packages, installed in an environment of their own."""

import json
import os
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from replay_projects import Project

from relineage.consumer.replay.environment import build_environment
from relineage.consumer.replay.verdicts import NotReplayed

# What the emitter needs to record a text, and a package of which the index does not have that version.
NEEDED = (
    "annotated-types", "blake3", "numpy", "pydantic", "pydantic-core", "typing-extensions", "typing-inspection",
)  # fmt: skip


def test_a_run_is_replayed_with_its_packages_and_what_cannot_be_had_is_said(
    project: Project, tmp_path: Path
) -> None:
    project.write(
        train="""
import six
with lineage.run("train") as run:
    run.output(f"six {six.__version__} " * 9 + str(np.random.random()))
"""
    )
    # Then it was there by chance; now it has to be installed.
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "six.py").write_text("__version__ = '1.16.0'\n")
    project.run("train.py", PYTHONPATH=str(tmp_path / "site"))
    packages = {name: version(name) for name in NEEDED} | {"six": "1.16.0", "packaging": "0.0.1"}
    for file in (project.folder / ".relineage" / "events").glob("*.ndjson"):
        events = [json.loads(line) for line in file.read_text().splitlines()]
        for event in events:
            event["run"]["facets"].get("relineage_environment", {})["packages"] = packages
        file.write_text("".join(json.dumps(event) + "\n" for event in events))
    said: list[str] = []

    verdict = project.replay("train", environment=True, say=said.append)

    assert verdict.verdict == "bitwise", (verdict, said)
    assert verdict.notes == ("package packaging==0.0.1 cannot be had: the index does not have it",)
    assert verdict.setting == (
        "package packaging: 0.0.1 → none",
        f"package relineage: none → {version('relineage')}",
    )
    assert said[1] == "installing 9 packages"


@pytest.mark.parametrize(
    ("python", "words"), [("3.2.1", "there is no python3.2 on the PATH"), (None, "is not recorded")]
)
def test_without_the_interpreter_it_is_not_replayed(python: str | None, words: str, tmp_path: Path) -> None:
    with pytest.raises(NotReplayed, match=words):
        build_environment(python, {}, tmp_path / "environment", print)


def test_where_the_index_cannot_be_reached_that_is_said_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was: of each package, ten seconds after the other, that the index does not have it."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # nobody listens there
    monkeypatch.setenv("PIP_RETRIES", "1")
    here = f"{sys.version_info[0]}.{sys.version_info[1]}.0"

    with pytest.raises(
        NotReplayed, match=r"^the index that pip is set to cannot be reached: .*NewConnectionError"
    ):
        build_environment(here, {"six": "1.16.0", "blake3": "1.0.0"}, tmp_path / "environment", print)


def test_another_patch_of_python_is_said(tmp_path: Path) -> None:
    here = sys.version_info
    made, notes = build_environment(
        f"{here[0]}.{here[1]}.99", {}, tmp_path / "environment", lambda line: None
    )

    assert made.is_file()
    assert notes == [f"Python {here[0]}.{here[1]}.99 cannot be had: it is {here[0]}.{here[1]}.{here[2]} here"]
