"""OpenLineage's own facets as plain JSON values: which version of each is written, and how its fields are
filled.

Decides what we say in each. The versions are those of the specification 2-0-2; a facet of ours exists only
where none of these says it (package `relineage.facets`). Pure.
"""

import traceback
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from .naming import DatasetName
from .settings import RunReference

EVENT_SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_STACK_CHARACTERS = 24_000  # of a stack trace: the end, where it happened, matters most

# key → (version of the facet's document, its class)
_VERSIONS = {
    "dataQualityMetrics": ("1-0-0", "DataQualityMetricsDatasetFacet"),
    "datasetType": ("1-0-1", "DatasetTypeDatasetFacet"),
    "environmentVariables": ("1-0-0", "EnvironmentVariablesRunFacet"),
    "errorMessage": ("1-0-1", "ErrorMessageRunFacet"),
    "executionParameters": ("1-0-0", "ExecutionParametersRunFacet"),
    "inputStatistics": ("1-0-0", "InputStatisticsInputDatasetFacet"),
    "jobType": ("2-0-4", "JobTypeJobFacet"),
    "outputStatistics": ("1-0-2", "OutputStatisticsOutputDatasetFacet"),
    "parent": ("1-2-0", "ParentRunFacet"),
    "processing_engine": ("1-1-1", "ProcessingEngineRunFacet"),
    "schema": ("1-2-0", "SchemaDatasetFacet"),
    "sourceCodeLocation": ("1-1-0", "SourceCodeLocationJobFacet"),
    "symlinks": ("1-0-1", "SymlinksDatasetFacet"),
    "version": ("1-0-1", "DatasetVersionDatasetFacet"),
}


class StandardFacets:
    """The standard facets, written in one producer's name.

    Args:
        producer: URI of the code that makes them.
    """

    def __init__(self, producer: str) -> None:
        """Keep the producer."""
        self._producer = producer

    def _facet(self, key: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        version, name = _VERSIONS[key]
        url = f"https://openlineage.io/spec/facets/{version}/{name}.json#/$defs/{name}"
        kept = {field: value for field, value in fields.items() if value is not None}
        return {"_producer": self._producer, "_schemaURL": url, **kept}

    def version(self, version: str) -> dict[str, Any]:
        """`version` of a dataset."""
        return self._facet("version", {"datasetVersion": version})

    def schema(self, columns: Iterable[tuple[str, str]]) -> dict[str, Any]:
        """`schema`: (name, type) of each column, in order."""
        fields = [
            {"name": name, "type": kind, "ordinal_position": position}
            for position, (name, kind) in enumerate(columns, start=1)
        ]
        return self._facet("schema", {"fields": fields})

    def dataset_type(self, kind: str, sub_type: str | None = None) -> dict[str, Any]:
        """`datasetType`: TABLE, FILE, MODEL, …."""
        return self._facet("datasetType", {"datasetType": kind, "subType": sub_type})

    def symlinks(self, others: Iterable[DatasetName], kind: str) -> dict[str, Any]:
        """`symlinks`: other names of the same dataset."""
        identifiers = [{"namespace": other.namespace, "name": other.name, "type": kind} for other in others]
        return self._facet("symlinks", {"identifiers": identifiers})

    def data_quality(
        self, rows: int | None, size: int | None, columns: Mapping[str, Mapping[str, float]]
    ) -> dict[str, Any]:
        """`dataQualityMetrics`: rows, bytes, and numbers by column."""
        return self._facet(
            "dataQualityMetrics", {"rowCount": rows, "bytes": size, "columnMetrics": dict(columns)}
        )

    def statistics(self, direction: str, rows: int | None, size: int | None) -> dict[str, Any]:
        """`inputStatistics` or `outputStatistics`: rows and bytes that went in or out."""
        return self._facet(f"{direction}Statistics", {"rowCount": rows, "size": size})

    def parent(self, parent: RunReference, root: RunReference) -> dict[str, Any]:
        """`parent`: the run around this one, and the outermost."""
        return self._facet("parent", {**_run(parent), "root": _run(root)})

    def processing_engine(self, python: str, adapter: str) -> dict[str, Any]:
        """`processing_engine`: Python, and the version of this package."""
        fields = {"name": "python", "version": python, "openlineageAdapterVersion": adapter}
        return self._facet("processing_engine", fields)

    def job_type(self) -> dict[str, Any]:
        """`jobType`: what every run of ours is, a batch that ends."""
        return self._job_type

    @cached_property
    def _job_type(self) -> dict[str, Any]:
        from ..facets.encode import Settled

        fields = {"processingType": "BATCH", "integration": "RELINEAGE", "jobType": "JOB"}
        return Settled(self._facet("jobType", fields))

    def source_code(
        self, url: str, repository: str | None, path: str | None, version: str | None, branch: str | None
    ) -> dict[str, Any]:
        """`sourceCodeLocation` in git."""
        fields = {
            "type": "git",
            "url": url,
            "repoUrl": repository,
            "path": path,
            "version": version,
            "branch": branch,
        }
        return self._facet("sourceCodeLocation", fields)

    def variables(self, variables: Mapping[str, str]) -> dict[str, Any]:
        """`environmentVariables`."""
        listed = [{"name": name, "value": value} for name, value in sorted(variables.items())]
        return self._facet("environmentVariables", {"environmentVariables": listed})

    def parameters(self, parameters: Sequence[tuple[str, str]]) -> dict[str, Any]:
        """`executionParameters`: (name, value as text)."""
        listed = [{"key": name, "name": name, "value": value} for name, value in parameters]
        return self._facet("executionParameters", {"parameters": listed})

    def error(self, message: str, error: BaseException | None) -> dict[str, Any]:
        """`errorMessage`: what happened and where; no values of local variables."""
        trace = "".join(traceback.format_exception(error)) if error is not None else None
        if trace is not None and len(trace) > _STACK_CHARACTERS:
            trace = "…" + trace[-_STACK_CHARACTERS:]
        fields = {
            "message": message[:_STACK_CHARACTERS],
            "programmingLanguage": "python",
            "stackTrace": trace,
        }
        return self._facet("errorMessage", fields)


def _run(reference: RunReference) -> dict[str, Any]:
    return {
        "run": {"runId": reference.run_id},
        "job": {"namespace": reference.namespace, "name": reference.name},
    }
