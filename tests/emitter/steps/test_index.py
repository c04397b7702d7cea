"""What the cache of steps remembers on the disk."""

import os
import subprocess
import sys

import pytest

from relineage.emitter.steps.index import Index, Unusable

RECIPE = "b3-recipe1:" + "ab" * 32
OTHER = "b3-recipe1:" + "cd" * 32


@pytest.fixture
def index(tmp_path):
    return Index(tmp_path)


def keep(index, recipe=RECIPE, **said):
    index.publish(index.prepare(recipe, {"run": "r", **said}), recipe)


def test_an_entry_is_found_by_its_recipe(index):
    assert index.find(RECIPE) is None
    keep(index, bytes=3, metrics=[["auc", float("nan"), None]])
    entry = index.find(RECIPE)

    assert entry.said == {
        "format": 3,
        "recipe": RECIPE,
        "run": "r",
        "bytes": 3,
        "metrics": [["auc", "NaN", None]],
    }
    assert index.find(OTHER) is None
    assert (index.folder / ".gitignore").read_text() == "*\n"


def test_an_entry_that_is_not_published_is_not_there(index):
    index.prepare(RECIPE, {"run": "r"})

    assert index.find(RECIPE) is None
    assert list(index.scan()) == []


def test_the_last_writer_wins(index):
    keep(index, run="one")
    keep(index, run="two")

    assert index.find(RECIPE).said["run"] == "two"


def test_entries_are_listed_by_when_they_were_last_used(index):
    keep(index)
    keep(index, OTHER)
    for number, recipe in enumerate((RECIPE, OTHER)):
        os.utime(index.find(recipe).file, (number, number))
    assert [entry.said["recipe"] for entry in index.scan()] == [OTHER, RECIPE]
    index.used(index.find(RECIPE))

    assert [entry.said["recipe"] for entry in index.scan()] == [RECIPE, OTHER]


def test_entries_that_are_used_within_one_tick_of_the_file_system_are_told_apart(index):
    recipes = [f"b3-recipe1:{number:064x}" for number in range(9)]
    for recipe in recipes:
        keep(index, recipe)
    for recipe in recipes[:4]:
        index.used(index.find(recipe))

    assert [entry.said["recipe"] for entry in index.scan()] == [*recipes[3::-1], *recipes[:3:-1]]


@pytest.mark.parametrize("place", range(0, 200, 7))
def test_an_entry_with_any_byte_changed_is_none(index, place):
    keep(index, note="x" * 200)
    file = index.find(RECIPE).file
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(data)

    with pytest.raises(Unusable, match="its entry is damaged"):
        index.find(RECIPE)
    assert list(index.scan()) == []


@pytest.mark.parametrize("length", [0, 1, 64, 65, 100])
def test_half_an_entry_is_none(index, length):
    keep(index)
    file = index.find(RECIPE).file
    file.write_bytes(file.read_bytes()[:length])

    with pytest.raises(Unusable, match="its entry is damaged"):
        index.find(RECIPE)


def test_an_entry_under_another_name_is_none(index):
    keep(index)
    index.find(RECIPE).file.rename(index.folder / f"{'cd' * 32}.json")

    with pytest.raises(Unusable, match="another version"):
        index.find(OTHER)


def test_an_entry_that_cannot_be_read_is_none(index):
    (index.folder / f"{'ab' * 32}.json").mkdir(parents=True)

    with pytest.raises(Unusable, match="cannot be read"):
        index.find(RECIPE)


def test_secrets_are_not_written(index):
    keep(index, note="password=hunter2abc")

    assert b"hunter2abc" not in index.find(RECIPE).file.read_bytes()


def test_many_processes_may_write_one_recipe(index, tmp_path):
    script = (
        "import sys; from pathlib import Path; from relineage.emitter.steps.index import Index\n"
        "index = Index(Path(sys.argv[1]))\n"
        f"for n in range(100):\n    index.publish(index.prepare({RECIPE!r}, {{'run': 'x' * 5000}}), {RECIPE!r})\n"
        f"    assert index.find({RECIPE!r}).said['run'] == 'x' * 5000\n"
    )
    several = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path)]) for _ in range(3)]

    assert [one.wait(60) for one in several] == [0, 0, 0]
    assert [file.name for file in index.folder.iterdir() if file.name != ".gitignore"] == [
        f"{'ab' * 32}.json"
    ]
