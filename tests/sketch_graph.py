"""The sketch whose defects G1 to G15 are: its first block as it was printed, with the imports that it lacked and
without comments.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any


class TraditionalLineage:
    def __init__(self) -> None:
        self.operations: list[dict[str, Any]] = []

    def log_transform(self, input_table: str, output_table: str, sql_query: str) -> None:
        self.operations.append(
            {
                "input": input_table,
                "output": output_table,
                "operation": sql_query,
                "timestamp": datetime.now(),  # noqa: DTZ005 - this is G11
            }
        )

    def trace_origin(self, table: str) -> list[str]:
        return [op["input"] for op in self.operations if op["output"] == table]


@dataclass
class DataArtifact:
    artifact_id: str
    content_hash: str
    schema_version: str
    row_count: int
    feature_stats: dict[str, Any]
    created_at: datetime


@dataclass
class LineageNode:
    input_artifacts: list[str]
    output_artifact: str
    operation_type: str
    code_version: str
    model_version: str | None
    hyperparameters: dict[Any, Any]
    random_seed: int | None
    execution_metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        content = json.dumps(
            {
                "inputs": sorted(self.input_artifacts),
                "operation": self.operation_type,
                "code": self.code_version,
                "model": self.model_version,
                "hyperparams": self.hyperparameters,
                "seed": self.random_seed,
            },
            sort_keys=True,
        )
        self.node_id = sha256(content.encode()).hexdigest()[:16]


class AILineageTracker:
    def __init__(self, storage_backend: str) -> None:
        self.artifacts: dict[str, DataArtifact] = {}
        self.lineage_graph: dict[str, LineageNode] = {}
        self.storage = storage_backend

    def register_artifact(self, data: Any, metadata: dict[str, Any]) -> str:
        content_hash = self._hash_data(data)  # type: ignore[attr-defined]
        artifact = DataArtifact(
            artifact_id=f"artifact_{content_hash[:12]}",
            content_hash=content_hash,
            schema_version=metadata["schema_version"],
            row_count=len(data),
            feature_stats=self._compute_stats(data),  # type: ignore[attr-defined]
            created_at=datetime.now(),  # noqa: DTZ005 - this is G11
        )
        self.artifacts[artifact.artifact_id] = artifact
        return artifact.artifact_id

    def log_transformation(self, node: LineageNode) -> str:
        self.lineage_graph[node.node_id] = node
        self._persist_to_storage(node)  # type: ignore[attr-defined]
        return node.node_id

    def trace_to_source(self, artifact_id: str) -> list[LineageNode]:
        chain = []
        current = artifact_id

        while True:
            producers = [n for n in self.lineage_graph.values() if n.output_artifact == current]
            if not producers:
                break

            node = producers[0]
            chain.append(node)

            if node.input_artifacts:
                current = node.input_artifacts[0]
            else:
                break

        return chain
