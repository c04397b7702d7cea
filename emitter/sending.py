"""Where events go: the transport that the settings name, opened when the first event is there.

Decides that a Kafka transport is ours even where the settings carry the stock client's name and option names,
and how a transport of openlineage-python gets events that are right in its own serialisation. What a
transport does with an event is its own business.
"""

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from .errors import SettingsError
from .settings import DEFAULT_TOPIC, Settings

log = logging.getLogger("relineage")

OUR_KAFKA = "relineage.emitter.transport.kafka.KafkaTransport"

# librdkafka's names, which the stock transport takes, → kafka-python's. Others differ by dots only, or have
# no counterpart.
_KAFKA_NAMES = {
    "metadata.broker.list": "bootstrap_servers",
    "sasl.mechanisms": "sasl_mechanism",
    "sasl.username": "sasl_plain_username",
    "sasl.password": "sasl_plain_password",
    "ssl.ca.location": "ssl_cafile",
    "ssl.certificate.location": "ssl_certfile",
    "ssl.key.location": "ssl_keyfile",
    "ssl.key.password": "ssl_password",
    "ssl.crl.location": "ssl_crlfile",
    "queue.buffering.max.ms": "linger_ms",
    "compression.codec": "compression_type",
}


class EventTransport(Protocol):
    """What a transport must have: `emit`, and `close` if it has something to finish."""

    def emit(self, event: Any) -> Any:
        """Take one event."""


class Sender:
    """Hands documents to a transport, each in the form that it takes.

    Args:
        settings: Names the transport.
        transport: Given by the caller; wins over the settings.
        home: Where `.relineage` is; asked for only if it is needed.
    """

    def __init__(
        self, settings: Settings, transport: EventTransport | None, home: Callable[[], Path]
    ) -> None:
        """Open nothing yet."""
        self._settings = settings
        self._transport = transport
        self._home = home
        self._lost = False  # what raised, or never came to a transport

    def send(self, document: Mapping[str, Any]) -> None:
        """Hand on one event.

        Raises:
            SettingsError: The transport's settings cannot be used.
            Exception: Whatever a strict transport, or one of others, raises.
        """
        if self._settings.disabled:
            return
        try:
            self._send(document)
        except Exception:
            self._lost = True
            raise

    def close(self, timeout_seconds: float) -> bool:
        """Close the transport; whether it took everything, and says that it was delivered."""
        if self._transport is None or not hasattr(self._transport, "close"):
            return not self._lost
        return bool(self._transport.close(timeout_seconds)) and not self._lost

    def _send(self, document: Mapping[str, Any]) -> None:
        if self._transport is None:
            self._transport = self._open()
        if _is_of_client(self._transport):
            self._transport.emit(_as_client_event(document))
        elif _is_ours(self._transport):
            self._transport.emit(document)
        else:
            self._transport.emit(_own_copy(document))  # which may be changed

    def _open(self) -> EventTransport:
        configured = self._settings.transport
        if configured is None:
            from .transport.files import FileTransport

            return FileTransport(self._home() / "events", strict=self._settings.strict)
        if configured["type"] in ("kafka", OUR_KAFKA):
            from .transport.kafka import KafkaConfig, KafkaTransport

            options = _kafka_options(configured) if configured["type"] == "kafka" else dict(configured)
            try:
                return KafkaTransport(KafkaConfig.from_dict({**options, "strict": self._settings.strict}))
            except (TypeError, ValueError) as error:
                raise SettingsError(f"the settings of the Kafka transport cannot be used: {error}") from error
        from openlineage.client.transport import get_default_factory

        kind = configured["type"]
        try:
            opened: EventTransport = get_default_factory().create(json.loads(json.dumps(configured)))
        except Exception as error:
            raise SettingsError(f"the transport {kind!r} cannot be opened: {error}") from error
        return opened


def _own_copy(value: Any) -> Any:
    """The same in dicts and lists that nothing else holds: later events have parts in common with this one."""
    if isinstance(value, Mapping):
        return {key: _own_copy(item) for key, item in value.items()}
    return [_own_copy(item) for item in value] if isinstance(value, list | tuple) else value


def _is_ours(transport: object) -> bool:
    return type(transport).__module__.startswith("relineage.")


def _is_of_client(transport: object) -> bool:
    """Whether it is openlineage-python's kind of transport, and not one of ours that takes documents."""
    if _is_ours(transport):
        return False
    return any(
        base.__module__ == "openlineage.client.transport.transport" for base in type(transport).__mro__
    )


def _as_client_event(document: Mapping[str, Any]) -> Any:
    """An event object whose facets are plain values, redacted: the stock serialisation then leaves them as
    they are.

    Classes of its own for each facet would not survive there: what it does not know becomes
    `<<non-serializable>>`, and a null in a list is dropped.
    """
    from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState

    from ..facets.encode import encode

    plain = json.loads(encode(document))
    return RunEvent(
        eventType=RunState(plain["eventType"]),
        eventTime=plain["eventTime"],
        run=Run(runId=plain["run"]["runId"], facets=plain["run"]["facets"]),
        job=Job(
            namespace=plain["job"]["namespace"], name=plain["job"]["name"], facets=plain["job"]["facets"]
        ),
        producer=plain["producer"],
        inputs=[InputDataset(**one) for one in plain["inputs"]],
        outputs=[OutputDataset(**one) for one in plain["outputs"]],
    )


def _kafka_options(configured: Mapping[str, Any]) -> dict[str, Any]:
    """The stock transport's settings as ours."""
    given = configured.get("config")
    if not isinstance(given, Mapping):
        raise SettingsError("the Kafka transport needs `config` with `bootstrap.servers`")
    from kafka import KafkaProducer

    known = {*KafkaProducer.DEFAULT_CONFIG, "bootstrap_servers"}
    config: dict[str, Any] = {}
    for name, value in given.items():
        ours = _KAFKA_NAMES.get(name, name.replace(".", "_"))
        if ours.endswith("_serializer"):  # ours writes bytes itself; Java's class names mean nothing here
            continue
        if ours in known:
            config[ours] = value
        else:
            log.warning("the Kafka transport does not know %r; it is left out", name)
    if configured.get("messageKey") or configured.get("message_key"):
        log.warning("the Kafka transport chooses message keys itself; `messageKey` is left out")
    servers = config.pop("bootstrap_servers", "")
    return {"bootstrap_servers": servers, "topic": configured.get("topic") or DEFAULT_TOPIC, "config": config}
