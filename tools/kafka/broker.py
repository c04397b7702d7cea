"""Start a real Apache Kafka broker (KRaft, one node) for tests, the demo and benchmarks, without a container
engine.

    broker.py run -- COMMAND …   start one, run COMMAND with RELINEAGE_TEST_KAFKA=HOST:PORT, stop it
    broker.py start              print HOST:PORT and stay until Ctrl-C

and from Python: `with broker() as address: …`. Standard library only.

Decides: the broker's settings (`SETTINGS`, which docker-compose.yml repeats and a test compares), where its
jars come from (Maven, by the pom.xml beside this file, into the repository's `.kafka/`; or
`RELINEAGE_KAFKA_HOME`, any folder with a `libs/` of Kafka's jars), free ports, a temporary data folder, when
it is ready, and that it ends. Leaves topics and clients to the caller.

One process owns one broker: it starts Java, waits, stops it by its own process id and removes the folder.
Others hold a pipe to that owner; however they end, `kill -9` included, the pipe closes and the owner cleans
up.
"""

import argparse
import base64
import contextlib
import fcntl
import hashlib
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
JAVA_AT_LEAST = 17  # the broker's bytecode since Kafka 4.0
START_SECONDS = 60.0
STOP_SECONDS = 15.0
TRIES = 3  # a port that was free a moment ago may be taken when the broker binds it

SETTINGS: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "auto.create.topics.enable": "true",
    "num.partitions": "4",
    # One node: what defaults to three copies has to do with one.
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
}


class MissingToolError(Exception):
    """What a broker needs is not on this machine; the message says what to install."""


class StartError(Exception):
    """The broker did not come up; the message ends with the tail of its log."""


def server_properties(settings: Mapping[str, str], port: int, controller_port: int, folder: Path) -> str:
    """Return the text of `server.properties`: the settings and what differs from broker to broker."""
    own = {
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "log.dirs": str(folder),
    }
    return "".join(f"{name}={value}\n" for name, value in {**settings, **own}.items())


def find_java() -> str:
    """Return the path of a Java that is new enough.

    Raises:
        MissingToolError: there is none.
    """
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=str(Path(home) / "bin")) if home else None
    java = java or shutil.which("java")
    if java is None:
        raise MissingToolError(
            f"No Java found: install Java {JAVA_AT_LEAST} or newer (Debian: openjdk-17-jre-headless)."
        )
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < JAVA_AT_LEAST:
        first_line = said.strip().partition("\n")[0]
        raise MissingToolError(f"{java} is too old ({first_line}): install Java {JAVA_AT_LEAST} or newer.")
    return java


def find_libs() -> Path:
    """Return the folder of the broker's jars; the first time Maven fetches them (44 MB).

    Raises:
        MissingToolError: RELINEAGE_KAFKA_HOME has no jars, Maven is missing, or it failed.
    """
    if home := os.environ.get("RELINEAGE_KAFKA_HOME"):
        libs = Path(home) / "libs"
        if not any(libs.glob("kafka_2*.jar")):
            raise MissingToolError(f"RELINEAGE_KAFKA_HOME={home}, but {libs} holds no kafka_2….jar.")
        return libs
    pom = HERE / "pom.xml"
    cache = REPOSITORY / ".kafka"
    cache.mkdir(exist_ok=True)
    libs = cache / f"libs-{hashlib.sha256(pom.read_bytes()).hexdigest()[:12]}"  # another pom.xml: other jars
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs at once: one fetches, the other waits
        if libs.is_dir():
            return libs
        maven = shutil.which("mvn")
        if maven is None:
            raise MissingToolError(
                "No Maven found: install it (Debian: maven), it fetches the broker's jars once;"
                " or set RELINEAGE_KAFKA_HOME to an unpacked Kafka 4."
            )
        print("Fetching the jars of Apache Kafka with Maven …", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            fetched = Path(folder) / "libs"
            command = [maven, "-q", "-B", "-f", str(pom), "dependency:copy-dependencies"]
            command += [f"-DoutputDirectory={fetched}", "-DincludeScope=runtime"]
            ran = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True, check=False,
            )  # fmt: skip
            if ran.returncode != 0:
                raise MissingToolError(f"Maven could not fetch the jars of Kafka:\n{ran.stdout.strip()}")
            fetched.rename(libs)  # all or nothing: an interrupted fetch leaves no half folder
    return libs


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback interface that are free now, all different."""
    with contextlib.ExitStack() as open_sockets:
        bound = [open_sockets.enter_context(socket.socket()) for _ in range(count)]
        for one in bound:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in bound]


def answers(port: int) -> bool:
    """Tell whether the broker answers requests: an open port alone does not say so.

    Asks ApiVersions, version 0 (https://kafka.apache.org/protocol#The_Messages_ApiVersions).
    """
    api_versions, version, correlation_id, no_client_id = 18, 0, 1, -1
    request = struct.pack(">hhih", api_versions, version, correlation_id, no_client_id)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            header = connection.recv(8, socket.MSG_WAITALL)
            return len(header) == 8 and struct.unpack(">ii", header)[1] == correlation_id
    except OSError:
        return False


def tail(log: Path, lines: int = 40) -> str:
    """Return the last lines of the broker's log."""
    if not log.exists():
        return "(it wrote no log)"
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the broker by its own process id: SIGTERM, and SIGKILL if it does not listen."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def launch(jvm: list[str], properties: Path, port: int) -> subprocess.Popen[bytes]:
    """Format the data folder, start the broker and wait until it answers.

    Raises:
        StartError: it ended or did not answer within START_SECONDS.
    """
    log = properties.with_name("broker.log")
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode().replace("-", "A")
    format_folder = [*jvm, "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(properties)]
    with log.open("ab") as output:
        formatted = subprocess.run(
            format_folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False
        )
        if formatted.returncode != 0:
            raise StartError(f"Kafka's storage tool failed. The end of its log:\n{tail(log)}")
        process = subprocess.Popen(
            [*jvm, "-Xmx512m", "kafka.Kafka", str(properties)],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,  # Ctrl-C in a terminal is for the owner, which then stops the broker
        )  # fmt: skip
    try:
        deadline = time.monotonic() + START_SECONDS
        while not answers(port):
            if process.poll() is not None:
                raise StartError(
                    f"The Kafka broker ended with {process.returncode}. The end of its log:\n{tail(log)}"
                )
            if time.monotonic() > deadline:
                raise StartError(
                    f"No answer from the Kafka broker in {START_SECONDS:.0f} s. Its log ends:\n{tail(log)}"
                )
            time.sleep(0.1)
    except BaseException:
        stop(process)
        raise
    return process


@contextlib.contextmanager
def owned_broker(settings: Mapping[str, str] = SETTINGS) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Own a broker: yield its address and process; stop it and remove its folder afterwards.

    Raises:
        MissingToolError, StartError: see `broker`.
    """
    jvm = [find_java(), "-XX:+UseSerialGC", "-cp", f"{find_libs()}/*"]
    jvm.append(f"-Dlog4j2.configurationFile={HERE / 'log4j2.xml'}")
    for attempt in range(1, TRIES + 1):
        port, controller_port = free_ports(2)
        with tempfile.TemporaryDirectory(prefix="relineage-kafka-") as name:
            properties = Path(name) / "server.properties"
            properties.write_text(server_properties(settings, port, controller_port, Path(name) / "data"))
            try:
                process = launch(jvm, properties, port)
            except StartError:
                log = properties.with_name("broker.log").read_text(errors="replace")
                if attempt < TRIES and "Address already in use" in log:
                    continue
                raise
            try:
                yield f"127.0.0.1:{port}", process
            finally:
                stop(process)
            return


def start(*, until_stdin_closes: bool) -> int:
    """Print the address of a new broker and stay: until Ctrl-C or SIGTERM, or until standard input closes."""
    with owned_broker() as (address, process):
        print(address, flush=True)
        watched = [sys.stdin] if until_stdin_closes else []
        while process.poll() is None:
            readable, _, _ = select.select(watched, [], [], 0.5)
            if readable and not os.read(sys.stdin.fileno(), 4096):
                return 0
        print(f"The Kafka broker at {address} ended by itself with {process.returncode}.", file=sys.stderr)
        return 1


@contextlib.contextmanager
def broker() -> Iterator[str]:
    """Run a broker while the block runs; yield its `host:port`.

    Raises:
        MissingToolError: Java, Maven or the jars are missing.
        StartError: it did not come up; the message holds the tail of its log.
    """
    with tempfile.TemporaryFile("w+") as complaints:
        owner = subprocess.Popen(
            [sys.executable, __file__, "start", "--until-stdin-closes"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints, text=True,
            start_new_session=True,
        )  # fmt: skip
        assert owner.stdin is not None
        assert owner.stdout is not None
        try:
            address = owner.stdout.readline().strip()
            if not address:
                code = owner.wait()
                complaints.seek(0)
                raise (MissingToolError if code == 2 else StartError)(complaints.read().strip())
            yield address
        finally:
            owner.stdin.close()
            owner.wait()
            owner.stdout.close()


def run(command: list[str]) -> int:
    """Run a command with a broker, whose address RELINEAGE_TEST_KAFKA tells it; return its exit code."""
    with broker() as address:
        process = subprocess.Popen(command, env={**os.environ, "RELINEAGE_TEST_KAFKA": address})
        try:
            while True:
                try:
                    return process.wait()
                except KeyboardInterrupt:
                    continue  # the terminal sent it Ctrl-C too: it ends in its own way
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()


def main(arguments: list[str]) -> int:
    """The command line; see the module's docstring. Returns 2 when something has to be installed first."""
    parser = argparse.ArgumentParser(prog="broker.py", description="A real Kafka broker for tests and demos.")
    commands = parser.add_subparsers(dest="what", required=True)
    starting = commands.add_parser("start", help="print HOST:PORT and stay until Ctrl-C")
    starting.add_argument(
        "--until-stdin-closes", action="store_true", help="stay until standard input closes"
    )
    running = commands.add_parser("run", help="run a command with RELINEAGE_TEST_KAFKA=HOST:PORT")
    running.add_argument("command", nargs="+", metavar="COMMAND", help="the command, after --")
    options = parser.parse_args(arguments)

    def end(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)  # so that SIGTERM too runs the clean-up

    signal.signal(signal.SIGTERM, end)
    try:
        if options.what == "run":
            return run(options.command)
        return start(until_stdin_closes=options.until_stdin_closes)
    except KeyboardInterrupt:
        return 130
    except MissingToolError as missing:
        print(missing, file=sys.stderr)
        return 2
    except StartError as failure:
        print(failure, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
