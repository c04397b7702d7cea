"""Task, recipe and outcome: what counts, what does not, and what is said when one is not known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relineage.emitter.identity import Part, identify, outcome_digest, recipe_digest, task_digest
from relineage.emitter.parameters import parameters_of

A, B = "b3-table1:" + "a" * 64, "b3-table1:" + "b" * 64
CODE = "b3-code1:" + "c" * 64


def part(role, digest, name="x"):
    return Part(role=role, digest=digest, name=name)


def task(operation="fit", inputs=(("train", A), ("test", B)), params=None, code=CODE):
    forms = parameters_of({"lr": 0.1, "depth": 3} if params is None else params).forms
    return task_digest(operation, [part(*one) for one in inputs], forms, code)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"operation": "fit2"}, id="another operation"),
        pytest.param({"inputs": (("train", B), ("test", A))}, id="swapped roles"),
        pytest.param({"inputs": (("train", A),)}, id="an input less"),
        pytest.param({"inputs": (("train", A), ("test", B), ("test", B))}, id="an input twice"),
        pytest.param({"params": {"lr": 0.1, "depth": 3.0}}, id="another type"),
        pytest.param({"params": {"lr": 0.1, "depth": "3"}}, id="a text"),
        pytest.param({"params": {"lr": 0.1}}, id="a parameter less"),
        pytest.param({"params": {"lr": 0.1, "depth": 3, "x": None}}, id="a parameter more, though null"),
        pytest.param({"code": CODE.replace("c", "d")}, id="other code"),
    ],
)
def test_what_changes_the_question_changes_the_task(other):
    assert task(**other) != task()


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"inputs": (("test", B), ("train", A))}, id="order of inputs"),
        pytest.param({"params": {"depth": 3, "lr": 0.1}}, id="order of parameters"),
    ],
)
def test_what_only_rearranges_the_question_does_not(other):
    assert task(**other) == task()


def test_every_key_has_256_bits_and_its_label():
    made = identify(
        operation="fit", inputs=[part("train", A)], outputs=[part("m", B)], parameters={},
        unknown=(), code=CODE,
        code_missing=None, given_seed=1,
    )  # fmt: skip

    for label, key in (("task", made.task), ("recipe", made.recipe), ("outcome", made.outcome)):
        prefix, _, digits = key.partition(":")
        assert prefix == f"b3-{label}1"
        assert len(digits) == 64
    assert made.missing is None


def test_a_given_seed_is_part_of_the_recipe_and_a_drawn_one_is_not():
    recipes = {recipe_digest(task(), seed) for seed in (None, 0, 1, 42)}

    assert len(recipes) == 4
    assert recipe_digest(task(), 42) == recipe_digest(task(), 42)


def test_an_outcome_has_every_output_with_its_role():
    one = outcome_digest([part("weights", A), part("report", B)])

    assert one == outcome_digest([part("report", B), part("weights", A)])
    assert one != outcome_digest([part("weights", B), part("report", A)])
    assert one != outcome_digest([part("weights", A)])


def test_the_three_keys_of_equal_parts_are_never_mistaken_for_each_other():
    assert outcome_digest([part("x", A)]).partition(":")[2] != task("", (("x", A),), {}, "").partition(":")[2]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"inputs": [part("train", None, "s3://lake/t")]},
            "input 's3://lake/t' (role 'train') has no digest",
        ),
        ({"code": None, "code_missing": "typed at a prompt"}, "typed at a prompt"),
        ({"unknown": ["parameter 'f': a function"]}, "parameter 'f': a function"),
    ],
)
def test_what_is_not_known_makes_task_and_recipe_null_with_the_reason(change, reason):
    known = {
        "operation": "fit", "inputs": [part("train", A)], "outputs": [part("m", B)], "parameters":
        {}, "unknown": (),
        "code": CODE, "code_missing": None, "given_seed": 1,
    }  # fmt: skip

    made = identify(**{**known, **change})

    assert (made.task, made.recipe) == (None, None)
    assert made.outcome is not None
    assert reason in made.missing


def test_an_output_without_a_digest_makes_the_outcome_null_with_the_reason():
    made = identify(
        operation="fit", inputs=[], outputs=[part("m", None, "models/m")], parameters={},
        unknown=(), code=CODE,
        code_missing=None, given_seed=None,
    )  # fmt: skip

    assert made.task is not None
    assert made.outcome is None
    assert "models/m" in made.missing


def test_a_run_without_outputs_has_no_outcome_and_lacks_nothing():
    made = identify(
        operation="fit", inputs=[part("train", A)], outputs=[], parameters={}, unknown=(), code=CODE,
        code_missing=None, given_seed=None,
    )  # fmt: skip

    assert made.recipe is not None
    assert (made.outcome, made.missing) == (None, None)


_parts = st.lists(
    st.tuples(st.sampled_from(["train", "test", "a", "ab"]), st.sampled_from([A, B])), max_size=4
)


@given(_parts, _parts)
def test_two_tasks_are_equal_exactly_if_their_inputs_are(one, other):
    assert (task(inputs=one) == task(inputs=other)) == (sorted(one) == sorted(other))


def test_a_secret_parameter_is_named_but_not_hashed():
    """A digest over a short password could be guessed back."""
    one = parameters_of({"db_password": "hunter2", "url": "postgres://u:hunter2@h/d"})
    other = parameters_of({"db_password": "swordfish", "url": "postgres://u:swordfish@h/d"})

    assert one.forms == other.forms
    assert "hunter2" not in str(one.shown)


def test_parameters_are_taken_as_they_are_now():
    layers = [64, 32]
    taken = parameters_of({"layers": layers})
    layers.append(16)

    assert taken.forms == parameters_of({"layers": [64, 32]}).forms
    assert taken.shown[0].text == "[64, 32]"


def test_parameters_without_a_form_are_shown_and_named():
    taken = parameters_of({"activation": object(), "lr": 0.1})

    assert [one.name for one in taken.shown] == ["activation", "lr"]
    assert list(taken.forms) == ["lr"]
    assert taken.formless[0].startswith("parameter 'activation': ")


@pytest.mark.parametrize("given_params", ["lr=0.1", 3, ["lr"]])
def test_parameters_that_are_no_mapping_are_refused(given_params):
    with pytest.raises(TypeError, match="params must be a mapping"):
        parameters_of(given_params)
