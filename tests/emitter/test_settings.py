"""Where each setting comes from, and what is said of one that cannot be used."""

import logging

import pytest

from relineage.emitter.errors import SettingsError
from relineage.emitter.settings import RunReference, Settings, from_environment

RUN = "01890a5d-ac96-774b-bcce-b302099a8057"


def test_without_any_setting_there_is_no_transport(tmp_path):
    assert from_environment({}, tmp_path) == Settings()


@pytest.mark.parametrize(
    ("given", "environ", "namespace"),
    [
        ("mine", {"RELINEAGE_NAMESPACE": "a", "OPENLINEAGE_NAMESPACE": "b"}, "mine"),
        (None, {"RELINEAGE_NAMESPACE": "a", "OPENLINEAGE_NAMESPACE": "b"}, "a"),
        (None, {"OPENLINEAGE_NAMESPACE": "b"}, "b"),
        (None, {"RELINEAGE_NAMESPACE": ""}, "default"),
    ],
)
def test_the_namespace_is_the_first_that_is_set(tmp_path, given, environ, namespace):
    assert from_environment(environ, tmp_path, namespace=given).namespace == namespace


@pytest.mark.parametrize(
    ("environ", "transport"),
    [
        pytest.param(
            {"RELINEAGE_KAFKA": "a:9092,b:9092"},
            {
                "type": "kafka",
                "topic": "openlineage.events",
                "config": {"bootstrap.servers": "a:9092,b:9092"},
            },
            id="ours, default topic",
        ),
        pytest.param(
            {"RELINEAGE_KAFKA": "a:9092", "RELINEAGE_TOPIC": "t", "OPENLINEAGE_URL": "http://x"},
            {"type": "kafka", "topic": "t", "config": {"bootstrap.servers": "a:9092"}},
            id="ours wins",
        ),
        pytest.param(
            {
                "OPENLINEAGE__TRANSPORT__TYPE": "kafka",
                "OPENLINEAGE__TRANSPORT__TOPIC": "t",
                "OPENLINEAGE__TRANSPORT__CONFIG": '{"bootstrap.servers": "a:9092", "acks": 1}',
            },
            {"type": "kafka", "topic": "t", "config": {"bootstrap.servers": "a:9092", "acks": 1}},
            id="OpenLineage's variables",
        ),
        pytest.param(
            {"OPENLINEAGE__TRANSPORT": '{"type": "console"}'}, {"type": "console"}, id="as one JSON"
        ),
        pytest.param(
            {"OPENLINEAGE_URL": "http://x", "OPENLINEAGE_API_KEY": "k", "OPENLINEAGE_ENDPOINT": "e"},
            {"type": "http", "url": "http://x", "endpoint": "e", "auth": {"type": "api_key", "apiKey": "k"}},
            id="a URL",
        ),
    ],
)
def test_the_environment_names_the_transport(tmp_path, environ, transport):
    assert from_environment(environ, tmp_path).transport == transport


@pytest.mark.parametrize("place", ["OPENLINEAGE_CONFIG", "folder", "home"])
def test_openlineage_yml_is_found_where_its_client_finds_it(tmp_path, place):
    folder, home = tmp_path / "work", tmp_path / "home"
    (home / ".openlineage").mkdir(parents=True)
    folder.mkdir()
    file = {
        "OPENLINEAGE_CONFIG": tmp_path / "any.yml",
        "folder": folder / "openlineage.yml",
        "home": home / ".openlineage" / "openlineage.yml",
    }[place]
    file.write_text("transport:\n  type: console\n")
    environ = {"HOME": str(home)} | ({place: str(file)} if place.isupper() else {})

    assert from_environment(environ, folder).transport == {"type": "console"}


def test_the_file_wins_over_variables_and_leaves_them_what_it_does_not_say(tmp_path):
    (tmp_path / "openlineage.yml").write_text("transport:\n  type: kafka\n  topic: from-file\n")
    environ = {
        "OPENLINEAGE__TRANSPORT__TOPIC": "x",
        "OPENLINEAGE__TRANSPORT__CONFIG": '{"bootstrap.servers": "a:1"}',
    }

    assert from_environment(environ, tmp_path).transport == {
        "type": "kafka", "topic": "from-file", "config": {"bootstrap.servers": "a:1"},
    }  # fmt: skip


def test_the_run_that_started_the_process_is_known(tmp_path):
    """A namespace may hold slashes, as a URL does."""
    settings = from_environment({"OPENLINEAGE_PARENT_ID": f"s3://flows/daily.task/{RUN.upper()}"}, tmp_path)

    assert settings.parent == RunReference(namespace="s3://flows", name="daily.task", run_id=RUN)
    assert settings.root == settings.parent


def test_a_root_run_of_its_own_is_known(tmp_path):
    root = "01890a5d-ac96-774b-bcce-b302099a8058"
    environ = {"OPENLINEAGE_PARENT_ID": f"n/task/{RUN}", "OPENLINEAGE_ROOT_PARENT_ID": f"n/dag/{root}"}

    assert from_environment(environ, tmp_path).root == RunReference(namespace="n", name="dag", run_id=root)


@pytest.mark.parametrize("value", ["n/task", "n/task/not-a-uuid", f"/task/{RUN}", f"n//{RUN}", RUN])
def test_a_parent_that_cannot_be_read_stops_nothing(tmp_path, caplog, value):
    with caplog.at_level(logging.WARNING, logger="relineage"):
        assert from_environment({"OPENLINEAGE_PARENT_ID": value}, tmp_path).parent is None

    assert "OPENLINEAGE_PARENT_ID" in caplog.text


@pytest.mark.parametrize(
    ("environ", "file", "message"),
    [
        ({"RELINEAGE_KAFKA": "broker"}, None, "RELINEAGE_KAFKA='broker' is not HOST:PORT"),
        ({"OPENLINEAGE_CONFIG": "/no/such.yml"}, None, "there is no such file"),
        ({}, "transport: [unclosed\n  apiKey: hunter2", "cannot be read: ParserError at line 2"),
        ({}, "- a list", "must hold a mapping"),
        ({}, "transport:\n  topic: t", "without `type`"),
        (
            {"OPENLINEAGE__A": "1", "OPENLINEAGE__A__B": "2", "OPENLINEAGE__TRANSPORT": "kafka"},
            None,
            "without `type`",
        ),
    ],
)
def test_a_setting_that_cannot_be_used_is_said_with_its_place(tmp_path, environ, file, message):
    if file is not None:
        (tmp_path / "openlineage.yml").write_text(file)

    with pytest.raises(SettingsError) as raised:
        from_environment(environ, tmp_path)

    assert message in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_an_unknown_digest_mode_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="it can be: auto, full, none"):
        from_environment({}, tmp_path, digest="partial")


def test_sections_that_are_not_used_are_said(tmp_path, caplog):
    (tmp_path / "openlineage.yml").write_text("filters:\n  - type: exact\n    match: x\n")
    with caplog.at_level(logging.WARNING, logger="relineage"):
        from_environment({}, tmp_path)

    assert "`filters` is not used" in caplog.text


def test_names_of_variables_to_capture_come_from_both(tmp_path):
    (tmp_path / "openlineage.yml").write_text("facets:\n  environment_variables: [STAGE]\n")

    settings = from_environment({"RELINEAGE_CAPTURE_ENV": "A, B,"}, tmp_path)

    assert settings.captured_variables == ("A", "B", "STAGE")


def test_openlineage_can_be_switched_off(tmp_path):
    assert from_environment({"OPENLINEAGE_DISABLED": " True "}, tmp_path).disabled
