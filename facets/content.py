"""`relineage_content`: what a dataset version holds, as identities of content.

A version has a set of digests, because one content has several forms (a file's bytes, the table within).
How each is computed is the emitter's; this facet only carries them.
"""

from typing import ClassVar, Literal

from pydantic import Field

from .base import Base, Count, Digest, Facet, Flag, Part


class Column(Part):
    """One column of a table."""

    name: str
    """The column's name."""

    type: str
    """The column's type, as the table digest binds it."""

    digest: Digest | None = None
    """Digest of the column's values: the root of a tree over its leaves."""

    leaves: str | None = Field(default=None, pattern=r"^[A-Za-z0-9+/]*=?=?$")
    """The leaves in base64, 32 bytes for each 65,536 rows: they tell which rows differ, and an append goes on from
    them. From 65,536 rows on; left out where they are too many, and then in the object of `details`."""


class RelineageContentDatasetFacet(Facet):
    """The digests of a dataset version, its size, and whether it is distinctive enough to be linked by
    content."""

    KEY: ClassVar[str] = "relineage_content"
    BASE: ClassVar[Base] = "DatasetFacet"
    VERSION: ClassVar[str] = "1-0-2"

    digests: tuple[Digest, ...] = ()
    """Every digest known of this content, the strongest first; empty when `absent` says why."""

    kind: Literal["table", "tensors", "estimator", "bytes", "folder", "text", "json"] | None = None
    """What sort of thing the content is."""

    modality: str | None = None
    """What the content depicts: `tabular`, `image`, `audio`, `text`, `embedding`."""

    rows: Count | None = None
    """Number of rows, or of items."""

    bytes: Count | None = None
    """Size of the content in bytes."""

    columns: tuple[Column, ...] = ()
    """The columns in their order, which the table digest leaves out."""

    distinctive: Flag = False
    """False for content that others have by chance (no rows, constant columns, tiny values): never linked
    by content."""

    absent: str | None = None
    """Why there is no digest."""

    details: Digest | None = None
    """Digest of the stored object that holds what did not fit into this facet."""

    stored: str | None = None
    """Where the content itself is kept: the URL of its object in a store, named by one of the digests."""

    carrier: str | None = None
    """The Python type that held it, such as `pandas.DataFrame`, so that a replay can hand it over in the same form."""
