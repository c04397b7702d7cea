"""What the documentation says is so: commands are run, generated parts are compared, names are looked up."""

import importlib.util
import os
import re
import subprocess
import sysconfig
import tomllib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
from once import once

from relineage.consumer.cli import COMMANDS
from relineage.consumer.consume import take_in
from relineage.consumer.store import Store

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
DATA_MODEL = (ROOT / "docs" / "data-model.md").read_text("utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))


def load_tool() -> ModuleType:
    """tools/ is no package: its script is loaded by its path."""
    spec = importlib.util.spec_from_file_location("relineage_docs_script", ROOT / "tools" / "docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


docs = load_tool()


def blocks(text: str, language: str) -> list[str]:
    return [content for found, content in docs.BLOCK.findall(text) if found == language]


def masked(text: str) -> list[str]:
    """Lines without what differs from one time to the next: ids, digests, figures, and so the width of columns."""
    text = re.sub(r"\b[0-9a-f]{8,}(-[0-9a-f]*)*", "#", text)
    # A run that takes longer than a second says meanwhile that it is running.
    text = re.sub(r"\d+\.\d+|[\d,]+(?= bytes)|\d+(?= events)", "#", text)
    return [re.sub(r"[ ─]{2,}", "  ", line) for line in text.splitlines()]


@dataclass(frozen=True)
class Tried:
    """The README's commands, run in a folder of their own, and the README with what they printed."""

    folder: Path
    text: str


@pytest.fixture(scope="session")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Tried:
    def make(folder: Path) -> None:
        (folder / "project").mkdir()
        (folder / "README.md").write_text(docs.readme(README, folder / "project"), "utf-8")

    folder = once(tmp_path_factory, "readme", make)
    return Tried(folder / "project", (folder / "README.md").read_text("utf-8"))


def test_the_readme_shows_what_its_commands_print(tried: Tried) -> None:
    assert masked(tried.text) == masked(README)


def test_the_readmes_questions_in_sql_can_be_asked(tried: Tried) -> None:
    [block] = blocks(README, "sql")
    with Store.open() as store:
        take_in(store, [tried.folder / ".relineage" / "events"])
        answers = [
            store.connection.execute(query).fetchall()
            for query in re.sub(r"^--.*$", "", block, flags=re.MULTILINE).split(";")
            if query.strip()
        ]
    upstream, sensitive, undecided, feature, failed = answers
    assert [row[1:] for row in upstream] == [
        ("train", "models/2", None), ("split", "bottles/test", "version"), ("split", "bottles/train", "version"),
        (None, "bottles", "unknown"),
    ]  # fmt: skip
    assert {row[:3] for row in sensitive} >= {("split", 2, 2)}
    assert undecided == []
    assert len(feature) == 2
    assert failed == []


def test_the_readmes_commands_with_kafka_run(tried: Tried, kafka: str, topic: str, tmp_path: Path) -> None:
    [block] = [block for block in blocks(README, "console") if "--kafka" in block]
    (tmp_path / ".relineage").mkdir()
    (tmp_path / "train.py").write_bytes((tried.folder / "train.py").read_bytes())
    here = block.replace("localhost:9092", kafka).replace("openlineage.events", topic)
    produce, consume = re.findall(r"^\$ (.*)$", here, re.MULTILINE)
    docs.answer(f"RELINEAGE_TOPIC={topic} {produce}", tmp_path)
    assert re.search(r"took in \d+ events$", docs.answer(consume, tmp_path))
    assert "models/3" in docs.answer("relineage models", tmp_path)


def test_every_command_is_in_the_readme_and_says_what_it_does() -> None:
    script = Path(sysconfig.get_path("scripts")) / "relineage"
    environ = {**os.environ, "COLUMNS": "200"}
    ran = subprocess.run([script, "--help"], capture_output=True, text=True, check=True, env=environ)
    listed = re.findall(r"^  (\w+)  +\S", ran.stdout.partition("Commands:")[2], re.MULTILINE)
    assert listed == list(COMMANDS)
    for command in listed:
        assert re.search(rf"^\| `relineage {command}\b.*` \| .+ \|$", README, re.MULTILINE), command


def test_what_the_readme_tells_to_make_and_to_install_is_there() -> None:
    [*_, sh] = ["\n".join(blocks(README, "sh"))]
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    made = set(re.findall(r"^make (\S+)", sh, re.MULTILINE))
    assert {"demo", "test"} <= made <= targets
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(re.findall(r"\.\[(\w+)\]", sh)) <= set(extras)


def test_the_tables_of_the_data_model_are_those_of_the_database() -> None:
    assert docs.data_model(DATA_MODEL) == DATA_MODEL, "python tools/docs.py writes them anew"


def test_every_public_view_and_macro_is_in_the_data_model_with_its_columns_explained() -> None:
    with Store.open() as store:
        views = store.connection.execute(
            "select c.table_name, c.column_name from duckdb_columns() c join duckdb_views() v using (schema_name)"
            " where schema_name = 'main' and not v.internal and v.view_name = c.table_name"
        ).fetchall()
    assert {"runs", "inputs", "outputs", "models", "facets"} <= {view for view, _ in views}
    for view, column in views:
        section = DATA_MODEL.partition(f"#### `{view}`\n")[2].partition("\n#### ")[0]
        assert re.search(rf"^\| `{column}` \| .+ \| .+ \|$", section, re.MULTILINE), f"{view}.{column}"
    for macro in ("upstream", "downstream", "reproducibility", "run_diff", "why"):
        assert f"**`{macro}(" in DATA_MODEL


def test_every_rule_that_the_code_refers_to_is_a_rule() -> None:
    rules = set(re.findall(r"^\*\*(R\d+) ", DATA_MODEL, re.MULTILINE))
    assert rules == {f"R{number}" for number in range(1, 10)}
    files = [file for house in ("facets", "emitter", "consumer") for file in (ROOT / house).rglob("*")]
    told = {
        rule
        for file in files
        if file.suffix in (".py", ".sql")
        for rule in re.findall(r"\brules? (R\d+)", file.read_text("utf-8"), re.IGNORECASE)
    }
    assert told
    assert told <= rules


def test_every_file_that_the_architecture_names_is_there() -> None:
    named = set(
        re.findall(r"(?<![\w/.])(?:facets|emitter|consumer|demo|docs|tests|tools)/[\w/.*-]*", ARCHITECTURE)
    )
    assert len(named) > 50
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_every_package_folder_is_in_the_architecture() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    for package in settings["packages"]:
        folder = package.removeprefix("relineage.").replace(".", "/")
        assert f"`{folder}/`" in ARCHITECTURE, folder


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", page.read_text("utf-8"))):
        if target.startswith(("http://", "https://")):
            continue
        file, _, anchor = target.partition("#")
        to = (page.parent / file) if file else page
        assert to.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", to.read_text("utf-8"), re.MULTILINE)
            assert anchor in {
                re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings
            }, target


def test_decisions_are_numbered_and_say_what_follows() -> None:
    assert [int(page.name[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    for page in DECISIONS:
        text = page.read_text("utf-8")
        assert text.startswith(f"# {int(page.name[:4])}. ")
        for part in ("**Question.**", "**Decision.**", "**Consequences.**"):
            assert part in text, f"{page.name}: {part}"
