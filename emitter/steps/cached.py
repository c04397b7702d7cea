"""When a call of a step may be answered from an earlier one, and when its result is kept for later ones.

A result is handed out only for the same recipe: operation, inputs by role and content, parameters, code, and the seed
that was given. A call that used no chance at all is kept without its seed, so that it is found whatever the seed is.
Decides that neither is done

- without a recipe (an input without a digest, a parameter without a form, code that is not known);
- with code that is dirty, unless the step says `cache="dirty"`: what is not committed cannot be looked up later;
- if what comes out may depend on something that the recipe does not have: a value that the digest of the code leaves
  out (a frame among the globals, a counter), or a secret, which is never hashed;
- if chance was used that no given seed decides, or that nothing fixed;
- if an argument is of another type, order or layout than then, which its digest does not tell (`likeness.py`);
- if the function did more than return: changed an argument, recorded other inputs or outputs, wrote files;
- if a result cannot be made again of the same types with the same digests, which is tried before it is kept.

Each time the reason stands in `relineage_step.cache`. What is on the disk is decided in `index.py`.
"""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..datasets import Description, members_of
from ..identity import Identity, recipe_digest
from ..naming import DatasetName
from ..parameters import holds_secret, parameters_of
from .arguments import sort_out
from .forms import Formless, form_of, made_again
from .index import Entry, Index, Unusable
from .likeness import likeness
from .results import as_state, parts
from .runs import given_text, plain_metrics

if TYPE_CHECKING:
    from ..digests.records import Content, Tensor
    from ..store import Store
    from .calls import StepCall
    from .runs import StepRun

# Digests that name objects in the store; a path's is that of its bytes, also where a table was found inside.
_IN_MEMORY = ("b3-table1", "b3-tensors1", "b3-bytes1")
_OF_PATHS = ("b3-folder1", "b3-bytes1")


@dataclass(frozen=True, kw_only=True)
class Hit:
    """What an earlier call has returned, made again, with what each part of it holds, and what its run said of it."""

    value: Any
    contents: Mapping[str, "Content"]
    entry: Entry
    index: Index

    @property
    def run_id(self) -> str:
        """The run that made it."""
        return str(self.entry.said["run"])

    def declare(self, run: "StepRun") -> None:
        """Its outputs as that run wrote them, and its metrics."""
        objects = dict(parts(self.value, "output"))
        for output in self.entry.said["outputs"]:
            role, data = output["role"], _whole(objects[output["role"]])
            name = DatasetName(namespace=output["namespace"], name=output["name"])
            description = _description(output, members_of(data, self.contents[role]))
            run.output_described(data, name, role, description, output["version"])
        for name, value, step in self.entry.said["metrics"]:
            run.metric(name, float(value) if isinstance(value, str) else value, step)
        run.chance_was(set(self.entry.said["chance"]))

    def used(self) -> None:
        """Note it in the index."""
        self.index.used(self.entry)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """An entry that is written and becomes visible when its run has completed."""

    index: Index
    half: Path
    recipe: str

    def publish(self) -> None:
        """Make it visible."""
        self.index.publish(self.half, self.recipe)


def ask(call: "StepCall") -> Hit | str:
    """What an earlier call of the same recipe has returned, or why the function has to run."""
    run = call.run
    if (reason := _never(call)) is not None:
        return reason
    assert call.bound is not None  # else there were no recipe
    call.likeness = likeness(call.bound, method=call.step.method)
    home = call.step.lineage.existing_home()
    if home is None:
        return "nothing is kept for this recipe"
    index = Index(home)
    reason = "nothing is kept for this recipe"
    for recipe in dict.fromkeys(_recipes(run.identity(), run.given_seed)):
        try:
            entry = index.find(recipe)
            if entry is not None and (other := _unlike(call, entry)):
                reason = (
                    f"what is kept for this recipe had arguments of other types, order or layout: {other}"
                )
            elif entry is not None:
                value, contents = _value(entry.said, call.step.lineage.contents())
                return Hit(value=value, contents=contents, entry=entry, index=index)
        except (Unusable, Formless) as unusable:
            reason = f"what is kept for this recipe cannot be used: {unusable}"
    return reason


def why_not(call: "StepCall", result: Any) -> str | None:
    """Why a result will not be kept, as far as that is known before its outputs are recorded; null if it may be."""
    run = call.run
    if (reason := _never(call)) is not None:
        return reason
    used = run.chance_used()
    if uncovered := sorted(used - {"seeded"}):
        return f"chance was used that no seed decides: {', '.join(uncovered)}"
    if used and run.given_seed is None:
        return "chance was used and no seed was given"
    if any(entry.direction == "output" for entry in run.entries):
        return "the function recorded outputs besides what it returned"
    beyond = {e.role for e in run.entries if e.direction == "input"} - {r for r, _ in call.arguments.inputs}
    if beyond:
        return f"the function read what is no argument: {', '.join(sorted(beyond))}"
    if isinstance(call.likeness, str):
        return call.likeness
    try:
        form_of(result, "output")
    except Formless as formless:
        return str(formless)
    return _changed(call)


def prepare(call: "StepCall", result: Any) -> Kept | str:
    """Write the entry of a result whose outputs are recorded and stored, not visible yet; or why it is not kept."""
    run, lineage = call.run, call.step.lineage
    used = run.chance_used()
    identity = run.identity()
    assert identity.task is not None
    outputs = [_output(entry) for entry in run.entries if entry.direction == "output"]
    form = form_of(result, "output")
    roles = [role for role, _ in parts(result, "output")]
    if sorted(roles) != sorted(output["role"] for output in outputs):
        return "an output could not be recorded"
    said = {
        "run": run.id,
        "namespace": run.namespace,
        "job": run.job,
        "operation": call.step.operation,
        "callable": call.step.callable,
        "code": call.code().digest,
        "seed": given_text(run.given_seed) if used else None,
        "chance": sorted(used),
        "inputs": [[e.role, e.digest] for e in run.entries if e.direction == "input"],
        "parameters": [[one.name, one.type, one.text] for one in run.parameters],
        "likeness": call.likeness,
        "outputs": outputs,
        "bytes": sum(output["bytes"] or 0 for output in outputs),
        "form": form,
        "metrics": plain_metrics(run.metrics),
    }
    try:
        _value(said, lineage.contents())
    except (Unusable, Formless) as unusable:
        return f"it could not be made again from the store: {unusable}"
    recipe = recipe_digest(identity.task, run.given_seed if used else None)
    index = Index(lineage.home())
    return Kept(index=index, half=index.prepare(recipe, said), recipe=recipe)


def _never(call: "StepCall") -> str | None:
    """Why neither an answer is looked for nor a result kept, by what is known before the function runs."""
    run, step = call.run, call.step
    if step.lineage.settings.disabled:
        return "lineage is switched off"
    if step.why_not_cached is not None:
        return step.why_not_cached
    repository = run.repository
    if repository is not None and repository.dirty is not False and step.cache != "dirty":
        return 'the code is dirty: commit it, or say cache="dirty"'
    identity = run.identity()
    if identity.recipe is None:
        return f"it has no recipe: {identity.missing}"
    return _beyond_the_recipe(call)


def _beyond_the_recipe(call: "StepCall") -> str | None:
    """Why two calls of one recipe may differ."""
    if gaps := call.code().not_covered:
        return f"the digest of its code leaves out {gaps[0]}; hand it over as an argument"
    for name, value in call.arguments.parameters.items():
        if holds_secret(name, value):
            return f"the parameter {name!r} holds a secret, which is no part of a recipe"
    return None


def _recipes(identity: Identity, given_seed: int | None) -> list[str]:
    """Its own, and that of the same task without a seed, under which calls that used no chance are kept."""
    assert identity.task is not None
    return [recipe_digest(identity.task, given_seed), recipe_digest(identity.task, None)]


def _unlike(call: "StepCall", entry: Entry) -> str:
    """The arguments in which a function can tell two calls of one recipe apart."""
    return _other(call.likeness, entry.said["likeness"])


def _other(one: Mapping[str, str] | str, other: Mapping[str, str] | str) -> str:
    assert not isinstance(one, str)
    assert not isinstance(other, str)
    return ", ".join(name for name in dict.fromkeys((*one, *other)) if one.get(name) != other.get(name))


def _changed(call: "StepCall") -> str | None:
    """What is another thing after the function than before: an attribute of its object may be a new one."""
    from ..digests import Refused, content_of

    assert call.bound is not None  # else there were no recipe
    if call.code().digest != call.run.code:
        return "the function changed a value that its code refers to"
    now = sort_out(call.bound, call.step.said, method=call.step.method)
    forms, before = parameters_of(now.parameters).forms, call.run.parameter_forms
    for name in dict.fromkeys((*before, *forms)):
        if forms.get(name) != before.get(name):
            return f"the function changed the parameter {name}"
    digests = {entry.role: entry.digest for entry in call.run.entries if entry.direction == "input"}
    inputs = dict(now.inputs)
    for role in dict.fromkeys((*digests, *inputs)):
        digest = None
        if role in inputs:
            with suppress(Refused):
                digest = content_of(_whole(inputs[role])).version
        if digest is None or digest != digests.get(role):
            return f"the function changed its input {role}"
    if other := _other(likeness(call.bound, method=call.step.method), call.likeness):
        return f"the function changed {other}"
    return None


def _output(entry: Any) -> dict[str, Any]:
    facets = dict(entry.facets)
    content = facets["relineage_content"]
    return {
        "role": entry.role,
        "namespace": entry.name.namespace,
        "name": entry.name.name,
        "version": entry.version,
        "digest": entry.digest,
        "digests": list(content["digests"]) if "digests" in content else [],
        "kind": content.get("kind"),
        "distinctive": content.get("distinctive", False),
        "rows": content.get("rows"),
        "bytes": content.get("bytes"),
        "path": entry.name.name
        if content.get("carrier") is None and entry.name.namespace == "file"
        else None,
        "facets": facets,
    }


def _description(output: Mapping[str, Any], members: Sequence["Tensor"]) -> Description:
    facets = {key: facet for key, facet in output["facets"].items() if key not in ("version", "symlinks")}
    return Description(
        facets=facets,
        digest=output["digest"],
        version=output["digest"],
        distinctive=bool(output["distinctive"]),
        rows=output["rows"],
        size=output["bytes"],
        members=members,
    )


def _whole(data: object) -> object:
    """What stands for data where it is digested."""
    return as_state(data) or data


def _value(said: Mapping[str, Any], store: "Store") -> tuple[Any, dict[str, "Content"]]:
    """The result of an entry, digested again, each part of it, and what these hold.

    Raises:
        Unusable: Something is not in the store, damaged, or not what was kept.
        Formless: It cannot be made again here.
    """
    try:
        return _checked_value(said, store)
    except (Unusable, Formless):
        raise
    except Exception as error:  # of whatever library makes it again
        raise Unusable(f"{type(error).__name__}: {error}") from error


def _checked_value(said: Mapping[str, Any], store: "Store") -> tuple[Any, dict[str, "Content"]]:
    from ..digests import Refused, content_of

    outputs = {output["role"]: output for output in said["outputs"]}
    with tempfile.TemporaryDirectory(prefix="relineage-") as folder:
        value = made_again(said["form"], lambda role: _loaded(outputs[role], store, Path(folder)))
        found = dict(parts(value, "output"))
        if found.keys() != outputs.keys() or form_of(value, "output") != said["form"]:
            raise Unusable("it comes back in another form: a library has changed, or loses something of it")
        contents = {}
        for role, one in found.items():
            try:
                contents[role] = content_of(_whole(one))
            except Refused as refused:
                raise Unusable(f"{role}: {refused}") from None
            if contents[role].version != outputs[role]["digest"]:
                raise Unusable(f"{role} comes back with another digest")
    return value, contents


def _loaded(output: Mapping[str, Any], store: "Store", folder: Path) -> Any:
    """What the store holds of an output: a table, arrays by name, bytes; a path is there as it was, or is put there."""
    from ..digests import Content, Refused, content_of
    from ..digests.loading import load
    from ..errors import StoreError

    path = Path(output["path"]) if output["path"] is not None else None
    labels = _IN_MEMORY if path is None else _OF_PATHS
    digest = next((one for label in labels for one in output["digests"] if one.startswith(f"{label}:")), "")
    if path is not None and path.exists():
        try:
            if output["digest"] in content_of(path).digests:
                return path
        except Refused:
            pass
        raise Unusable(f"{output['role']}: {path} is there and has changed")
    found = store.find(digest)
    if found is None:
        raise Unusable(f"{output['role']}, {digest or 'without a digest'}, is not in the store")
    target = path or folder / f"{len(list(folder.iterdir()))}{Path(found.name).suffix}"
    try:
        store.fetch(digest, target)
        if path is not None:
            return path
        if output["kind"] in ("table", "tensors"):
            return load(target, Content(digests=tuple(output["digests"]), kind=output["kind"]))
        return target.read_bytes()
    except (StoreError, Refused, OSError) as error:
        raise Unusable(f"{output['role']}: {error}") from None
