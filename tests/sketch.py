"""The sketch whose defects H1 to H18 are: as it was printed, with the imports that it lacked and without comments."""

import hashlib
import pickle

import pandas as pd


class DatasetArtifact:
    def __init__(self, df: pd.DataFrame, schema_version: str):
        self.df = df
        self.schema_version = schema_version
        self._content_hash: str | None = None
        self._canonical_form: bytes | None = None

    def to_bytes(self) -> bytes:
        if self._canonical_form is None:
            normalized = self.df.copy()
            normalized = normalized.sort_index(axis=1)
            normalized = normalized.reset_index(drop=True)
            self._canonical_form = pickle.dumps(
                normalized, protocol=pickle.HIGHEST_PROTOCOL, fix_imports=False
            )
        return self._canonical_form

    @property
    def content_hash(self) -> str:
        if self._content_hash is None:
            hasher = hashlib.sha256()
            hasher.update(self.to_bytes())
            hasher.update(self.schema_version.encode())
            self._content_hash = hasher.hexdigest()
        return self._content_hash

    def __eq__(self, other: "DatasetArtifact") -> bool:  # type: ignore[override]
        return isinstance(other, DatasetArtifact) and self.content_hash == other.content_hash
