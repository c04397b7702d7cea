"""What an object in the store is called: by the digest of its content, and the ending of its form.

Decides which digests name objects, and that nothing else ever becomes a path: a digest that comes from an
event or a command line is checked here first. Pure.
"""

import re

# Label → endings, the preferred form first. A file is kept as it is under the digest of its bytes, whatever
# it holds; a folder as the list of its files, each of them an object of its own.
FORMS = {
    "b3-table1": (".parquet", ".arrow"),
    "b3-tensors1": (".safetensors", ".npz"),
    "b3-bytes1": ("",),
    "b3-folder1": (".json",),
}
KINDS = {"b3-table1": "table", "b3-tensors1": "tensors", "b3-bytes1": "bytes", "b3-folder1": "folder"}
OBJECTS = "objects"

_DIGEST = re.compile(r"(b3-[a-z0-9]+):([0-9a-f]{64})")
_NAME = re.compile(rf"{OBJECTS}/(b3-[a-z0-9]+)/([0-9a-f]{{2}})/([0-9a-f]{{62}})(\.[a-z]+)?")


def label_of(digest: str) -> str | None:
    """The label of a whole, well-formed digest that can name an object; null for anything else."""
    match = _DIGEST.fullmatch(digest)
    return match[1] if match is not None and match[1] in FORMS else None


def name_of(digest: str, ending: str) -> str:
    """`objects/b3-table1/ab/cdef….parquet`, relative to the store, with forward slashes.

    Raises:
        ValueError: It is no digest that names objects.
    """
    label = label_of(digest)
    if label is None or ending not in FORMS[label]:
        raise ValueError(f"{digest!r} names no object")
    hexadecimal = digest.partition(":")[2]
    return f"{OBJECTS}/{label}/{hexadecimal[:2]}/{hexadecimal[2:]}{ending}"


def names_of(digest: str) -> list[str]:
    """Every name that an object of this digest may have, the preferred first; none if it names no objects."""
    label = label_of(digest)
    return [] if label is None else [name_of(digest, ending) for ending in FORMS[label]]


def digest_of(name: str) -> str | None:
    """The digest in an object's name; null for whatever else lies in the store."""
    match = _NAME.fullmatch(name)
    if match is None or (match[4] or "") not in FORMS.get(match[1], ()):
        return None
    return f"{match[1]}:{match[2]}{match[3]}"


def ending_of(name: str) -> str:
    """The ending of an object's name, empty for bytes."""
    match = _NAME.fullmatch(name)
    return (match[4] or "") if match is not None else ""
