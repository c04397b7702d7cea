"""What an answer of non-determinism ends with."""

import pytest

from relineage.consumer.ask import Cause
from relineage.consumer.chance import Chance
from relineage.consumer.cli.causes import print_causes


@pytest.mark.parametrize(
    ("name", "deterministic", "other"),
    [
        ("torch.are_deterministic_algorithms_enabled", "True", "False"),
        ("torch.is_deterministic_algorithms_warn_only_enabled", "False", "True"),
        ("torch.backends.cudnn.deterministic", "True", "False"),
        ("torch.backends.cudnn.benchmark", "False", "True"),
        ("torch.backends.cudnn.allow_tf32", "False", "True"),
        ("torch.backends.cuda.matmul.allow_tf32", "False", "True"),
        ("tensorflow.is_op_determinism_enabled", "True", "False"),
        ("PYTHONHASHSEED", "0", "random"),
    ],
)
def test_a_switch_counts_as_off_with_the_value_that_deterministic_true_does_not_set(
    name, deterministic, other
):
    assert Chance(switches={name: deterministic}).open_switches == []
    assert Chance(switches={name: other}).open_switches == [f"{name} = {other}"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NVIDIA_TF32_OVERRIDE", "0"),
        ("TF_ENABLE_ONEDNN_OPTS", "0"),
        ("jax.config.jax_enable_x64", "False"),
        ("torch.backends.cuda.matmul.fp32_precision", "none"),
    ],
)
def test_a_switch_of_which_nothing_is_left_open_is_not_told(name, value):
    assert Chance(switches={name: value}).open_switches == []


def test_an_answer_lists_the_switches_that_leave_it_open_and_not_those_that_are_as_they_should_be(capsys):
    cause = Cause(
        rank=1, grade="cause", job_name="train", role=None, what="non-determinism", a="x", b="y", path="m",
        runs=1, run_a="x", run_b="y",
    )  # fmt: skip
    switches = {"torch.backends.cudnn.benchmark": "False", "torch.backends.cudnn.allow_tf32": "True"}
    print_causes([cause], chances={"x": Chance(switches=switches)})
    said = capsys.readouterr().out

    assert "torch.backends.cudnn.allow_tf32 = True" in said
    assert "benchmark" not in said
