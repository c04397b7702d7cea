"""`python tools/docs.py`: writes the parts of the documentation that come from the program itself.

Decides which parts those are: between markers in docs/data-model.md the tables, views, macros and facets, from the
comments in a new database and from the facets' types; in README.md the answers below the commands in its `console`
blocks, from running them. tests/test_docs.py compares what is committed with what this makes.
"""

import inspect
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import click
import duckdb

from relineage.consumer.cli import COMMANDS
from relineage.consumer.store import Store
from relineage.facets import ALL

ROOT = Path(__file__).resolve().parents[1]
DATA_MODEL = ROOT / "docs" / "data-model.md"
README = ROOT / "README.md"
# Settings of whoever runs this would show in the answers.
KEPT_OUT = ("OPENLINEAGE", "RELINEAGE", "PYTHONHASHSEED")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def tables(connection: duckdb.DuckDBPyConnection) -> str:
    """The tables of the schema `store`."""
    return _relations(connection, "duckdb_tables()", "store")


def views(connection: duckdb.DuckDBPyConnection) -> str:
    """The public views."""
    return _relations(connection, "duckdb_views()", "main")


def macros(connection: duckdb.DuckDBPyConnection) -> str:
    """The public macros, with the columns of what they return."""
    found = connection.execute(
        "select function_name, parameters, comment from duckdb_functions()"
        " where schema_name = 'main' and function_type = 'table_macro' and not internal order by function_oid"
    ).fetchall()
    lines = ["| macro | is | columns |", "|---|---|---|"]
    for name, parameters, comment in found:
        arguments = ", ".join("'x'" for _ in parameters)
        columns = connection.execute(f"describe select * from {name}({arguments})").fetchall()
        shown = ", ".join(f"`{column[0]}`" for column in columns)
        lines.append(f"| `{name}({', '.join(parameters)})` | {_cell(comment)} | {shown} |")
    return "\n".join(lines)


def facets(connection: duckdb.DuckDBPyConnection) -> str:
    """Our facets."""
    lines = ["| key | entity | says | fields |", "|---|---|---|---|"]
    for facet in ALL:
        entity = (
            re.sub(r"(?<!^)(?=[A-Z])", " ", facet.BASE.removesuffix("Facet")).lower().removesuffix(" dataset")
        )
        said = (inspect.getdoc(facet) or "").split("\n\n")[0].replace("\n", " ")
        fields = ", ".join(f"`{field.alias or name}`" for name, field in facet.model_fields.items())
        lines.append(
            f"| [`{facet.KEY}`](facets.md#{facet.__name__.lower()}) | {entity} | {_cell(said)} | {fields} |"
        )
    return "\n".join(lines)


PARTS: dict[str, Callable[[duckdb.DuckDBPyConnection], str]] = {
    "tables": tables,
    "views": views,
    "macros": macros,
    "facets": facets,
}


def data_model(text: str) -> str:
    """docs/data-model.md with the parts between its markers made anew."""
    with Store(duckdb.connect()) as store:
        store._migrate()  # not copied from a blank database, which forgets the order of our SQL files
        for name, part in PARTS.items():
            text = _between(text, name, part(store.connection))
    return text


def readme(text: str, folder: Path) -> str:
    """README.md with its table of commands, and the answers below its commands, made anew.

    The commands are run, in order, in `folder`, where a `python` block that begins with `# name.py` is the file of that
    name. Those that need Kafka are left to the tests, which have a broker.
    """
    (folder / ".relineage").mkdir()

    def answered(block: re.Match[str]) -> str:
        language, content = block.groups()
        if language == "python" and (file := re.match(r"# (\w+\.py)\n", content)):
            (folder / file[1]).write_text(content, "utf-8")
        if language != "console" or "--kafka" in content:
            return block[0]
        typed = re.findall(r"^\$ (.*)$", content, re.MULTILINE)
        return (
            "```console\n" + "".join(f"$ {command}\n{answer(command, folder)}" for command in typed) + "```"
        )

    return BLOCK.sub(answered, _between(text, "commands", commands()))


def commands() -> str:
    """The subcommands of `relineage`, with their arguments."""
    lines = ["| command | does |", "|---|---|"]
    for name, says in COMMANDS.items():
        command = import_module(f"relineage.consumer.cli.{name}").command
        pieces = [
            piece for piece in command.collect_usage_pieces(click.Context(command)) if piece != "[OPTIONS]"
        ]
        lines.append(f"| `{_cell(' '.join(['relineage', name, *pieces]))}` | {_cell(says)} |")
    return "\n".join(lines)


def _between(text: str, name: str, made: str) -> str:
    begin, end = f"<!-- {name}: written by tools/docs.py -->\n", f"<!-- end of {name} -->"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{made}\n\n{end}{after}"


def answer(command: str, folder: Path) -> str:
    """What a command prints, with its errors, as in a terminal of 110 columns."""
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("OPENLINEAGE", "RELINEAGE"))
    }
    path = os.pathsep.join(
        [sysconfig.get_path("scripts"), str(Path(sys.executable).parent), os.environ["PATH"]]
    )
    ran = subprocess.run(
        command, shell=True, cwd=folder, text=True, check=False,
        env=clean | {"PATH": path, "COLUMNS": "110"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if ran.returncode not in (0, 1):
        raise RuntimeError(f"{command}\n{ran.stdout}")
    lines = [line.rstrip() for line in ran.stdout.replace(str(folder), "~").splitlines()]
    return "".join(f"{line}\n" for line in lines)


def _relations(connection: duckdb.DuckDBPyConnection, catalogue: str, schema: str) -> str:
    kind = catalogue.removeprefix("duckdb_").removesuffix("s()")
    found = connection.execute(
        f"select {kind}_name, comment from {catalogue}"
        f" where schema_name = $schema and not internal order by {kind}_oid",
        {"schema": schema},
    ).fetchall()
    pieces = []
    for name, comment in found:
        columns = connection.execute(
            "select column_name, lower(data_type), comment from duckdb_columns()"
            " where schema_name = $schema and table_name = $name order by column_index",
            {"schema": schema, "name": name},
        ).fetchall()
        rows = "\n".join(
            f"| `{column}` | {_type(type_)} | {_cell(said)} |" for column, type_, said in columns
        )
        pieces.append(f"#### `{name}`\n\n{comment}\n\n| column | type | is |\n|---|---|---|\n{rows}")
    return "\n\n".join(pieces)


def _type(type_: str) -> str:
    """A type in few words."""
    if type_.startswith("struct"):
        return "struct"
    return "enum" if type_.startswith("enum") else type_


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "\\|")


def main() -> None:
    """Write what differs."""
    with tempfile.TemporaryDirectory() as folder:
        made = {DATA_MODEL: data_model(_read(DATA_MODEL)), README: readme(_read(README), Path(folder))}
    for path, text in made.items():
        if text != _read(path):
            path.write_text(text, "utf-8")
            print(f"written: {path.relative_to(ROOT)}")


def _read(path: Path) -> str:
    return path.read_text("utf-8")


if __name__ == "__main__":
    main()
