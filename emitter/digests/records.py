"""What a digest call returns, and the error it raises where the specification ends.

Plain frozen records, free of heavy imports. How they become facets and versions is the caller's business.
"""

from dataclasses import dataclass


class Refused(ValueError):
    """Data that `docs/digests.md` does not cover.

    Attributes:
        what: what is wrong, in words.
        where: the column, tensor, attribute or path it was found at; empty when it is the data as a whole.
        advice: what to do instead.
    """

    def __init__(self, what: str, *, where: str = "", advice: str) -> None:
        """Keep the three parts and join them to one message."""
        self.what, self.where, self.advice = what, where, advice
        super().__init__(f"{where}: {what}; {advice}" if where else f"{what}; {advice}")


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a table: its name, its type descriptor and the root of its leaves (`b3-column1:…`).

    `leaves` are those leaves, 32 bytes for each 65,536 rows, the last of which may be fewer.
    """

    name: str
    type: str
    digest: str
    leaves: bytes = b""


@dataclass(frozen=True, kw_only=True)
class TableDigest:
    """The digest of a table and its two halves, which tell a changed schema from changed values.

    `schema` binds names and types, `values` the column roots without names; `bytes` is the size of the values
    as encoded. `columns` are in the table's own order, which no digest binds.
    """

    digest: str
    schema: str
    values: str
    rows: int
    bytes: int
    columns: tuple[Column, ...]
    distinctive: bool


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """One named tensor; `digest` (`b3-tensor1:…`) covers dtype, shape and bytes but not the name."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    digest: str


@dataclass(frozen=True, kw_only=True)
class Model:
    """What a state of tensors or a fitted estimator tells beyond its digests.

    `parameters` counts elements: of all tensors, those that share their memory once, or of the fitted
    floating-point values of an estimator. `aliases` are the groups of names that share their memory.
    """

    tensors: str | None = None
    weights: str | None = None
    architecture: str | None = None
    framework: str | None = None
    parameters: int | None = None
    tensor_digests: tuple[Tensor, ...] = ()
    aliases: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Content:
    """The identities of one artifact, and what is known of it besides.

    Attributes:
        digests: `label:hex`, the strongest first; empty only when nothing could be digested.
        kind: table, tensors, estimator, bytes, folder, text or json.
        modality: tabular, tensor, text, model or file; None where that is unknown.
        rows: rows of a table (or the length of the first axis of one array), else None.
        bytes: size of the values as they are encoded, or of the files.
        columns: the columns of a table in their own order.
        distinctive: False for what collides trivially, so that nobody links two artifacts by it.
        absent: why an expected digest is missing, else None.
    """

    digests: tuple[str, ...]
    kind: str
    modality: str | None = None
    rows: int | None = None
    bytes: int | None = None
    columns: tuple[Column, ...] = ()
    distinctive: bool = False
    absent: str | None = None
    model: Model | None = None

    @property
    def version(self) -> str | None:
        """The strongest digest, used as the version of a dataset; None without any."""
        return self.digests[0] if self.digests else None
