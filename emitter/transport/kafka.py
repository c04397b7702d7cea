"""Events to Kafka, as an ordinary OpenLineage transport: anything on openlineage-python can use it, by its
dotted path.

    transport:
      type: relineage.emitter.transport.kafka.KafkaTransport
      bootstrap_servers: broker1:9092,broker2:9092
      topic: openlineage.events            # the default
      config:                              # any setting of kafka-python's KafkaProducer
        security_protocol: SASL_SSL

Decides the settings, that `emit` never waits for the network, and what `close` says. Sending is
`delivery`'s, what is pending is `backlog`'s. Events wait in memory: a process that is killed takes those
with it that were not yet acknowledged.
"""

import atexit
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from openlineage.client.transport.transport import Config, Transport

from . import message
from .backlog import Backlog, Message
from .delivery import EXIT_SECONDS, Delivery, log
from .forks import call_in_children
from .losses import Losses

if TYPE_CHECKING:
    from .message import AnyEvent

DEFAULT_TOPIC = "openlineage.events"
DEFAULT_PORT = 9092
PATIENCE_SECONDS = 10.0

_HOST_AND_PORT = re.compile(
    r"([^:\[\]\s]+|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}"
)  # an IPv6 address stands in brackets


@dataclass(frozen=True, kw_only=True)
class KafkaConfig(Config):
    """What a KafkaTransport needs to know.

    Attributes:
        bootstrap_servers: `host:port` of one broker or more.
        topic: where events go.
        config: more settings of `kafka.KafkaProducer`, by its names. Not shown in `repr`: they may hold
        passwords.
        queue_bytes: how much may wait in memory; what comes on top is counted in `lost`.
        strict: raise in `emit` what cannot be kept.
    """

    bootstrap_servers: tuple[str, ...]
    topic: str = DEFAULT_TOPIC
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    queue_bytes: int = 64 * 1024 * 1024
    strict: bool = False

    def __post_init__(self) -> None:
        """Check what can be checked without a broker.

        Raises:
            ValueError: no server, a port that is no number, no legal topic name, or a setting kafka-python
            lacks.
        """
        if not self.bootstrap_servers:
            raise ValueError("KafkaTransport: bootstrap_servers is missing: give host:port of a broker")
        for server in self.bootstrap_servers:
            if not _HOST_AND_PORT.fullmatch(server):
                raise ValueError(f"KafkaTransport: {server!r} in bootstrap_servers is not host:port")
        if not re.fullmatch(r"[a-zA-Z0-9._-]{1,249}", self.topic) or self.topic in {".", ".."}:
            raise ValueError(
                f"KafkaTransport: Kafka allows letters, digits and . _ - in a topic, not {self.topic!r}"
            )
        if self.config:  # else kafka-python need not be imported here
            from kafka import KafkaProducer

            if unknown := sorted(set(self.config) - set(KafkaProducer.DEFAULT_CONFIG)):
                raise ValueError(
                    f"KafkaTransport: kafka-python's KafkaProducer has no setting {', '.join(unknown)}"
                )

    @property
    def address(self) -> str:
        """The brokers, for messages."""
        return ",".join(self.bootstrap_servers)

    @classmethod
    def from_dict(cls, params: dict[str, Any]) -> "KafkaConfig":
        """Read the settings of `openlineage.yml` or of `OPENLINEAGE__TRANSPORT__…`.

        `bootstrap_servers` is a list or one text with commas. In `config` the names of Java's client with
        dots (`bootstrap.servers`, `security.protocol`), as the stock Kafka transport has them, are taken
        too.

        Raises:
            ValueError: a setting is unknown or cannot be right.
        """
        known = {one.name for one in fields(cls)}
        if unknown := sorted(set(params) - known - {"type"}):
            raise ValueError(
                f"KafkaTransport has no setting {', '.join(unknown)}; it has {', '.join(sorted(known))}"
            )
        given = params.get("config") or {}
        if not isinstance(given, Mapping):
            raise ValueError(f"KafkaTransport: config holds settings by name, not {given!r}")
        config = {str(name).replace(".", "_"): value for name, value in given.items()}
        from_config = config.pop("bootstrap_servers", ())
        servers = params.get("bootstrap_servers") or from_config
        if isinstance(servers, str):
            servers = [server for server in servers.split(",") if server.strip()]
        rest = {name: params[name] for name in ("topic", "queue_bytes", "strict") if name in params}
        return cls(bootstrap_servers=tuple(_with_port(server) for server in servers), config=config, **rest)


def _with_port(server: object) -> str:
    text = str(server).strip().rpartition("://")[2]
    return text if _HOST_AND_PORT.fullmatch(text) else f"{text}:{DEFAULT_PORT}"


class KafkaTransport(Transport):
    """Send events to a Kafka topic in the background.

    `emit` serialises, queues and returns, broker up or down. What goes wrong is logged (logger `relineage`,
    once a minute) and counted:

    Attributes:
        delivered: acknowledged by all in-sync replicas.
        pending: waiting, or sent and not acknowledged yet.
        refused: the broker will never take them (too large, no such topic); the reason is in the log.
        lost: could not be kept: the queue was full, or the event could not be serialised.
    """

    kind = "relineage-kafka"
    config_class = KafkaConfig

    _delivery: Delivery | None  # there between the first `emit` and `close`

    def __init__(self, config: KafkaConfig) -> None:
        """Prepare; nothing connects before the first event."""
        self.config = config
        if find_spec("crc32c") is None:
            log.warning(
                "relineage: crc32c is not installed, so kafka-python computes checksums in pure Python,"
                " twenty times slower: pip install 'kafka-python[crc32c,zstd]'"
            )
        self._ended = False
        self._start_anew()
        atexit.register(self._close_at_exit)
        call_in_children(self._after_fork)

    @property
    def delivered(self) -> int:
        """Events that Kafka has acknowledged."""
        return self._backlog.delivered

    @property
    def pending(self) -> int:
        """Events that are neither acknowledged nor refused yet."""
        return self._backlog.pending

    @property
    def refused(self) -> int:
        """Events that the broker refused for good."""
        return self._backlog.refused

    @property
    def lost(self) -> int:
        """Events that could not be kept."""
        return self._losses.count

    def emit(self, event: "AnyEvent") -> None:
        """Queue an event; the network is never waited for.

        Raises:
            BufferError: only if `strict`: the queue is full.
            TypeError: only if `strict`: the encoder refuses the event.
        """
        try:
            document, value = message.serialise(event)
            key = message.message_key(document)
            if self._ended:
                raise RuntimeError("the process is ending, and its last events have been sent")
            if self._delivery is None:
                self._start()
            if not self._backlog.append(Message(None if key is None else key.encode(), value)):
                raise BufferError(
                    f"the queue is full: {self.pending} events, at most {self.config.queue_bytes} bytes,"
                    f" wait for Kafka at {self.config.address}"
                )
        except Exception as reason:
            self._losses.add(reason)
            if self.config.strict:
                raise

    def wait_for_completion(self, timeout: float = -1) -> bool:
        """Wait until nothing is pending; tell whether every event so far was acknowledged.

        Args:
            timeout: in seconds. Negative: as long as acknowledgements come; a broker that is silent for
                PATIENCE_SECONDS is not waited for, for a job must not hang on its lineage.
        """
        settled = self._backlog.wait_until_settled(None if timeout < 0 else timeout, PATIENCE_SECONDS)
        return settled and not self.refused and not self.lost

    def close(self, timeout: float = -1) -> bool:
        """Wait like `wait_for_completion`, end the threads, say in the log what was not delivered.

        Returns True only if every event was acknowledged. A later `emit` connects again and sends what was
        left.
        """
        complete = self.wait_for_completion(timeout)
        with self._lock:
            delivery, self._delivery = self._delivery, None
            if delivery is not None:
                delivery.stop()
        for losses in (self._losses, self._refusals):
            losses.tell_rest()
        if self.pending and delivery is not None:
            log.warning(
                "relineage: %d of %d events were not acknowledged by Kafka at %s, topic %s%s",
                self.pending,
                self.pending + self.delivered + self.refused,
                self.config.address,
                self.config.topic,
                f" ({delivery.last_error})" if delivery.last_error else "",
            )
        return complete

    def _start(self) -> None:
        with self._lock:
            if self._delivery is None:
                delivery = Delivery(self.config, self._backlog, self._refusals)
                delivery.start()
                self._delivery = delivery

    def _start_anew(self) -> None:
        self._lock = threading.Lock()
        self._backlog = Backlog(self.config.queue_bytes)
        self._losses = Losses("could not be kept")
        self._refusals = Losses(f"refused for good by Kafka at {self.config.address}")
        self._delivery = None

    def _after_fork(self) -> None:
        # What the parent queued is the parent's to send; its threads and its locks' holders are not in this
        # process.
        if self._delivery is not None:
            self._delivery.forget_in_child()
        self._start_anew()

    def _close_at_exit(self) -> None:
        self._ended = True  # a thread that is started now would die with the interpreter, silently
        if (delivery := self._delivery) is not None:
            deadline = delivery.exit_deadline
            self.close(EXIT_SECONDS if deadline is None else max(0.0, deadline - time.monotonic()))
