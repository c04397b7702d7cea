"""What every test gets: a clean environment, valid events, and a real Kafka broker where it asks for one."""

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import hypothesis
import kafka_broker
import pytest

from relineage.emitter.capture.code import Repositories
from relineage.emitter.capture.kept import KEPT, Kept
from relineage.emitter.capture.snapshot import Snapshot
from relineage.emitter.transport import message

# They take gigabytes, so these have environments and commands of their own: `make test-torch`, `make test-tensorflow`.
collect_ignore = [
    f"with_{name}" for name in ("torch", "tensorflow") if importlib.util.find_spec(name) is None
]

# The machine's own say where test material and a broker are; all others would change what is tested.
_KEPT = frozenset({"RELINEAGE_TEST_KAFKA", "RELINEAGE_KAFKA_HOME", "RELINEAGE_SHARED"})


# How long an example takes says something of the machine: speed is what benchmarks are for.
hypothesis.settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    # pytest-xdist tells its workers how wide the terminal is: it would reach the commands whose output is read here.
    os.environ.pop("COLUMNS", None)
    # kafka-python reads its protocol tables with functions that Python 3.11 and 3.12 call deprecated.
    config.addinivalue_line("filterwarnings", "ignore:(read|open)_text is deprecated:DeprecationWarning")
    # The code of runs that the tests make in this process is this repository: each state of it would be kept for ever.
    root = Path(__file__).resolve().parents[1]
    untouched = Snapshot(root=root, failure="tests keep none of their own repository")
    KEPT.of(
        ("git", root, True), lambda: Kept(repository=Repositories().at(root), snapshot=untouched), typed=False
    )
    # Nor does it close the sockets whose connecting failed, when a broker goes away under it.
    never_connected = r"ignore:unclosed <socket\.socket .*laddr=\('0\.0\.0\.0', \d+\)>:ResourceWarning"
    config.addinivalue_line("filterwarnings", never_connected)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of whoever runs the tests reaches them."""
    for name in os.environ:
        if name.startswith(("OPENLINEAGE", "RELINEAGE_")) and name not in _KEPT:
            monkeypatch.delenv(name)


@pytest.fixture
def distrusting_git(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on git takes each repository for another user's, as in a container that mounts a folder."""
    folder = tmp_path_factory.mktemp("distrusting")
    own = "GIT_TEST_ASSUME_DIFFERENT_OWNER=1 GIT_CONFIG_NOSYSTEM=1"
    (folder / "git").write_text(f'#!/bin/sh\n{own} exec {shutil.which("git")} "$@"\n')
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setenv("HOME", str(folder))  # what whoever runs the tests trusts is said there


@pytest.fixture(autouse=True)
def every_emitted_event_is_valid(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What our transports send in this process conforms to the specification, or the test fails at its end.

    Not in the transport: by default nothing raises out of it. Not while the test runs: it may measure time.
    """
    emitted: list[bytes] = []

    def observed(
        event: "message.AnyEvent", serialise: Callable[..., tuple[Any, bytes]] = message.serialise
    ) -> tuple[Any, bytes]:
        document, body = serialise(event)
        emitted.append(body)
        return document, body

    monkeypatch.setattr(message, "serialise", observed)
    yield
    if emitted:
        from validation import validate_event  # here, since most tests emit nothing and schemas take a while

        for body in dict.fromkeys(emitted):
            validate_event(body)


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """`host:port` of a real broker: the one in RELINEAGE_TEST_KAFKA, else one for this session."""
    with kafka_broker.running_broker() as address:
        yield address


@pytest.fixture
def topic(kafka: str) -> str:
    """The name of a fresh topic with four partitions."""
    return kafka_broker.create_topic(kafka)


@pytest.fixture(scope="session")
def make_event() -> Callable[..., dict[str, Any]]:
    """Make a valid run event; keyword arguments replace or add fields."""

    def make(**fields: Any) -> dict[str, Any]:
        return {
            "eventType": "START",
            "eventTime": "2026-01-31T10:00:03.000001Z",
            "run": {"runId": str(uuid4())},
            "job": {"namespace": "fraud", "name": "train"},
            "producer": "https://example.com/tests",
            "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
            **fields,
        }

    return make
