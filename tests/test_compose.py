"""docker-compose.yml and the tests' broker are the same Kafka."""

import shutil
import subprocess
from pathlib import Path

import yaml
from kafka_broker import broker_script

ROOT = Path(__file__).resolve().parents[1]
COMPOSE = ROOT / "docker-compose.yml"
# Where the broker is and keeps its data: the only settings that differ.
OWN = {"controller.quorum.voters", "listeners", "advertised.listeners", "log.dirs"}


def service() -> dict[str, object]:
    return yaml.safe_load(COMPOSE.read_text())["services"]["kafka"]


def test_compose_has_the_settings_of_the_tests_broker() -> None:
    text = broker_script().server_properties(broker_script().SETTINGS, 1, 2, Path("/data"))
    settings = dict(line.split("=", 1) for line in text.splitlines())
    environment = service()["environment"]
    assert isinstance(environment, dict)
    names = {f"KAFKA_{name.upper().replace('.', '_')}": name for name in settings}
    assert set(environment) == set(names)
    differing = {names[key] for key, value in environment.items() if value != settings[names[key]]}
    assert differing == OWN


def test_compose_runs_the_version_that_the_tests_run() -> None:
    pom = (ROOT / "tools" / "kafka" / "pom.xml").read_text()
    version = (
        pom.partition("<artifactId>kafka_2.13</artifactId>")[2].partition("<version>")[2].partition("<")[0]
    )
    assert service()["image"] == f"apache/kafka:{version}"


def test_the_broker_is_only_reachable_from_this_machine() -> None:
    assert service()["ports"] == ["127.0.0.1:9092:9092"]


def test_compose_itself_accepts_the_file_where_it_is_installed() -> None:
    commands = [["docker-compose"]] if shutil.which("docker-compose") else []
    if (
        shutil.which("docker")
        and subprocess.run(["docker", "compose", "version"], capture_output=True).returncode == 0
    ):
        commands.append(["docker", "compose"])
    for command in commands:
        ran = subprocess.run(
            [*command, "-f", str(COMPOSE), "config", "-q"], capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stderr
