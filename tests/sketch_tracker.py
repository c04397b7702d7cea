"""The sketch whose defects V1 to V5 are: its tracker, as it was printed, with the imports and the two types that it
lacked, and without comments. What it calls and never defines (`_code_exists`, `_model_exists`) is always content here.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class DataArtifact:
    artifact_id: str
    content_hash: str


@dataclass
class LineageNode:
    input_artifacts: list[str]
    output_artifact: str
    operation_type: str
    code_version: str
    model_version: str | None
    hyperparameters: dict[str, Any]
    random_seed: int | None
    execution_metadata: dict[str, Any] = field(default_factory=dict)
    node_id: str = ""


class AILineageTracker:
    def __init__(self) -> None:
        self.artifacts: dict[str, DataArtifact] = {}
        self.lineage_graph: dict[str, LineageNode] = {}

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

    def verify_reproducibility(self, artifact_id: str) -> bool:
        chain = self.trace_to_source(artifact_id)
        for node in chain:
            for input_id in node.input_artifacts:
                if input_id not in self.artifacts:
                    return False
            if not self._code_exists(node.code_version):
                return False
            if node.model_version and not self._model_exists(node.model_version):
                return False
        return True

    def _code_exists(self, version: str) -> bool:
        return True

    def _model_exists(self, version: str) -> bool:
        return True
