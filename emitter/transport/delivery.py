"""The background thread that brings a backlog's messages to Kafka.

Decides how to connect, which errors mean "never" (the message is refused, the rest goes on) and which mean
"later" (it goes back to the backlog), and that a process that ends gives its last messages a few seconds.
What is pending, and what the job is told, is decided elsewhere.

A message that was sent but not acknowledged is sent again, so the topic may hold an event twice: every
reader of OpenLineage events has to bear that.

Two threads. `deliver` talks to the broker; kafka-python adds one of its own. It is a daemon, for it may hang
in the network. `linger` is none: the interpreter waits for it at exit, *before* Python 3.12 and newer forbid
new threads, so that a script which ends 0.1 s after its first event still gets connected. (3.12.0 and 3.12.1
forbid them from the start, https://github.com/python/cpython/issues/113964: there such a script has to call
`close()`, else the log says what it lost.)
"""

import contextlib
import logging
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

from .aside import draw_aside
from .backlog import Backlog, Message
from .losses import Losses

if TYPE_CHECKING:
    from .kafka import KafkaConfig

log = logging.getLogger("relineage")

EXIT_SECONDS = 5.0  # how long a process that ends waits for acknowledgements
RETRY_SECONDS = 1.0  # between attempts while the broker does not answer
LOOK_SECONDS = 0.2  # how often `linger` looks whether the main thread has ended
TOPIC_SECONDS = 5.0  # how long a topic may take to appear, where brokers create topics on demand
FLUSH_SECONDS = 30.0  # for one round trip to a broker that answers slowly

PRODUCER_SETTINGS: dict[str, Any] = {
    "acks": "all",
    "enable_idempotence": True,
    "compression_type": "zstd",
    "linger_ms": 20,
    "batch_size": 256 * 1024,
    # The broker knows its own limit, by topic and after compression; this one only bounds memory.
    "max_request_size": 32 * 1024 * 1024,
    "max_block_ms": 1000,  # for the topic's metadata: kafka-python asks for it in a loop without a pause
    "bootstrap_timeout_ms": int(EXIT_SECONDS * 1000),
    "reconnect_backoff_max_ms": 5000,
    "metrics_enabled": False,
}


class Delivery:
    """Sends what a backlog holds until it is stopped. Use each instance once."""

    def __init__(self, config: "KafkaConfig", backlog: Backlog, refusals: Losses) -> None:
        """Prepare; nothing runs before `start`."""
        self._config = config
        self._backlog = backlog
        self._refusals = refusals
        self._delays = Losses(f"could not be sent to {config.address} yet, and will be tried again")
        self._stop = threading.Event()
        self._unhealthy = threading.Event()  # the producer has failed a message: use it no longer
        self._producer: Any = None
        self._suspects: set[Message] = set()  # each is sent once more, in a batch of its own
        self._topic_missing_since: float | None = None  # monotonic seconds
        self._deliver = threading.Thread(target=self._run, name="relineage-deliver", daemon=True)
        self._linger = threading.Thread(target=self._wait_at_exit, name="relineage-linger", daemon=False)
        self.last_error = ""
        self.exit_deadline: float | None = None  # monotonic seconds; None while the main thread runs

    def start(self) -> None:
        """Start both threads; connecting happens there, not here."""
        self._deliver.start()
        self._linger.start()

    def stop(self) -> None:
        """End both threads; what is not settled stays in the backlog."""
        self._stop.set()
        self._backlog.wake()
        self._deliver.join(2 * RETRY_SECONDS)  # it may hang in the network: then it ends later, by itself

    def forget_in_child(self) -> None:
        """After a fork, in the child: the producer is the parent's, and its thread stayed there."""
        if self._producer is not None:
            # Else its `__del__` waits for a thread that this process does not have.
            self._producer._closed = True

    def _run(self) -> None:
        while (taken := self._backlog.take(self._stop)) is not None:
            try:
                self._send(taken)
            except Exception as error:
                self._not_sent(taken, error)
        if self._producer is not None:
            self._close(self._producer)

    def _send(self, message: Message) -> None:
        producer = self._healthy_producer()
        alone = message in self._suspects
        if alone:
            producer.flush(timeout=FLUSH_SECONDS)
            producer = self._healthy_producer()
        future = producer.send(self._config.topic, value=message.value, key=message.key)
        self._topic_missing_since = None
        future.add_callback(self._acknowledged, message)
        future.add_errback(self._failed, message)
        if alone:
            with contextlib.suppress(Exception):  # `_failed` hears of it too
                future.get(timeout=FLUSH_SECONDS)

    def _healthy_producer(self) -> Any:
        """Connect, or connect anew after a failure.

        In kafka-python 3.0 an idempotent producer that was refused one message fails all later ones with the
        same error.
        """
        if self._producer is not None and self._unhealthy.is_set():
            broken, self._producer = self._producer, None
            self._close(broken)
        if self._producer is None:
            self._unhealthy.clear()
            self._producer = self._connect()
        return self._producer

    def _connect(self) -> Any:
        self._knock()
        from kafka import KafkaProducer  # 0.11 s of CPU, here where nobody waits for it

        draw_aside()
        kafka_log = logging.getLogger("kafka")
        if not kafka_log.hasHandlers():
            # Where the job set up no logging, Python prints its warnings to the job's stderr: several a
            # second while a broker is down. We say the same once a minute.
            kafka_log.addHandler(logging.NullHandler())
        producer = KafkaProducer(
            **{**PRODUCER_SETTINGS, **self._config.config},
            bootstrap_servers=list(self._config.bootstrap_servers),
        )
        # Its own exit handler would close it before exit handlers of the job that were registered earlier
        # have sent their last events. `KafkaTransport` closes it.
        producer._unregister_cleanup()
        return producer

    def _knock(self) -> None:
        """Raise OSError if no broker accepts a connection.

        Cheaper than to let kafka-python find out, which imports it, logs every attempt and leaves sockets
        open.
        """
        if self._config.config.get("proxy_url"):
            return
        error: OSError | None = None
        for server in self._config.bootstrap_servers:
            host, _, port = server.rpartition(":")
            try:
                socket.create_connection((host.strip("[]"), int(port)), timeout=RETRY_SECONDS).close()
            except OSError as refusal:
                error = refusal
            else:
                return
        assert error is not None
        raise error

    def _not_sent(self, message: Message, error: Exception) -> None:
        from_connecting = self._producer is None
        if not from_connecting and _is_refusal(error):
            self._refuse(message, error)  # the client's own check of this message, so no suspicion is needed
        elif not from_connecting and _is_timeout(error) and self._topic_stays_unknown():
            # One topic: what waits behind this message would only wait as long for the same answer.
            reason = f"there is no topic {self._config.topic!r}, and the broker does not create it"
            for refused in [message, *self._backlog.take_all()]:
                self._refuse(refused, reason)
        else:
            if not _is_timeout(error):
                self._unhealthy.set()
            self._later(message, error)
            self._stop.wait(RETRY_SECONDS)

    def _topic_stays_unknown(self) -> bool:
        """Tell whether the topic has been missing for so long that the broker will not make it."""
        if not self._topic_is_unknown():
            self._topic_missing_since = None
            return False
        if self._topic_missing_since is None:
            self._topic_missing_since = time.monotonic()
        return time.monotonic() - self._topic_missing_since > TOPIC_SECONDS

    def _topic_is_unknown(self) -> bool:
        """Ask the broker; False when it cannot be asked."""
        from kafka.admin import KafkaAdminClient
        from kafka.errors import KafkaError, UnknownTopicOrPartitionError

        asked = {
            name: value
            for name, value in self._config.config.items()
            if name in KafkaAdminClient.DEFAULT_CONFIG
        }
        try:
            admin = KafkaAdminClient(
                **{**asked, "bootstrap_timeout_ms": int(TOPIC_SECONDS * 1000)},
                bootstrap_servers=list(self._config.bootstrap_servers),
            )
            try:
                found = admin.describe_topics([self._config.topic])
            finally:
                admin.close()
        except (KafkaError, OSError):
            return False
        return all(topic["error_code"] == UnknownTopicOrPartitionError.errno for topic in found)

    def _acknowledged(self, message: Message, _metadata: object) -> None:
        self._suspects.discard(message)
        self._backlog.acknowledge(message)

    def _failed(self, message: Message, error: Exception) -> None:
        self._unhealthy.set()
        if not _is_refusal(error):
            self._later(message, error)
        elif message in self._suspects or _concerns_topic(error):
            self._suspects.discard(message)
            self._refuse(message, error)
        else:
            # A broker refuses a batch, and kafka-python fails all it holds: find the one that was meant.
            self._suspects.add(message)
            self._backlog.put_back(message)

    def _refuse(self, message: Message, reason: Exception | str) -> None:
        self._refusals.add(reason)
        self._backlog.refuse(message)  # the last step: whoever waits for it finds everything said

    def _later(self, message: Message, error: Exception) -> None:
        self.last_error = f"{type(error).__name__}: {error}"
        if not self._stop.is_set():  # what is given up at the end is told by `close`
            self._delays.add(error)
        self._backlog.put_back(message)

    def _close(self, producer: Any) -> None:
        from kafka.errors import KafkaTimeoutError

        try:
            producer.close(timeout=RETRY_SECONDS)
        except KafkaTimeoutError:
            # Unsent messages make `close` raise before it has ended its thread.
            producer._sender.force_close()
            producer._sender.join(RETRY_SECONDS)
            producer._closed = True

    def _wait_at_exit(self) -> None:
        main = threading.main_thread()
        while not self._stop.wait(LOOK_SECONDS):
            if not main.is_alive():
                self.exit_deadline = time.monotonic() + EXIT_SECONDS
                self._backlog.wait_until_settled(EXIT_SECONDS, EXIT_SECONDS)
                return


def _is_refusal(error: Exception) -> bool:
    """Tell whether the broker will say no to this message for ever, whatever one waits for."""
    from kafka import errors

    return isinstance(
        error,
        (
            errors.MessageSizeTooLargeError,
            errors.RecordListTooLargeError,
            errors.InvalidTopicError,
            errors.InvalidRecordError,
            errors.InvalidTimestampError,
            errors.PolicyViolationError,
            errors.AuthorizationError,
        ),
    )


def _concerns_topic(error: Exception) -> bool:
    """Tell whether every other message to the topic would be refused as well."""
    from kafka import errors

    return isinstance(error, (errors.InvalidTopicError, errors.AuthorizationError))


def _is_timeout(error: Exception) -> bool:
    from kafka.errors import KafkaTimeoutError

    return isinstance(error, KafkaTimeoutError)
