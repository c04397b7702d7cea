"""No secret leaves: the very bytes on the disk are searched for everything that was planted."""

import dataclasses
import subprocess
import sys
import types
import typing
from collections import OrderedDict

import pandas as pd
import pydantic
import pytest
from emitted import everything_in

from relineage.emitter import Lineage
from relineage.emitter.parameters import holds_secret, parameters_of

SECRET = "hunter2-Zk9Qx7"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / ".relineage").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("DB_PASSWORD", SECRET)
    return tmp_path


def failing(run):
    raise ConnectionError(f"cannot reach postgres://scott:{SECRET}@db/shop, password={SECRET}")


PLANTED = {
    "a parameter by its name": ({"params": {"db_password": SECRET, "lr": 0.1}}, lambda run: None),
    "a parameter by its form": ({"params": {"dsn": f"postgres://u:{SECRET}@h/d"}}, lambda run: None),
    "a nested parameter": ({"params": {"db": {"user": "u", "password": SECRET}}}, lambda run: None),
    "a URL as a name": ({}, lambda run: run.input(name=f"postgres://u:{SECRET}@h/d.s.t", version="1")),
    "a signed URL": ({}, lambda run: run.input(name=f"s3://b/k?X-Amz-Signature={SECRET}")),
    "a query of a URL": ({}, lambda run: run.input(name=f"https://h/d.csv?api_key={SECRET}&v=1")),
    "the exception's text": ({}, failing),
    "a column's values": ({}, lambda run: run.input(pd.DataFrame({"password": [SECRET] * 9, "x": range(9)}))),
}


@pytest.mark.parametrize(("options", "act"), PLANTED.values(), ids=PLANTED)
def test_a_planted_secret_is_not_in_the_bytes_that_left(folder, options, act):
    lineage = Lineage(namespace="fraud")
    try:
        with lineage.run("train", **options) as run:
            run.input(pd.DataFrame({"a": range(20)}), name="marker/that/left")
            act(run)
    except ConnectionError:
        pass
    lineage.close()

    left = everything_in(folder / ".relineage")
    assert b"marker/that/left" in left
    assert SECRET.encode() not in left


PROGRAM = """
from relineage.emitter import Lineage
lineage = Lineage(namespace="fraud")
with lineage.run("marker-that-left"):
    pass
"""


@dataclasses.dataclass
class Database:
    user: str
    password: str


class Api(pydantic.BaseModel):
    api_key: str


class Login(typing.NamedTuple):
    user: str
    password: str


@pytest.mark.parametrize(
    "holding",
    [
        lambda secret: {"password": secret},
        lambda secret: {1: {"password": secret}},
        lambda secret: OrderedDict(password=secret),
        lambda secret: Database("u", secret),
        lambda secret: [{"db": Database("u", secret)}],
        lambda secret: Api(api_key=secret),
        lambda secret: Login("u", secret),
        lambda secret: types.SimpleNamespace(token=secret),
    ],
)
def test_no_digest_is_made_of_a_secret_however_deep_it_lies(holding):
    """A digest over a short password can be guessed back."""
    one, other = (parameters_of({"config": holding(secret)}) for secret in ("aaaa", "bb"))

    assert one == other
    assert one.formless == ()
    assert holds_secret("config", holding("aaaa"))
    assert not holds_secret("config", Database)
    assert "aaaa" not in one.shown[0].text


def test_secrets_of_the_command_line_the_environment_and_the_remote_stay_here(folder):
    (folder / "job.py").write_text(PROGRAM)
    for command in (
        ["git", "init", "-q"],
        ["git", "remote", "add", "origin", f"https://x-access-token:{SECRET}@github.com/o/r.git"],
    ):
        subprocess.run(command, cwd=folder, check=True)
    subprocess.run(
        [sys.executable, "job.py", "--api-key", SECRET, f"--password={SECRET}", f"--dsn=mysql://u:{SECRET}@h/d"],
        cwd=folder, check=True,
    )  # fmt: skip

    left = everything_in(folder / ".relineage")
    assert b"marker-that-left" in left
    assert b"github.com/o/r" in left
    assert b"--api-key" in left
    assert SECRET.encode() not in left


def test_a_variable_is_recorded_only_if_its_name_was_listed(folder, monkeypatch):
    monkeypatch.setenv("STAGE", "staging-4711")
    monkeypatch.setenv("RELINEAGE_CAPTURE_ENV", "STAGE,DB_PASSWORD")
    with Lineage().run("train"):
        pass

    left = everything_in(folder / ".relineage")
    assert b"staging-4711" in left
    assert SECRET.encode() not in left
