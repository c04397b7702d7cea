"""An event as transports carry it: a document, its bytes and its key.

Decides how an event object of openlineage-python becomes plain JSON values, and which message key keeps the
events of one run in one Kafka partition. The bytes are those of `relineage.facets.encode`, which alone
writes any.

Importing this is heavy (pydantic comes with the facets): making a transport pays for it, not the first event.
An import inside `serialise` would also let a fork meet the import's lock while a thread of the parent holds
it.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from ...facets.encode import encode

if TYPE_CHECKING:
    from openlineage.client.client import Event

    AnyEvent: TypeAlias = Event | Mapping[str, Any]

TERMINAL = frozenset({"COMPLETE", "FAIL", "ABORT"})


def serialise(event: "AnyEvent") -> tuple[Mapping[str, Any], bytes]:
    """Return an event as a document of plain values, and as the bytes that go out.

    Args:
        event: the document of an event, or an event object of openlineage-python (version 1 or 2 of its
        classes).

    Raises:
        TypeError: something in it has no form in JSON.
    """
    if isinstance(event, Mapping):
        document: Mapping[str, Any] = event
    else:
        from openlineage.client.serde import Serde  # the caller, who made the object, has imported it

        document = Serde.to_dict(event)
    return document, encode(document)


def message_key(document: Mapping[str, Any]) -> str | None:
    """Return the key under which openlineage-python's own Kafka transport would send an event.

    `run:<namespace>/<name>` of the root job, else of the parent job, else of the run's own job, so that the
    runs of a job and the chain parent, child, grandchild share a partition; `job:…` and `dataset:…` for the
    two other kinds. (openlineage/client/transport/kafka.py, `_get_run_message_key`.) None where the document
    names none of them.
    """
    run = _mapping(document.get("run"))
    if run:
        parent = _mapping(_mapping(run.get("facets")).get("parent"))
        candidates = [_mapping(parent.get("root")).get("job"), parent.get("job"), document.get("job")]
        kind = "run"
    elif "job" in document:
        candidates = [document["job"]]
        kind = "job"
    else:
        candidates = [document.get("dataset")]
        kind = "dataset"
    for candidate in candidates:
        named = _mapping(candidate)
        if named.get("namespace") and named.get("name"):
            return f"{kind}:{named['namespace']}/{named['name']}"
    return None


def _mapping(value: object) -> Mapping[str, Any]:
    """Return the value if it is a JSON object, else an empty one: documents of others may hold anything."""
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
