"""What a person may type for X beside names: files, folders, the beginning of a run id."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_projects import pipeline


@pytest.fixture
def project(folder: Path) -> Path:
    """The pipeline has run once."""
    pipeline(folder)
    return folder


@pytest.mark.parametrize("x", ["raw.csv", "./raw.csv", "{folder}/raw.csv", "sub/../raw.csv"])
def test_a_file_is_asked_for_by_its_content(x: str, asked: Path, relineage: Callable[..., Any]) -> None:
    (asked / "sub").mkdir(exist_ok=True)

    assert relineage("trace", x.format(folder=asked)).out.startswith(f"{asked}/raw.csv@")


def test_a_copy_of_a_file_is_the_same_content(project: Path, relineage: Callable[..., Any]) -> None:
    (project / "copy.csv").write_bytes((project / "raw.csv").read_bytes())

    assert relineage("trace", "copy.csv").out.startswith(f"{project}/raw.csv@")


def test_the_same_table_in_other_bytes_is_found(project: Path, relineage: Callable[..., Any]) -> None:
    import pandas as pd

    frame = pd.read_csv(project / "raw.csv")
    frame.assign(c=frame.a * frame.b).to_parquet(project / "features.parquet", index=False)

    assert relineage("trace", "features.parquet").out.startswith("fraud/features/all@")


def test_a_folder_is_asked_for_by_its_content(folder: Path, relineage: Callable[..., Any]) -> None:
    from relineage.emitter import Lineage

    (folder / "images").mkdir()
    (folder / "images" / "a.png").write_bytes(b"x" * 100)
    with Lineage(namespace="n", environ={}).run("load", seed=1) as run:
        run.input(folder / "images")

    assert relineage("trace", "images").out.startswith(f"{folder}/images@")


def test_a_file_that_changed_is_told_with_what_was_recorded(
    project: Path, relineage: Callable[..., Any]
) -> None:
    (project / "raw.csv").write_text("a,b\n1,2\n")

    said = relineage("trace", "raw.csv")
    first, second, *recorded = said.err.splitlines()

    assert said.code == 2
    assert first.startswith("relineage: raw.csv is not known by its content (b3-table1:")
    assert second == "recorded under that path:"
    assert len(recorded) == 1
    assert recorded[0].startswith(f"  dataset:{project}/raw.csv@b3-table1:")
    assert relineage("trace", recorded[0].strip().partition(", ")[0]).code == 0


@pytest.mark.parametrize("command", ["trace", "show"])
def test_a_path_that_lists_show_is_found_when_the_file_is_gone(
    command: str, project: Path, relineage: Callable[..., Any]
) -> None:
    (project / "raw.csv").unlink()
    [listed] = [line.split()[0] for line in relineage("datasets").out.splitlines() if "raw.csv" in line]

    assert listed.startswith(f"{project}/raw.csv@")
    for x in (listed, f"{project}/raw.csv"):
        said = relineage(command, x)
        assert (said.code, said.err) == (0, "")
        assert f"{project}/raw.csv" in said.out


@pytest.mark.parametrize("command", ["trace", "show"])
def test_a_path_whose_file_changed_stands_for_what_was_recorded_and_that_is_said(
    command: str, project: Path, relineage: Callable[..., Any]
) -> None:
    (project / "raw.csv").write_text("a,b\n1,2\n")

    said = relineage(command, project / "raw.csv")

    assert said.code == 0
    assert said.err.startswith(f"relineage: {project}/raw.csv is not known by its content (b3-table1:")
    assert said.err.endswith("; this is what was recorded under its name\n")


def test_no_verdict_is_given_on_a_file_that_changed(project: Path, relineage: Callable[..., Any]) -> None:
    relineage("runs")
    (project / "raw.csv").write_text("a,b\n1,2\n")
    path = project / "raw.csv"

    for arguments in (("verify", path), ("why", path, "train"), ("diff", "train", path)):
        said = relineage(*arguments)
        assert said.code == 2
        assert "is not known by its content" in said.err


@pytest.mark.parametrize("x", ["", " ", "~no-such-user/x", "a" * 5000, "/" + "a" * 5000])
def test_what_can_be_no_path_is_one_error(x: str, asked: Path, relineage: Callable[..., Any]) -> None:
    said = relineage("trace", x)

    assert said.code == 2
    begins = ("X is empty", "nothing is known as ", "there is no file ")
    assert said.err.startswith(tuple(f"relineage: {begin}" for begin in begins))


@pytest.mark.parametrize("command", ["trace", "verify", "replay"])
@pytest.mark.parametrize("x", ["model.pt", "./model", "../models/fraud.joblib", "~/model"])
def test_of_a_file_that_is_not_there_that_is_said_first(
    command: str, x: str, project: Path, relineage: Callable[..., Any]
) -> None:
    said = relineage(command, x)

    assert said.code == 2
    assert said.err.startswith(
        f"relineage: there is no file {x} here, and nothing is known as {x}; nearest:\n  "
    )


@pytest.mark.parametrize("command", ["trace", "verify", "replay"])
def test_a_file_that_is_not_there_is_no_matter_of_a_project(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, relineage: Callable[..., Any]
) -> None:
    """It was: only that there is no `.relineage` here."""
    monkeypatch.chdir(tmp_path)

    said = relineage(command, "fraud.lineage")

    assert said.code == 2
    assert said.err.startswith(
        "relineage: there is no file fraud.lineage here, and no .relineage here or above"
    )
    assert "name a bundle" in said.err
    assert list(tmp_path.iterdir()) == []


def test_the_nearest_files_are_told_by_their_paths(asked: Path, relineage: Callable[..., Any]) -> None:
    candidates = relineage("trace", "raw.cvs").err.splitlines()[1:]

    assert f"  dataset:{asked}/raw.csv" in candidates
    assert relineage("trace", f"dataset:{asked}/raw.csv").code == 0


def test_a_file_that_was_never_recorded_is_told(project: Path, relineage: Callable[..., Any]) -> None:
    (project / "new.csv").write_text("a,b\n1,2\n")

    said = relineage("trace", "new.csv")

    assert said.code == 2
    assert "nothing was ever recorded under that path" in said.err


def test_a_name_wins_over_a_file_without_a_slash(project: Path, relineage: Callable[..., Any]) -> None:
    (project / "train").write_text("a file")

    assert relineage("trace", "train").out.startswith("fraud/models/fraud@")
    assert relineage("trace", "./train").code == 2


def test_a_name_with_a_slash_that_is_a_file_too_is_asked_back(
    project: Path, relineage: Callable[..., Any]
) -> None:
    (project / "models").mkdir()
    (project / "models" / "fraud").write_text("a file")

    said = relineage("trace", "models/fraud")

    assert said.code == 2
    assert said.err.splitlines()[1:] == ["  dataset:models/fraud", "  ./models/fraud"]
    assert relineage("trace", "dataset:models/fraud").code == 0


def test_a_run_is_found_by_the_beginning_of_its_id(project: Path, relineage: Callable[..., Any]) -> None:
    run_id = relineage("runs", "--format", "json").json[0]["run_id"]

    assert relineage("show", run_id[:18], "--format", "json").json["run"][0]["run_id"] == run_id
    assert relineage("show", f"run:{run_id[:18].upper()}", "--format", "json").code == 0


def test_the_beginning_of_several_run_ids_lists_them(
    folder: Path, tell: Callable[..., Any], relineage: Callable[..., Any]
) -> None:
    ids = [f"0199a000-0000-7000-8000-00000000000{digit}" for digit in "ab"]
    for hour, run_id in enumerate(ids):
        tell(folder, "load", hour, run={"runId": run_id})

    said = relineage("show", "0199a000-0000")

    assert said.code == 2
    assert [line.split()[0] for line in said.err.splitlines()[1:]] == [f"run:{run_id}" for run_id in ids]
