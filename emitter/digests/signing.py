"""What `model_signing` (https://github.com/sigstore/model-transparency) signs of a model's folder.

That package signs the digests of a model's files. BLAKE3 is one of the hashes it knows, and ours of a file is
plain BLAKE3, so the files need not be read twice. Decides the statement only, in the form that the package
documents (in-toto, predicate type `https://model_signing/signature/v1.0`); keys, signing and verifying are the
package's, which is never imported here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from .files import folder_manifest

# The package leaves these out on its own, signing and verifying.
_GIT = (".git", ".gitattributes", ".github", ".gitignore")


def signing_statement(folder: Path, *, ignored: Sequence[str] = ()) -> dict[str, Any]:
    """The statement about a folder, as `model_signing` makes it with BLAKE3 of whole files.

    Args:
        folder: of the model.
        ignored: files and folders that are not signed, such as the signature itself; paths below `folder`.

    Raises:
        Refused: what `b3-folder1` refuses, links among it.
    """
    left_out = [PurePosixPath(path) for path in (*_GIT, *ignored)]
    files = [(PurePosixPath(name), raw) for name, _, raw in folder_manifest(folder)]
    signed = sorted((path, raw) for path, raw in files if not any(map(path.is_relative_to, left_out)))
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {
                "name": folder.resolve().name,
                "digest": {"sha256": hashlib.sha256(b"".join(raw for _, raw in signed)).hexdigest()},
            }
        ],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {
            "serialization": {
                "method": "files",
                "hash_type": "blake3",
                "allow_symlinks": False,
                "ignore_paths": sorted(map(str, left_out)),
            },
            "resources": [
                {"name": str(path), "algorithm": "blake3", "digest": raw.hex()} for path, raw in signed
            ],
        },
    }
