"""Jobs that ran, done again: what is said of each, and what is left of the replay."""

import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_projects import change_object, git
from replay_projects import HEAD

from relineage.emitter.digests.closeness import Tolerance

TRAIN = """
with lineage.run("train") as run:
    raw = run.input(Path("raw.txt"), role="raw").read_text()
    run.output({"w": np.random.random(9), "r": np.array([random.random()])}, name="models/m", role="model")
    run.output(raw.upper(), name="texts", role="text")
"""


def test_a_job_whose_seed_was_drawn_comes_out_the_same_bit_for_bit(project) -> None:
    (project.folder / "raw.txt").write_text("some text " * 20)
    project.write(train=TRAIN)
    project.run("train.py")
    before = project.files()

    verdict = project.replay("models/m")

    assert (verdict.verdict, verdict.reason, verdict.causes, verdict.setting) == ("bitwise", None, (), ())
    assert {one.role: one.verdict for one in verdict.outputs} == {"model": "bitwise", "text": "bitwise"}
    assert all(one.original == one.replayed for one in verdict.outputs)
    assert project.files() == before


def test_nothing_is_left_of_a_replay(project, temporary: Callable[[], list[Path]]) -> None:
    (project.folder / "raw.txt").write_text("some text " * 20)
    project.write(train=TRAIN)
    project.run("train.py")

    project.replay("models/m")

    assert temporary() == []
    assert len(git(project.folder, "worktree", "list").splitlines()) == 1
    with project.store() as store:
        assert store.connection.execute("select count(*) from runs").fetchall() == [(1,)]


def test_the_code_that_ran_is_replayed_whatever_the_work_tree_holds_now(project) -> None:
    (project.folder / "raw.txt").write_text("some text " * 20)
    project.write(train=TRAIN)
    project.run("train.py")
    project.write(train="raise SystemExit('another program')")
    (project.folder / "train.py").write_text("neither is this committed")

    assert project.replay("models/m").verdict == "bitwise"


def test_code_that_was_changed_among_git_s_objects_is_not_run(project, tmp_path: Path) -> None:
    """git does not compare what it reads with its id: another program would be called non-determinism."""
    project.write(
        train="""
with lineage.run("train") as run:
    run.output(np.array([1.5]), name="m")
"""
    )
    project.run("train.py")
    git(
        project.folder,
        "clone",
        "--quiet",
        "--mirror",
        "--no-hardlinks",
        str(project.folder),
        str(tmp_path / "sound"),
    )
    snapshot = project.recorded("m").snapshot
    change_object(project.folder, git(project.folder, "rev-parse", f"{snapshot}:train.py"), b"1.5", b"2.5")

    verdict = project.replay("m")

    assert verdict.verdict == "not replayed"
    assert f"is in {project.folder}, but train.py is not what its id, " in verdict.reason
    assert project.replay("m", repositories=[tmp_path / "sound"]).verdict == "bitwise"


def test_the_code_is_checked_out_whole_where_only_a_part_of_it_is_looked_at(project) -> None:
    (project.folder / "lib").mkdir()
    (project.folder / "lib" / "parts.py").write_text("VALUE = 3.5\n")
    project.write(
        train="""
import lib.parts
with lineage.run("train") as run:
    run.output(np.array([lib.parts.VALUE]), name="m")
"""
    )
    project.run("train.py")
    git(project.folder, "sparse-checkout", "set", "elsewhere")
    assert not (project.folder / "lib").exists()

    assert project.replay("m").verdict == "bitwise"
    assert not (project.folder / "lib").exists()
    assert git(project.folder, "status", "--porcelain") == ""


def test_submodules_are_checked_out_too_or_told_to_be_missing(project, tmp_path: Path) -> None:
    """They were empty folders, and the replay said that a module is not there."""
    part = tmp_path / "part"
    part.mkdir()
    git(part, "init", "-q")
    (part / "parts.py").write_text("VALUE = 3.5\n")
    git(part, "add", "-A")
    git(part, "commit", "-qm", "one")
    project.write(
        train="""
import lib.parts
with lineage.run("train") as run:
    run.output(np.array([lib.parts.VALUE]), name="m")
"""
    )
    git(project.folder, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(part), "lib")
    project.commit()
    project.run("train.py")

    assert project.replay("m").verdict == "bitwise"
    for folder in (project.folder, project.folder / "lib"):
        assert len(git(folder, "worktree", "list").splitlines()) == 1

    shutil.rmtree(project.folder / "lib")
    (project.folder / "lib").mkdir()
    verdict = project.replay("m")
    assert verdict.verdict == "not replayed"
    assert any("the submodule lib, " in one and "git submodule update" in one for one in verdict.notes)


def test_all_runs_of_a_process_get_what_was_drawn_for_each(project) -> None:
    project.write(
        many="""
for i in range(3):
    with lineage.run("draw") as run:
        run.output(np.random.random(9), name=f"numbers/{i}")
with lineage.run("outer"):
    with lineage.run("draw") as run:
        run.output(np.random.random(9), name="numbers/inner")
with lineage.run("given", seed=7) as run:
    run.output(np.random.random(9), name="numbers/given")
"""
    )
    project.run("many.py")

    for name in ("numbers/0", "numbers/1", "numbers/2", "numbers/inner", "numbers/given"):
        assert project.replay(name).verdict == "bitwise", name


UNSEEDED = """
with lineage.run("train", seed=1) as run:
    run.input("an input that is always the same, for the answer to why" * 2, role="text")
    run.output({"a": np.arange(9.0), "w": np.random.default_rng().random(9)}, name="m", role="model", store=True)
"""


def test_a_generator_without_a_seed_is_told_with_the_first_tensor_that_differs(project) -> None:
    project.write(train=UNSEEDED)
    project.run("train.py")

    verdict = project.replay("m")

    assert verdict.verdict == "not reproduced"
    [output] = verdict.outputs
    assert output.verdict == "different"
    assert output.difference.startswith(
        "tensor w: 9 of 9 values differ, the first at position 0, by at most 0."
    )
    assert verdict.reason.startswith("output model fraud/m: tensor w: ")
    assert [cause.what for cause in verdict.causes] == ["non-determinism"]


def test_a_replay_reads_events_with_every_character_and_those_before_a_sudden_end(project) -> None:
    project.write(
        train="""
import os, signal
with lineage.run("train", params={"text": "\\u2028 \\x85 \\x0c"}) as run:
    run.output(np.random.random(9), name="m")
lineage.close()
if os.environ.get("RELINEAGE_REPLAY"):
    file = next((Path(os.environ["RELINEAGE_REPLAY"]).parents[1] / "home" / "events").glob("*.ndjson"))
    with file.open("a") as half:
        half.write('{"eventType": "COMP')
    os.kill(os.getpid(), signal.SIGKILL)
"""
    )
    project.run("train.py")

    verdict = project.replay("m")

    assert (verdict.verdict, verdict.notes) == ("bitwise", ("the program was ended by signal 9",))


def test_an_argument_that_has_moved_for_the_replay_is_no_cause(project, tmp_path: Path) -> None:
    project.write(
        train="""
with lineage.run("train", seed=1) as run:
    run.input(Path(sys.argv[1].partition("=")[2]), role="raw")
    run.output(np.random.default_rng().random(9), name="m")
"""
    )
    (tmp_path / "raw.csv").write_text("a\n1\n")
    project.run("train.py", f"--raw={tmp_path / 'raw.csv'}")

    assert [cause.what for cause in project.replay("m").causes] == ["non-determinism"]


def test_what_was_recorded_otherwise_than_it_was_done_is_told_of_a_run_that_is_reproduced(project) -> None:
    """The outputs are the same: that what is told of the way to them is not, nobody would see."""
    project.write(
        train="""
with lineage.run("train", seed=3, params={"rate": 0.5}) as run:
    run.input("a text that is long enough" * 9, role="text")
    run.output(np.arange(9.0), name="m")
"""
    )
    project.run("train.py")
    assert project.replay("m").notes == ()
    digest = next(one for each in project.recorded("m").read for one in each.digests)
    for file in (project.folder / ".relineage" / "events").glob("*.ndjson"):
        text = (
            file.read_text().replace(digest, digest[:-8] + "0" * 8).replace('"entropy":"3"', '"entropy":"4"')
        )
        file.write_text(re.sub(r'("value": ?")0\.5"', r'\g<1>0.75"', text))

    verdict = project.replay("m")

    assert verdict.verdict == "bitwise"
    assert [one.partition(" done: ")[2].partition(":")[0] for one in verdict.notes] == [
        "parameter rate", "seed", "input text",
    ]  # fmt: skip
    assert "recorded otherwise than done: parameter rate: float: 0.75 → float: 0.5" in verdict.notes


def test_within_a_tolerance_it_is_reproduced_and_the_tolerance_is_said(project) -> None:
    project.write(train=UNSEEDED)
    project.run("train.py")

    near = project.replay("m", tolerance=Tolerance(absolute=1.0), tolerance_text="atol=1")
    far = project.replay("m", tolerance=Tolerance(absolute=1e-9), tolerance_text="atol=1e-9")

    assert (near.verdict, near.tolerance, near.reason) == ("within tolerance", "atol=1", None)
    assert near.outputs[0].difference.startswith("at most 0.")
    assert far.verdict == "not reproduced"


def test_without_the_data_the_digests_name_the_first_column_that_differs(project) -> None:
    project.write(
        train="""
import pyarrow as pa
with lineage.run("train", seed=1) as run:
    run.output(pa.table({"a": [1, 2, 3], "b": np.random.default_rng().random(3)}), name="t")
"""
    )
    project.run("train.py")

    [output] = project.replay("t").outputs

    assert output.difference == "column b: values differ in rows 0 to 2; the original is not in the store"


@pytest.mark.parametrize("place", ["below the work tree", "an argument", "a folder named by an argument"])
def test_files_that_are_written_are_compared_and_the_originals_stay(
    project, tmp_path: Path, place: str
) -> None:
    target = {
        "below the work tree": project.folder / "out" / "m.bin",
        "an argument": tmp_path / "elsewhere" / "m.bin",
        "a folder named by an argument": tmp_path / "elsewhere" / "deep" / "m.bin",
    }[place]
    argument = {
        "below the work tree": "out/m.bin",
        "an argument": str(target),
        "a folder named by an argument": f"--to={tmp_path / 'elsewhere'}",
    }[place]
    target.parent.mkdir(parents=True)
    project.write(
        train="""
target = Path(sys.argv[1].removeprefix("--to="))
target = target / "deep" / "m.bin" if sys.argv[1].startswith("--to=") else target
with lineage.run("train") as run:
    target.write_bytes(np.random.bytes(99))
    run.output(target, role="file")
"""
    )
    project.run("train.py", argument)
    before, state = target.read_bytes(), target.stat()

    verdict = project.replay("train")

    assert verdict.verdict == "bitwise", verdict
    assert [one.name for one in verdict.outputs] == [str(target)]
    assert (target.read_bytes(), target.stat().st_mtime_ns) == (before, state.st_mtime_ns)


@pytest.mark.parametrize("given", ["", ', name="models/fixed"'], ids=["unnamed", "named"])
def test_what_a_job_would_overwrite_keeps_it_from_being_replayed(project, tmp_path: Path, given: str) -> None:
    target = tmp_path / "fixed.bin"
    project.write(
        train=f"""
with lineage.run("train") as run:
    Path({str(target)!r}).write_bytes(np.random.bytes(99))
    run.output(Path({str(target)!r}){given})
"""
    )
    project.run("train.py")
    target.write_text("what is there now")

    verdict = project.replay("train")

    assert verdict.verdict == "not replayed"
    assert verdict.reason.startswith(f"it writes {target}, which no argument of its command names")
    assert target.read_text() == "what is there now"


def test_the_paths_of_other_runs_under_the_same_name_are_none_of_this_run_s(project, tmp_path: Path) -> None:
    project.write(
        train="""
with lineage.run("train") as run:
    Path(sys.argv[1]).write_bytes(np.random.bytes(99))
    run.output(Path(sys.argv[1]), name="models/m", role="model")
"""
    )
    for name in ("a.bin", "b.bin"):
        project.run("train.py", str(tmp_path / name))

    assert project.replay("models/m").verdict == "bitwise"


def test_a_named_file_is_written_to_a_folder_that_git_does_not_keep(project) -> None:
    project.write(
        train="""
with lineage.run("train") as run:
    Path("out/m.bin").write_bytes(np.random.bytes(99))
    run.output(Path("out/m.bin"), name="models/m")
"""
    )
    (project.folder / "out").mkdir()
    project.run("train.py")

    assert project.replay("models/m").verdict == "bitwise"


@pytest.fixture
def moved(project) -> Path:
    """A project whose data git ignores, which has changed its place since it ran."""
    (project.folder / "raw.bin").write_text("some text " * 20)
    project.write(
        train="""
with lineage.run("train") as run:
    raw = run.input(Path("raw.bin"), name="texts/raw", role="raw").read_text()
    run.output(raw.upper(), name="texts/upper")
"""
    )
    project.run("train.py")
    project.folder = project.folder.rename(project.folder.with_name("moved"))
    return project.folder


def test_data_of_a_project_that_has_moved_is_found_at_the_same_place_in_it(project, moved: Path) -> None:
    where = {"repositories": [moved], "around": moved}

    assert project.replay("texts/upper", **where).verdict == "bitwise"
    assert project.replay("texts/upper", **where, here=False).verdict == "bitwise"


@pytest.mark.parametrize("is_there", [True, False])
def test_data_at_the_same_place_is_not_taken_on_trust(project, moved: Path, is_there: bool) -> None:
    (moved / "raw.bin").write_text("another text " * 20) if is_there else (moved / "raw.bin").unlink()

    verdict = project.replay("texts/upper", repositories=[moved], around=moved)

    assert verdict.verdict == "not replayed"
    then = moved.with_name("project") / "raw.bin"
    wanted = f"input {moved / 'raw.bin'} is not what was read: " if is_there else f"input {then} is lost: "
    assert verdict.reason.startswith(wanted)
    assert is_there or f"and it is not at {moved / 'raw.bin'}" in verdict.reason


def test_a_path_of_the_work_tree_in_the_code_is_not_written_to(project) -> None:
    # Nothing recorded tells of it: the guard does.
    target = project.folder / "log.bin"
    project.write(
        train=f"""
Path({str(target)!r}).write_text("a line")
with lineage.run("train") as run:
    run.output("a text that is long enough" * 9)
"""
    )
    project.run("train.py")
    target.write_text("what is there now")

    verdict = project.replay("train")

    assert verdict.verdict == "not replayed"
    assert verdict.reason == (
        f"it wanted to change {target}, which a replay may not: the path is written in the code"
    )
    assert target.read_text() == "what is there now"


def test_code_that_is_loaded_from_the_work_tree_is_not_the_snapshots(project) -> None:
    (project.folder / "lib").mkdir()
    (project.folder / "lib" / "helper.py").write_text("VALUE = 1\n")
    project.write(
        train=f"""
sys.path.insert(0, {str(project.folder / "lib")!r})
import helper
with lineage.run("train") as run:
    run.output("a text that is long enough" * 9)
"""
    )
    project.run("train.py")

    verdict = project.replay("train")

    assert verdict.verdict == "not replayed"
    assert "helper" in verdict.reason
    assert "which need not be the recorded code" in verdict.reason


def test_a_program_that_fails_in_its_replay_was_not_replayed_and_its_last_words_are_told(project) -> None:
    (project.folder / "secret.bin").write_text("not in git, and nobody recorded it")
    project.write(
        train="""
with lineage.run("train") as run:
    run.output(Path("secret.bin").read_text() * 9)
"""
    )
    project.run("train.py")

    verdict = project.replay("train")

    assert verdict.verdict == "not replayed"
    assert verdict.reason.startswith(
        "the program did not complete this run: it ended with code 1: FileNotFoundError"
    )


def test_a_run_that_failed_fails_again(project) -> None:
    project.write(
        train="""
with lineage.run("train") as run:
    run.output(np.random.random(9), name="half")
    raise ValueError("as always")
"""
    )
    project.run("train.py", check=False)

    verdict = project.replay("half")

    assert verdict.verdict == "bitwise"
    assert verdict.notes == (
        "the program ended with code 1: ValueError: as always",
        "the original run did not complete: it is FAIL",
    )


def test_environment_variables_are_the_recorded_ones(project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write(
        train="""
import os
with lineage.run("train") as run:
    run.output(repr([os.environ.get(n) for n in ("PYTHONHASHSEED", "OMP_NUM_THREADS", "RELINEAGE_KAFKA")]) * 9)
    run.output(repr(list({str(i) for i in range(50)})), role="order")
"""
    )
    project.run("train.py", PYTHONHASHSEED="5")
    monkeypatch.setenv("PYTHONHASHSEED", "6")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("RELINEAGE_KAFKA", "localhost:1")

    assert project.replay("train").verdict == "bitwise"


@pytest.mark.parametrize(
    ("named", "start"), [("src", "."), ("../src", "jobs"), ("{name}/src", ".."), ("{folder}/src", ".")]
)
def test_modules_are_found_where_pythonpath_named_folders_but_in_the_snapshot(
    project, named: str, start: str
) -> None:
    text = """
with lineage.run("train", seed=1) as run:
    run.output({"w": np.array([constant.VALUE, random.random()])}, name="model")
"""
    for folder in ("src/fraud", "jobs"):
        (project.folder / folder).mkdir(parents=True)
    (project.folder / "src" / "fraud" / "train.py").write_text(HEAD + "from . import constant\n" + text)
    constant = project.folder / "src" / "fraud" / "constant.py"
    constant.write_text("VALUE = 2.0\n")
    (project.folder.parent / ".relineage").symlink_to(project.folder / ".relineage")
    project.commit()
    path = named.format(folder=project.folder, name=project.folder.name)
    project.run("-m", "fraud.train", cwd=project.folder / start, PYTHONPATH=path)
    constant.write_text("VALUE = 30.0\n")

    replayed = project.replay("train")

    assert replayed.verdict == "bitwise", replayed


def test_events_go_nowhere_else_whatever_the_project_says(project, tmp_path: Path) -> None:
    (project.folder / "openlineage.yml").write_text(
        f"transport:\n  type: file\n  log_file_path: {tmp_path}/theirs\n  append: true\n"
    )
    project.write(
        train="""
with lineage.run("train") as run:
    run.output(np.random.random(9), name="m")
"""
    )
    project.run("train.py")
    events = (tmp_path / "theirs").read_bytes()
    (project.folder / ".relineage" / "events").mkdir(parents=True)
    (project.folder / ".relineage" / "events" / "a.ndjson").write_bytes(events)

    assert project.replay("m").verdict == "bitwise"
    assert (tmp_path / "theirs").read_bytes() == events


def test_a_run_without_outputs_proves_nothing_and_has_no_causes(project) -> None:
    """It was: not reproduced, for the unknown cause that what it wrote has no digest."""
    project.write(train='with lineage.run("train") as run: run.metric("auc", 0.5)')
    project.run("train.py")

    verdict = project.replay("train")

    assert (verdict.verdict, verdict.reason) == (
        "not replayed", "it has no outputs, then or now: there is nothing to compare",
    )  # fmt: skip
    assert verdict.causes == ()


def test_a_run_around_others_is_judged_by_what_these_made(project) -> None:
    project.write(
        train="""
@lineage.step
def draw(size):
    return np.random.random(size)
@lineage.step
def entropy(size):
    return draw(size) + np.random.default_rng().random(size)
@lineage.step
def report(x): pass
with lineage.run("pipeline", seed=1) as run:
    report(entropy(9))
draw(2)
"""
    )
    project.run("train.py")

    verdicts = project.replay_within("pipeline")

    assert [(one.job, one.verdict) for one in verdicts] == [
        ("fraud/entropy", "not reproduced"), ("fraud/draw", "bitwise"),
    ]  # fmt: skip
    assert [one.job for one in project.replay_within("entropy")] == ["fraud/entropy"]


def test_more_outputs_than_then_are_a_difference(project) -> None:
    # A file that git ignores and that is gone: the job takes another way.
    project.write(
        train="""
with lineage.run("train", seed=1) as run:
    run.output(np.random.random(9), name="m")
    if not Path("made.bin").exists():
        run.output(np.random.random(9), name="n", role="other")
"""
    )
    (project.folder / "made.bin").write_text("x")
    project.run("train.py")

    verdict = project.replay("train")

    assert verdict.verdict == "not reproduced"
    assert verdict.reason == "output other fraud/n: it came out of the replay only"


def test_of_very_many_tensors_the_first_that_differs_is_named_without_their_data(project) -> None:
    project.write(
        train="""
with lineage.run("train", seed=1) as run:
    state = {f"a rather long name of a layer, number {i}": np.arange(i, i + 9.0) for i in range(500)}
    state["a rather long name of a layer, number 400"] = np.random.default_rng().random(9)
    run.output(state, name="m")
"""
    )
    project.run("train.py")
    shutil.copytree(project.folder / ".relineage" / "objects", project.folder.parent / "objects")

    [output] = project.replay("m").outputs

    assert output.difference.startswith("tensor a rather long name of a layer, number 400: values differ")


def test_what_a_program_made_of_its_standard_input_is_neither_reproduced_nor_non_determinism(project) -> None:
    project.write(
        count="""
with lineage.run("count") as run:
    run.output(sys.stdin.read().upper() + "!" * 70, name="counted")
""",
        ignore="""
with lineage.run("ignore") as run:
    sys.stdin.read()
    run.output("always the same text " * 5, name="ignored")
""",
    )
    project.run("count.py", stdin="something")
    project.run("ignore.py", stdin="something")

    count, ignore = project.replay("counted"), project.replay("ignored")

    assert (count.verdict, count.causes) == ("not replayed", ())
    assert count.reason.startswith(
        "it read standard input, of which nothing is recorded; without any, output "
    )
    assert ignore.verdict == "bitwise"


def test_files_that_the_snapshot_does_not_hold_are_told_where_something_else_comes_out(project) -> None:
    project.write(
        read="""
with lineage.run("read") as run:
    big = Path("big.txt")
    run.output("text " * (40 if big.exists() or len(sys.argv) < 2 else 50), name="texts/read")
    if len(sys.argv) < 2:
        big.read_text()
"""
    )
    (project.folder / "big.txt").write_text("a" * 1_500_000)
    project.run("read.py")
    lost = project.replay("texts/read")
    project.run("read.py", "softly")
    other = project.replay("texts/read")

    assert (lost.verdict, other.verdict) == ("not replayed", "not reproduced")
    for verdict in (lost, other):
        assert [note for note in verdict.notes if note.startswith("not in the snapshot: big.txt: ")]


@pytest.mark.parametrize("linked", ["data", "files"])
def test_a_link_in_the_code_that_leads_elsewhere_is_not_followed_to_somebodys_files(
    linked: str, project, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if linked == "data":
        (project.folder / "data").symlink_to(disk)
    else:
        (project.folder / "data").mkdir()
        for name in ("raw.txt", "out.txt"):
            (project.folder / "data" / name).symlink_to(disk / name)
    (disk / "raw.txt").write_text("what was read " * 9)
    project.write(
        shout="""
with lineage.run("shout") as run:
    text = run.input(Path("data/raw.txt"), store=True).read_text()
    Path("data/out.txt").write_text(text.upper())
    run.output(Path("data/out.txt"))
"""
    )
    project.run("shout.py")
    (disk / "raw.txt").write_text("changed since")
    (disk / "out.txt").write_text("changed, too")

    verdict = project.replay("job:shout")

    assert (verdict.verdict, verdict.reason) == ("bitwise", None)
    assert {file.name: file.read_text() for file in disk.iterdir()} == {
        "raw.txt": "changed since",
        "out.txt": "changed, too",
    }


LOOP = """
@lineage.step
def draw(index):
    return np.random.default_rng().random(9)
with lineage.run("loop", seed=1) as run:
    for index in range(int(sys.argv[1])):
        draw(index)
    run.output(np.arange(9.0), name=f"loop/{sys.argv[1]}")
"""


def test_of_a_job_with_many_runs_the_first_and_the_last_are_asked_why(project) -> None:
    """It was each of them: hours for a training of ten thousand steps."""
    project.write(train=LOOP.partition("    run.output")[0])
    project.run("train.py", "12")

    verdicts = project.replay_within("loop")

    assert [one.verdict for one in verdicts] == ["not reproduced"] * 12
    assert [bool(one.causes) for one in verdicts] == [True, *[False] * 10, True]


def test_a_replay_looks_at_all_runs_of_a_process_together(project) -> None:
    """It asked the database anew for each: minutes for a training of a thousand steps that was over in seconds."""
    project.write(train=LOOP)
    seconds = []
    for steps in ("5", "100"):
        project.run("train.py", steps)
        began = time.process_time()
        assert project.replay(f"loop/{steps}").verdict == "bitwise"
        seconds.append(time.process_time() - began)

    assert seconds[1] < 3 * seconds[0]


def test_what_a_spawned_worker_made_otherwise_is_told_by_what_differed_there(project) -> None:
    """It was told as raw data, since the original's workers are runs of other processes."""
    project.write(
        train="""
import multiprocessing
@lineage.step
def load(index):
    return np.random.random(20)
@lineage.step
def mean(part):
    return part * 2
if __name__ == "__main__":
    with lineage.run("train", seed=1) as run:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            [part] = pool.map(load, [0])
        run.output(mean(part), name="models/m")
"""
    )
    project.run("train.py")

    verdict = project.replay("models/m")

    assert verdict.verdict == "not reproduced"
    assert [(one.what, one.job_name) for one in verdict.causes if one.grade == "cause"] == [("seed", "load")]
