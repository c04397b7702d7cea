"""A step that is called again by itself, without the program around it.

Decides which steps can be: functions of a module, whose arguments all come back, parameters from their text and data
from the store or from files. So the steps of a notebook, or of a program that takes days, can be replayed too. What
came out otherwise than then is no verdict yet: indexes of frames and the like are not kept, so the whole program has
the last word.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...emitter.digests import Refused
from ...emitter.errors import StoreError
from ...emitter.repeating import CARRIERS, repeatable
from ...emitter.store import Store
from ...emitter.store.names import ending_of
from .places import Places
from .recorded import Input, Member, Recorded


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call: the function, its run, what it read."""

    callable: str
    member: Member
    inputs: tuple[Input, ...]
    parameters: tuple[dict[str, Any], ...]

    def files(self) -> tuple[Input, ...]:
        """What it read that was a file, and is put where its path says."""
        return tuple(one for one in self.inputs if one.carrier is None)

    def as_plan(self, where: Places, objects: Store | None, folder: Path, code: Path) -> dict[str, Any]:
        """For the plan of the replay, whose code is in a folder; data is taken out of the store into another one.

        Raises:
            StoreError: It is not there, or not what it says.
        """
        folder.mkdir(exist_ok=True)
        inputs = []
        for number, one in enumerate(self.inputs):
            if one.carrier is None:
                file = where.now(one.paths[0]) or Path(one.paths[0])
            else:
                file = _fetched(one, objects, folder / str(number))
            inputs.append({"name": one.role, "file": str(file), "carrier": one.carrier})
        return {
            "callable": self.callable,
            "inputs": inputs,
            "parameters": list(self.parameters),
            "code": str(code),
        }


def call_of(run: Recorded, run_id: str, objects: Store | None) -> Call | None:
    """The call that a run was; null if it was none, or cannot be repeated by itself."""
    module, _, name = (run.callable or "").partition(":")
    if module in ("", "__main__") or not name or "." in name or run_id != run.run_id:
        return None
    inputs = tuple(one for one in run.read if one.run_id == run_id)
    parameters = run.parameters
    if parameters is None:
        return None
    if not all(isinstance(one.get(key), str) for one in parameters for key in ("name", "type", "value")):
        return None
    roles = [one.role for one in inputs] + [one["name"] for one in parameters]
    if not all(role.isidentifier() for role in roles) or len(set(roles)) < len(roles):
        return None
    if not repeatable(list(parameters)) or not all(_comes_back(one, objects) for one in inputs):
        return None
    member = next(one for one in run.members if one.run_id == run_id)
    assert run.callable is not None
    return Call(callable=run.callable, member=member, inputs=inputs, parameters=parameters)


def _comes_back(one: Input, objects: Store | None) -> bool:
    if one.carrier is None:
        return bool(one.paths) and bool(one.digests)
    if one.carrier not in CARRIERS or objects is None:
        return False
    return any(objects.find(digest) is not None for digest in one.digests)


def _fetched(one: Input, objects: Store | None, file: Path) -> Path:
    for digest in one.digests:
        found = objects.find(digest) if objects is not None else None
        if objects is not None and found is not None:
            target = file.with_suffix(ending_of(found.name))
            try:
                objects.fetch(digest, target)
            except (Refused, OSError) as error:
                raise StoreError(str(error)) from error
            return target
    raise StoreError(f"input {one.role} is not in the store")
