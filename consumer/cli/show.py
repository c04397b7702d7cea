"""`relineage show`: everything about one run, job, dataset, version or content, from the public views."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import duckdb

from ..ask import Ask, Thing
from .output import Section, dataset_name, print_sections, short, shortened
from .session import database_option, format_option, question
from .subject import meant
from .tree import distinct_digits

_OF_RUN = {
    "run": "select * from runs where run_id = $run_id",
    "inputs": """
        select role, dataset_namespace, dataset_name, coalesce(digest, version) as version, read_at, how, writer_run_id
        from inputs where run_id = $run_id order by read_at, role, dataset_namespace, dataset_name, version""",
    "outputs": """
        select role, dataset_namespace, dataset_name, coalesce(digest, version) as version, written_at
        from outputs where run_id = $run_id order by written_at, role, dataset_namespace, dataset_name, version""",
    "parameters": "select name, value, type from parameters where run_id = $run_id order by name",
    "metrics": "select name, value, step from metrics where run_id = $run_id order by name, step",
    "seeds": "select library, seed, given, entropy from seeds where run_id = $run_id order by library",
    "environment": "select * exclude (run_id, packages), packages from environments where run_id = $run_id",
    "inner runs": """
        select run_id, job_name, state, started_at, ended_at from runs
        where parent_run_id = $run_id order by started_at, run_id""",
    "facets": """
        select entity, namespace, name, key, body from facets where run_id = $run_id
        order by entity, namespace, name, key""",
    "problems": "select path, expected, got from event_problems where run_id = $run_id order by path, expected, got",
}  # fmt: skip
_OF_JOB = {
    "job": "select * from jobs where namespace = $namespace and name = $name",
    "runs": """
        select run_id, state, started_at, ended_at from runs where job_namespace = $namespace and job_name = $name
        order by started_at desc, run_id""",
}
_OF_DATASET = {
    "dataset": "select * from datasets where namespace = $namespace and name = $name",
    "other names": """
        select other.namespace, other.name from datasets mine
        join datasets other
            on other.one_with_namespace = mine.one_with_namespace and other.one_with_name = mine.one_with_name
        where mine.namespace = $namespace and mine.name = $name
            and (other.namespace, other.name) <> (mine.namespace, mine.name)
        order by all""",
    "versions": """
        select * exclude (namespace, name) from dataset_versions where namespace = $namespace and name = $name
        order by first_written_at desc nulls last, version""",
    "writers": """
        select o.run_id, r.job_name, r.state, o.role, o.version, o.written_at
        from outputs o left join runs r using (run_id)
        where o.dataset_namespace = $namespace and o.dataset_name = $name order by o.written_at desc, o.run_id""",
    "readers": """
        select i.run_id, r.job_name, r.state, i.role, i.version, i.read_at, i.how
        from inputs i left join runs r using (run_id)
        where i.dataset_namespace = $namespace and i.dataset_name = $name order by i.read_at desc, i.run_id""",
    "facets": """
        select key, body from facets
        where entity = 'dataset' and namespace = $namespace and name = $name order by key""",
}  # fmt: skip
# A version under all names of its dataset, or all versions that have a digest.
_VERSIONS = """
with mine as (
    select namespace, name, one_with_namespace, one_with_name from datasets
    where namespace = $namespace and name = $name
),
named as (
    select d.namespace, d.name from datasets d join mine m
        on (d.namespace = m.namespace and d.name = m.name)
        or (d.one_with_namespace = m.one_with_namespace and d.one_with_name = m.one_with_name)
),
wanted as (
    select v.namespace, v.name, v.version
    from dataset_versions v join named using (namespace, name) where v.version = $version
    union
    select d.namespace, d.name, v.version
    from store.version_digest g join store.version v using (version_key) join store.dataset d using (dataset_key)
    where g.digest = $digest
)
"""
_OF_VERSION = {
    "versions": """
        select v.* from dataset_versions v join wanted using (namespace, name, version)
        order by first_written_at nulls last, namespace, name, version""",
    "digests": """
        select g.digest, list(distinct w.namespace || '/' || w.name order by w.namespace || '/' || w.name) as names
        from wanted w join store.version_digest g on g.version_key = store.version_key(w.namespace, w.name, w.version)
        group by g.digest order by g.digest""",
    "writers": """
        select o.run_id, r.job_name, r.state, o.role, o.dataset_name, o.written_at from outputs o
        join wanted w on w.namespace = o.dataset_namespace and w.name = o.dataset_name and w.version = o.version
        left join runs r using (run_id) order by o.written_at, o.run_id""",
    "readers": """
        select i.run_id, r.job_name, r.state, i.role, i.dataset_name, i.read_at, i.how from inputs i
        join wanted w on w.namespace = i.dataset_namespace and w.name = i.dataset_name and w.version = i.version
        left join runs r using (run_id) order by i.read_at, i.run_id""",
    "model": """
        select distinct m.framework, m.parameters
        from models m join wanted using (namespace, name, version) order by all""",
    "features": """
        select distinct f.feature, f.type, f.rows, f.nulls, f.min, f.max, f.mean, f.deviation, f.distinct_values
        from feature_stats f
        join wanted w on w.namespace = f.dataset_namespace and w.name = f.dataset_name and w.version = f.version
        order by all""",
}  # fmt: skip
# Sections of one row, read downwards.
_UPRIGHT = {"run", "job", "dataset", "environment"}


@click.command("show")
@click.argument("x", metavar="X")
@format_option("table", "json")
@database_option
def command(x: str, format_: str, database: Path | None) -> int:
    """Everything about one run, job (with its latest run), dataset, version, digest or file. Times are UTC."""
    with question(database) as store:
        thing = Ask(store.connection).thing(meant(store.connection, x))
        sections = _sections(store.connection, thing, whole=format_ == "json")
    print_sections(sections, format_)
    return 0


def _sections(connection: duckdb.DuckDBPyConnection, thing: Thing, *, whole: bool) -> list[Section]:
    run = {"run_id": thing.run_id}
    name = {"namespace": thing.namespace, "name": thing.name}
    if thing.kind == "job":
        of_job = _asked(connection, _OF_JOB, name, whole=whole)
        latest = _asked(connection, _OF_RUN, run, whole=whole) if thing.run_id else []
        return [
            *of_job,
            *(replace(one, title="latest run") if one.title == "run" else one for one in latest),
        ]
    if thing.kind == "run":
        return _asked(connection, _OF_RUN, run, whole=whole)
    if thing.kind == "dataset":
        return _asked(connection, _OF_DATASET, name, whole=whole)
    queries = {title: _VERSIONS + query for title, query in _OF_VERSION.items()}
    version = {"version": thing.version, "digest": thing.digest}
    return _asked(connection, queries, name | version, whole=whole)


def _asked(
    connection: duckdb.DuckDBPyConnection, queries: dict[str, str], values: dict[str, Any], *, whole: bool
) -> list[Section]:
    """A section a query; for people each row is made to fit one screen."""
    sections = []
    for title, query in queries.items():
        found = connection.execute(query, values)
        columns = [column[0] for column in found.description]
        rows = [dict(zip(columns, row, strict=True)) for row in found.fetchall()]
        if whole:
            rows = [row | {"body": json.loads(row["body"])} if "body" in row else row for row in rows]
        elif title not in _UPRIGHT | {"digests"}:
            digits = distinct_digits(
                {row[c] for row in rows for c in columns if c.endswith("run_id") and row[c]}
            )
            rows = [{name: _compact(name, value, digits) for name, value in row.items()} for row in rows]
        if not whole:
            rows = [_for_people(row) for row in rows]
        columns = list(rows[0]) if rows else columns
        sections.append(Section(title, columns, [list(row.values()) for row in rows], title in _UPRIGHT))
    return sections


def _compact(column: str, value: Any, digits: int) -> Any:
    """A value where many stand in a row: the beginning of a run id or digest, which finds it again."""
    if column.endswith("run_id") and value is not None:
        return value[:digits]
    return short(value) if column == "version" else shortened(value)


def _for_people(row: dict[str, Any]) -> dict[str, Any]:
    """Namespace and name as one text, packages counted, facets by their key."""
    line: dict[str, Any] = {}
    for column, value in row.items():
        kind = column.removesuffix("name").removesuffix("_")
        namespace = f"{kind}_namespace".removeprefix("_")
        if column.endswith("name") and namespace in row:
            named = value is not None or row[namespace] is not None
            line[kind or "name"] = dataset_name(row[namespace] or "", value or "") if named else None
        elif column == "packages" and isinstance(value, dict):
            line[column] = f"{len(value)} packages"
        elif not column.endswith("namespace") and column != "body":
            line[column] = value
    return line
