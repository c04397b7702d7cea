"""What is said of what a generator yields: the first items by themselves, all of them as one."""

import pytest
from step_events import content, roles, step_of

TEXT = """
    @lineage.step
    def batches(count, start=0.0):
        for number in range(count):
            yield np.full(10, number + start) * np.arange(10)

    @lineage.step
    def pairs(count):
        for number in range(count):
            yield np.arange(10.0) + number, [f"text {number}"] * 30

    @lineage.step
    def learn(batch): return None

    @lineage.step
    def odd(count):
        for number in range(count):
            yield object() if number == 17 else number
"""


@pytest.mark.parametrize("count", [0, 1, 16])
def test_up_to_sixteen_items_are_outputs_of_their_own(project, count):
    steps = project.module(TEXT)
    assert len(list(steps.batches(count))) == count

    assert roles(project.end(), "outputs") == {
        f"output[{number}]": f"batches/output[{number}]" for number in range(count)
    }


def test_of_more_items_all_are_one_more_output_a_table_of_their_digests(project):
    steps = project.module(TEXT)
    assert len(list(steps.batches(10_000))) == 10_000

    event = project.end()
    assert len(event["outputs"]) == 17
    table = content(event, "output")
    assert table["rows"] == 10_000
    assert [column["name"] for column in table["columns"]] == ["item", "role", "digest"]


def test_the_outcome_tells_a_difference_in_any_item(project):
    steps = project.module(TEXT)
    for start in (0.0, 0.0, 1.0):
        list(steps.batches(40, start))
    list(steps.batches(41))

    outcomes = [step_of(event)["outcome"] for event in project.ends()]
    assert outcomes[0] == outcomes[1]
    assert len(set(outcomes)) == 3


def test_items_that_are_tuples_have_a_role_for_each_part(project):
    steps = project.module(TEXT)
    list(steps.pairs(20))

    event = project.end()
    assert len(event["outputs"]) == 33
    assert {"output[0][0]", "output[0][1]", "output[15][1]", "output"} <= set(roles(event, "outputs"))
    assert content(event, "output")["rows"] == 40


def test_a_later_step_is_bound_to_the_item_that_it_got(project):
    steps = project.module(TEXT)
    for batch in steps.batches(3, 5.0):
        steps.learn(batch)

    assert [roles(event) for event in project.ends("learn")] == [
        {"batch": f"batches/output[{number}]"} for number in range(3)
    ]


def test_an_item_without_a_digest_leaves_all_of_them_without_one_and_says_which(project):
    steps = project.module(TEXT)
    assert len(list(steps.odd(20))) == 20

    event = project.end()
    assert content(event, "output")["absent"].startswith("output[17] has no digest: value: builtins.object")
    assert "outcome" not in step_of(event)
