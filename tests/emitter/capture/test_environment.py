"""What is recorded of a machine and an interpreter, and what is not."""

import importlib.metadata
import platform
import re
import sys
from pathlib import Path
from uuid import UUID

from blake3 import blake3

from relineage.emitter.capture.environment import Environment, allowed_variables, environment, packages_digest


def surroundings(path: list[str]) -> Environment:
    return environment(["x"], ["python", "x"], path, Path.cwd(), UUID(int=0))


def test_packages_are_those_that_pip_would_list():
    theirs = {
        re.sub(r"[-_.]+", "-", one.metadata["Name"]).lower(): one.version
        for one in importlib.metadata.distributions()
    }

    assert dict(surroundings(sys.path).packages) == theirs


def test_a_package_that_was_installed_meanwhile_is_seen(tmp_path):
    before = surroundings([str(tmp_path)]).packages
    (tmp_path / "Some_Thing.Else-1.2+local.dist-info").mkdir()

    assert before == {}
    assert surroundings([str(tmp_path)]).packages == {"some-thing-else": "1.2+local"}


def test_the_first_folder_on_the_path_holds(tmp_path):
    for folder, version in (("a", "1"), ("b", "2")):
        (tmp_path / folder / f"x-{version}.dist-info").mkdir(parents=True)

    path = [str(tmp_path / "missing"), str(tmp_path / "a"), str(tmp_path / "b")]
    assert surroundings(path).packages == {"x": "1"}


def test_the_packages_digest_is_that_of_the_requirements_file():
    lines = b"a==1\nb==2\n"

    assert packages_digest({"b": "2", "a": "1"}) == "b3-bytes1:" + blake3(lines).hexdigest()


def test_python_machine_and_arguments_are_told():
    process = UUID("0199d1a0-7a1b-7000-8000-0000000000d1")
    argv, command = ["/x/train.py", "--lr", "0.1"], ["python", "-X", "utf8", "train.py", "--lr", "0.1"]
    found = environment(argv, command, [], Path("/x"), process)

    assert found.python == platform.python_version()
    assert found.platform == platform.platform()
    assert re.search(r"× \d+$", found.cpu)
    assert found.argv == ("/x/train.py", "--lr", "0.1")
    assert found.command == ("-X", "utf8", "train.py", "--lr", "0.1")
    assert (found.directory, found.process) == ("/x", process)


def test_only_listed_environment_variables_are_taken():
    environ = {"OMP_NUM_THREADS": "4", "AWS_SECRET_ACCESS_KEY": "hunter2", "PATH": "/bin", "STAGE": "prod"}

    assert allowed_variables(environ) == {"OMP_NUM_THREADS": "4"}
    assert allowed_variables(environ, ["STAGE", "ABSENT"]) == {"OMP_NUM_THREADS": "4", "STAGE": "prod"}
