"""What identifies a computation: task, recipe and outcome, and the reason where one cannot be said.

Decides the three keys of docs/data-model.md, section 2. *Task*: what was asked for. *Recipe*: the task and
the seeds that were given. *Outcome*: what came out. The setting (machine, versions, commit) is in none of
them: one recipe with two outcomes is a finding, and a setting in the key would hide it. Pure: no clock, no
files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .values import canonical

_CONTEXT = (
    "relineage 2026 identity "  # BLAKE3's derive-key context: no other use of the hash gives these values
)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One input or output: its role, its strongest digest, and a name for people where there is no digest."""

    role: str
    digest: str | None
    name: str


@dataclass(frozen=True, kw_only=True)
class Identity:
    """The keys of one run; each null where it has no defined value, and `missing` says why."""

    task: str | None
    recipe: str | None
    outcome: str | None
    missing: str | None


def digest_of(label: str, value: object) -> str:
    """`label:hex` of a value's canonical form, 256 bits; the label is part of what is hashed."""
    from blake3 import blake3

    return f"{label}:{blake3(canonical(value), derive_key_context=_CONTEXT + label).hexdigest()}"


def task_digest(operation: str, inputs: Sequence[Part], parameters: Mapping[str, bytes], code: str) -> str:
    """What was asked for. The order of inputs and of parameters does not count; roles and types do.

    Args:
        operation: What is done, by name.
        inputs: Every input, with its digest; those handed on from an inner run too.
        parameters: Name → canonical form of the value.
        code: Digest of the code.
    """
    return digest_of("b3-task1", (operation, _pairs(inputs), dict(parameters), code))


def recipe_digest(task: str, given_seed: int | None) -> str:
    """Task and the seed that was given; null means that none was, whatever was drawn."""
    return digest_of("b3-recipe1", (task, given_seed))


def outcome_digest(outputs: Sequence[Part]) -> str:
    """What came out: every output with its role, in no order."""
    return digest_of("b3-outcome1", _pairs(outputs))


def identify(
    *,
    operation: str,
    inputs: Sequence[Part],
    outputs: Sequence[Part],
    parameters: Mapping[str, bytes],
    unknown: Sequence[str],
    code: str | None,
    code_missing: str | None,
    given_seed: int | None,
) -> Identity:
    """All keys of a run that has completed, each null where a part of it is not known.

    A run without outputs has no outcome; that is no lack.

    Args:
        operation: What is done, by name.
        inputs: Every input.
        outputs: Every output.
        parameters: Name → canonical form of the value.
        unknown: Reasons why something else is not known: a parameter without a form, a read not recorded.
        code: Digest of the code, or null.
        code_missing: Why there is no digest of the code.
        given_seed: Null if none was given, whatever was drawn.
    """
    no_task = [*_without_digest("input", inputs), *unknown]
    if code is None:
        no_task.append(code_missing or "the code is not known")
    no_outcome = _without_digest("output", outputs)
    task = None if no_task or code is None else task_digest(operation, inputs, parameters, code)
    return Identity(
        task=task,
        recipe=recipe_digest(task, given_seed) if task else None,
        outcome=outcome_digest(outputs) if outputs and not no_outcome else None,
        missing="; ".join([*no_task, *no_outcome]) or None,
    )


def _pairs(parts: Sequence[Part]) -> list[tuple[str, str]]:
    return sorted((part.role, part.digest) for part in parts if part.digest is not None)


def _without_digest(kind: str, parts: Sequence[Part]) -> list[str]:
    return [
        f"{kind} {part.name!r} (role {part.role!r}) has no digest" for part in parts if part.digest is None
    ]
