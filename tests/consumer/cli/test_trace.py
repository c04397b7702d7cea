"""`relineage trace`: the tree, its marks, and what programs get."""

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_projects import command_line

from relineage.consumer.ask import Hop
from relineage.consumer.cli.tree import Lineage, distinct_digits


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


def test_a_trace_goes_from_the_model_to_the_file_it_began_with(
    asked: Path, relineage: Callable[..., Any]
) -> None:
    tree = lines(relineage("trace", "models/fraud").out)

    assert tree[0].startswith("fraud/models/fraud@")
    assert " ← train (complete) " in tree[0]
    assert tree[1].startswith("└── train: fraud/features/train@")
    assert " ← split (complete) " in tree[1]
    assert tree[2].startswith("    └── features: fraud/features/all@")
    assert tree[3].startswith(f"        └── raw: {asked}/raw.csv@")
    assert tree[3].endswith("○ raw source")
    assert "  ○ raw source: no run is known that wrote it" in tree
    assert not any("inferred" in line for line in tree)


def test_what_the_tree_shows_can_be_asked_for(asked: Path, relineage: Callable[..., Any]) -> None:
    first = lines(relineage("trace", "models/fraud").out)[0]
    version, _, run = first.partition(" ← train (complete) ")

    assert lines(relineage("trace", version).out)[0] == first
    assert lines(relineage("trace", run).out)[0] == first


def test_down_shows_who_read_it_and_what_they_wrote(asked: Path, relineage: Callable[..., Any]) -> None:
    tree = lines(relineage("trace", "--down", "features/all").out)

    assert tree[0].startswith("fraud/features/all@")
    assert tree[1].startswith("├── → split (complete) ") or tree[1].startswith("└── → split (complete) ")
    assert tree[1].endswith(" as features")
    assert sum("fraud/models/fraud@" in line for line in tree) == 1
    # evaluate reads the model and the test set, and wrote nothing: nothing to unfold, nothing to see above.
    assert sum("→ evaluate (complete)" in line for line in tree) == 2
    assert not any("see above" in line for line in tree)


def test_a_dataset_that_nobody_read_says_so(
    folder: Path, tell: Callable[..., Any], relineage: Callable[..., Any]
) -> None:
    tell(folder, "load", 1, writes=[("a", "1")])

    assert "  nothing is known to have read it" in lines(relineage("trace", "--down", "a").out)


def test_weaker_bindings_are_marked_and_explained(
    folder: Path, tell: Callable[..., Any], relineage: Callable[..., Any]
) -> None:
    tell(folder, "load", 1, writes=[("guessed", None)])
    tell(folder, "join", 2, reads=[("guessed", None), ("late", "1"), ("raw", None)], writes=[("joined", "1")])
    tell(folder, "slow", 3, writes=[("late", "1")])

    tree = lines(relineage("trace", "joined").out)

    marks = {line.split("n/")[1].split(" ")[0].split("@")[0]: line.rpartition("  ")[2] for line in tree[1:4]}
    assert marks == {"guessed": "~ inferred", "late": "late", "raw": "○ raw source"}
    assert sum(line.startswith(("  ~ inferred: ", "  late: ", "  ○ raw source: ")) for line in tree) == 3


def test_a_run_is_unfolded_once(
    folder: Path, tell: Callable[..., Any], relineage: Callable[..., Any]
) -> None:
    tell(folder, "load", 1, reads=[("raw", "1")], writes=[("a", "1"), ("b", "1")])
    tell(folder, "join", 2, reads=[("a", "1"), ("b", "1")], writes=[("c", "1")])

    tree = relineage("trace", "c").out

    assert tree.count("n/raw@1") == 1
    assert tree.count("↑ see above") == 2  # at the second place, and in the legend


def test_a_run_that_read_two_of_a_chain_is_unfolded_where_it_comes_first(
    folder: Path, tell: Callable[..., Any], relineage: Callable[..., Any]
) -> None:
    """It said that it is to be seen above, where it stood below."""
    first, second = ({"runId": f"01a20777-935c-73be-9cd9-00000000000{number}"} for number in (1, 2))
    tell(folder, "clean", 1, reads=[("raw", "1")], writes=[("a", "1")], run=first)
    tell(folder, "join", 2, reads=[("a", "1"), ("raw", "1")], writes=[("b", "1")], run=second)

    told = lines(relineage("trace", "raw", "--down").out)
    joins = [line for line in told if "→ join" in line]

    assert joins[0].startswith("│       └── → join")
    assert not joins[0].endswith("see above")
    assert joins[1].endswith("↑ see above")
    assert sum("n/b@1" in line for line in told) == 1


def test_a_cycle_ends_and_is_told(
    folder: Path, tell: Callable[..., Any], relineage: Callable[..., Any]
) -> None:
    tell(folder, "one", 1, reads=[("b", "1")], writes=[("a", "1")])
    tell(folder, "two", 2, reads=[("a", "1")], writes=[("b", "1")])

    up = lines(relineage("trace", "a").out)
    down = relineage("trace", "--down", "a").out

    assert [line for line in up if line.endswith("↺ cycle")] == [up[2]]
    assert "upstream of itself" in up[-1]
    assert down.count("↺ cycle") == 2


def test_a_run_that_wrote_several_things_has_them_all_below_it(
    folder: Path, tell: Callable[..., Any], relineage: Callable[..., Any]
) -> None:
    tell(folder, "split", 1, reads=[("all", "1")], writes=[("test", "1"), ("train", "1")])

    tree = lines(relineage("trace", "split").out)

    assert tree[0] == "split"
    assert [line[4:].split("@")[0] for line in tree if line.startswith(("├──", "└──"))] == [
        "n/test",
        "n/train",
    ]
    assert sum("n/all@1" in line for line in tree) == 1


@pytest.mark.parametrize("way", ["--up", "--down"])
def test_a_run_without_inputs_and_outputs_says_so(
    way: str, folder: Path, tell: Callable[..., Any], relineage: Callable[..., Any]
) -> None:
    tell(folder, "sleep", 1)

    assert lines(relineage("trace", "sleep", way).out) == [
        "sleep",
        "  no input and no output of it is recorded",
    ]


def test_other_writers_of_a_version_are_counted(
    folder: Path, tell: Callable[..., Any], relineage: Callable[..., Any]
) -> None:
    for hour in (1, 2, 3):
        tell(folder, "load", hour, writes=[("a", "1")])

    assert lines(relineage("trace", "a").out)[0].endswith("  +2")


def test_other_writers_are_followed_on_request(
    folder: Path, tell: Callable[..., Any], relineage: Callable[..., Any]
) -> None:
    tell(folder, "load", 1, writes=[("raw", "1")])
    tell(folder, "copy", 2, reads=[("raw", "1")], writes=[("a", "1")])
    tell(folder, "other", 3, reads=[("else", "1")], writes=[("a", "1")])
    tell(folder, "train", 4, reads=[("a", "1")], writes=[("model", "1")])

    assert not any("copy" in line for line in lines(relineage("trace", "model").out))
    tree = lines(relineage("trace", "model", "--all-producers").out)

    assert any("copy" in line and line.endswith("+ also") for line in tree)
    assert any("n/raw@1 ← load" in line for line in tree)
    assert relineage("trace", "model", "--down", "--all-producers").code == 2


def hop(depth: int) -> Hop:
    """Of a chain of runs."""
    return Hop(
        depth=depth, dataset_namespace="n", dataset_name=f"d{depth}", version="1", digest=None, role="",
        how="version", also_written_by=None,
        writer_run_id=f"run-{depth}", writer_job_namespace="n", writer_job_name="j", writer_state="COMPLETE",
        reader_run_id=f"run-{depth - 1}" if depth else None,
    )  # fmt: skip


def test_a_lineage_deeper_than_the_stack_goes_straight_down() -> None:
    """It was a line of 12,000 blanks at the end, 18 MB in all, and took 20 s."""
    lineage = Lineage([hop(depth) for depth in range(3000)], {})

    tree = [(guide, "".join(text for text, _ in parts)) for guide, _, parts in lineage.upstream("d0")]

    assert [guide for guide, _ in tree] == ["", *["↓   "] * 2998, "└── "]
    assert all(text.startswith(f"n/d{depth}@1 ← j (complete) ") for depth, (_, text) in enumerate(tree))
    assert lineage.legend == {"↓": "what is below it follows at the same indentation"}


def test_a_short_history_is_no_history() -> None:
    lineage = Lineage([hop(depth) for depth in range(12)], {})

    assert [guide for guide, _, _ in lineage.upstream("d0")][-1] == " " * 40 + "└── "
    assert lineage.legend == {}


def test_long_histories_go_straight_down_and_are_not_squeezed_against_the_edge(
    folder: Path, tell: Callable[..., Any], relineage: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    for hour in range(23):
        reads = [(f"d{hour}", "1"), (f"with a name of many letters/e{hour}", "1")]
        tell(folder, f"job-number-{hour}", hour, reads=reads, writes=[(f"d{hour + 1}", "1")])

    up = lines(relineage("trace", "d23").out)
    down = lines(relineage("trace", "d0", "--down").out)

    assert sum("job-number-" in line for line in up) == 23
    assert up[1].startswith("├── n/with a name of many letters/e22@1  ○ raw source")
    assert up[2].startswith("↓   n/d22@1 ← job-number-21 (complete)")
    assert up[44].startswith("↓   n/d1@1 ← job-number-0 (complete)")
    assert down[1].startswith("↓   → job-number-0 (complete)")
    assert down[2] == "↓   n/d1@1"
    assert "└── n/d23@1" in down
    assert "  ↓: what is below it follows at the same indentation" in up
    assert "  ↓: what is below it follows at the same indentation" in down


def test_the_first_lines_of_a_long_history_are_had_alone(
    folder: Path, tell: Callable[..., Any], relineage: Callable[..., Any]
) -> None:
    for step in range(1500):
        at = f"2026-01-31T00:{step // 60:02}:{step % 60:02}Z"
        tell(folder, "step", 0, reads=[(f"d{step}", "1")], writes=[(f"d{step + 1}", "1")], eventTime=at)
    command = shlex.join(command_line("trace", "d1500"))

    done = subprocess.run(["bash", "-c", f"{command} | head -2"], cwd=folder, capture_output=True, check=True)

    assert [line.partition(" ← ")[0] for line in done.stdout.decode().splitlines()] == [
        "n/d1500@1",
        "↓   n/d1499@1",
    ]
    assert done.stderr == b""


def test_a_program_gets_the_rows_of_the_macro(asked: Path, relineage: Callable[..., Any]) -> None:
    rows = relineage("trace", "models/fraud", "--format", "json").json

    assert [row["depth"] for row in rows] == [0, 1, 2, 3]
    assert rows[0]["writer_job_name"] == "train"
    assert rows[1]["how"] == "version"
    assert rows[3]["dataset_name"] == f"{asked}/raw.csv"
    assert rows[3]["writer_run_id"] is None


def test_ids_are_as_long_as_they_must_be_to_differ() -> None:
    one = "01a20777-935c-73be-9cd9-e0f0be1a4a81"

    assert distinct_digits([one]) == 13
    assert distinct_digits([one, "01a20778-935c-73be-9cd9-e0f0be1a4a81"]) == 13
    assert distinct_digits([one, one[:20] + "f" + one[21:]]) == 21
    assert distinct_digits([]) == 13
