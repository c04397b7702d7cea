"""What is said of one input or output: its digests, its schema, its statistics, as facets.

Decides, for data of every kind, which facets describe it, and when its content is left undigested: asked for
(`digest="none"`), too long (`"auto"`, two seconds), refused (no defined form), or not at hand (a name without
data). Each time `relineage_content.absent` says why. Names, roles and instants are decided by `run.py`.
"""

import logging
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .limits import FACET_BYTES, size_of
from .naming import is_url, without_credentials
from .ours import absent_facet, content_facet, features_facet, model_facet
from .settings import DIGEST_MODES
from .sizes import Pace, work_to_digest
from .standard import StandardFacets

if TYPE_CHECKING:
    from .digests.cache import DigestCache
    from .digests.records import Content, Tensor
    from .statistics import FeatureStatistics

log = logging.getLogger("relineage")

AUTO_SECONDS = 2.0

_MOST_REMEMBERED = 64

Facets = Mapping[str, Mapping[str, Any]]
# Puts what was digested into the store: content and data → URL of the object; null where that failed.
Keep = Callable[["Content", Any], str | None]


@dataclass(frozen=True, kw_only=True)
class Description:
    """What is known of one dataset version's content.

    Attributes:
        facets: Dataset facets by key, whole: they are cut to size when an event is made.
        digest: The strongest; null without any.
        version: What stands for the version: the strongest digest, or `stat:<size>-<mtime>` of a file.
        distinctive: Whether content may be recognised by its digest.
        rows: Number of rows, where there are any.
        size: Bytes, where that is known.
        members: The arrays of a dict of nothing else.
        absent: Why there is no digest; null where there is one.
        warning: What the job's author should be told; null if nothing.
    """

    facets: Mapping[str, Mapping[str, Any]]
    digest: str | None = None
    version: str | None = None
    distinctive: bool = False
    rows: int | None = None
    size: int | None = None
    members: Sequence["Tensor"] = ()
    absent: str | None = None
    warning: str | None = None


def describe(
    data: object,
    *,
    mode: str,
    strict: bool,
    standard: StandardFacets,
    producer: str,
    pace: Pace,
    hurry: bool = True,
    keep: Keep | None = None,
    home: Path | None = None,
    told: "Told | None" = None,
) -> Description:
    """Describe data of any kind; null is a name without data.

    Args:
        data: What the caller passed.
        mode: `auto`, `full` or `none`.
        strict: Raise `Refused` instead of saying it in the facet.
        standard: Makes the standard facets.
        producer: URI for our own facets.
        pace: What is known of this process's speed; learns what a digest took.
        hurry: With `auto`, leave undigested what should take longer than two seconds.
        keep: Puts what was digested into the store; null if that is not wanted.
        home: The `.relineage` in which digests of files are remembered; null without one.
        told: What was told of contents before.

    Raises:
        Refused: Only if `strict`: the data has no defined form.
    """
    if mode not in DIGEST_MODES:
        raise ValueError(f"digest={mode!r} is unknown; it can be: {', '.join(DIGEST_MODES)}")
    if data is None:
        return undigested("named without data", producer)
    if isinstance(data, Path) and (text := _out_of_reach(data)) is not None:
        return _without_digest(data, text, standard, producer, warning=text)
    if mode == "none":
        untold = None if keep is None else f'{_named(data)} is not stored: digest="none"'
        return _without_digest(data, 'not asked for (digest="none")', standard, producer, warning=untold)
    from .digests import Refused, cache_in

    cache = cache_in(home) if isinstance(data, Path) else None
    known = cache is not None and isinstance(data, Path) and cache.knows(data)
    work = {} if known else work_to_digest(data)
    if mode == "auto" and hurry and (seconds := pace.seconds(work)) > AUTO_SECONDS:
        pace.let_go(work)
        how_long = f"about {seconds:.0f} s" if seconds < 1e6 else "long"
        what = str(data) if isinstance(data, Path) else f"a {type(data).__name__}"
        undone = "not digested" if keep is None else "not digested and not stored"
        log.warning('%s is %s: it would take %s; digest="full" does it', what, undone, how_long)
        return _without_digest(data, f'it would take {how_long} (digest="full" does it)', standard, producer)
    try:
        started = time.perf_counter()
        content, held = _digested(data, cache, rows=mode == "full")
        told = told or Told()
        table = (
            "columns",
            isinstance(held, Path),
            content.version,
            tuple(one.name for one in content.columns),
        )
        columns = told.find(table)
        # Rows are no part of the estimate; what was known already tells nothing of the pace.
        learn = mode == "auto" and columns is None and (cache is None or not cache.hits)
        if columns is None:
            statistics = _statistics(held)
            if learn:
                pace.took(work, time.perf_counter() - started)
            columns = _of_columns(content, statistics, standard, producer)
            if columns:
                told.remember(table, columns)
    except Refused as refusal:
        if strict:
            raise
        text = str(refusal)
        return _without_digest(data, text, standard, producer, warning=f"no digest of {_named(data)}: {text}")
    stored, warning = None, _taken_as_text(data) or _bytes_only(data, content)
    if keep is not None:
        try:
            stored = keep(content, held)
        except Refused as refusal:
            if strict:
                raise
            warning = f"{_named(data)} is not stored: {refusal}"
    whole = ("whole", content, _carrier(data), stored)
    facets = told.find(whole)
    if facets is None:
        facets = _of_content(data, content, columns, stored, standard, producer)
        told.remember(whole, facets)
    return Description(
        facets=facets,
        digest=content.version,
        version=content.version,
        distinctive=content.distinctive,
        rows=content.rows,
        size=content.bytes,
        members=members_of(data, content),
        absent=content.absent if content.version is None else None,
        warning=warning,
    )


def members_of(data: object, content: "Content") -> Sequence["Tensor"]:
    """The arrays of a dict of nothing else; none of anything else."""
    return content.model.tensor_digests if isinstance(data, dict) and content.model is not None else ()


def undigested(reason: str, producer: str) -> Description:
    """What is said of something of which only a name is known."""
    facets = {"relineage_content": absent_facet(reason, None, None, producer)}
    return Description(facets=facets, absent=reason)


def with_modality(description: Description, modality: str) -> Description:
    """The same, of something that depicts what somebody says."""
    content = {**description.facets["relineage_content"], "modality": modality}
    return replace(description, facets={**description.facets, "relineage_content": content})


def _named(data: object) -> str:
    return str(data) if isinstance(data, Path) else f"this {type(data).__name__}"


class Told:
    """What was told of the contents that were described last: a frame that one step hands to the next has the same
    statistics, which take longer than its digest, and the same text in the events. Safe for threads and forks: it
    needs no lock.
    """

    def __init__(self) -> None:
        """Nothing yet."""
        self._facets: OrderedDict[object, Facets] = OrderedDict()

    def find(self, key: object) -> "Facets | None":
        """The facets that were made of the same."""
        return self._facets.get(key)

    def remember(self, key: object, facets: "Facets") -> None:
        """Note them, and forget the oldest."""
        self._facets[key] = facets
        if len(self._facets) > _MOST_REMEMBERED:
            self._facets.popitem(last=False)


def _digested(data: Any, cache: "DigestCache | None", *, rows: bool) -> tuple["Content", Any]:
    """The identities of data, and the data, as Arrow if it is a table."""
    from .digests import content_of
    from .digests.tables import is_table, to_arrow

    if is_table(data):
        table = to_arrow(data)  # once, for digest and statistics: pandas' texts are turned into Arrow's here
        content = content_of(table, rows=rows)
        if isinstance(data, list):
            content = replace(content, modality="text")
        return content, table
    return content_of(data, rows=rows, cache=cache), data


def _statistics(held: Any) -> Sequence["FeatureStatistics"]:
    """Of the columns of what is a table in memory."""
    from .digests.tables import is_table

    if not is_table(held):
        return ()
    from .statistics import feature_statistics

    return feature_statistics(held)


def _of_columns(
    content: "Content", statistics: Sequence["FeatureStatistics"], standard: StandardFacets, producer: str
) -> Facets:
    facets: dict[str, Mapping[str, Any]] = {}
    if content.columns:
        facets["schema"] = standard.schema((column.name, column.type) for column in content.columns)
    if statistics:
        facets["dataQualityMetrics"] = standard.data_quality(
            content.rows, content.bytes, {one.name: _column_metrics(one) for one in statistics}
        )
        facets["relineage_featureStats"] = features_facet(statistics, producer)
    return _settled(facets)


def _of_content(
    data: Any,
    content: "Content",
    columns: Facets,
    stored: str | None,
    standard: StandardFacets,
    producer: str,
) -> Facets:
    facets = dict(columns)
    kind = _dataset_type(data, content)
    if kind is not None:
        facets["datasetType"] = standard.dataset_type(*kind)
    if content.model is not None:
        facets["relineage_model"] = model_facet(content, producer)
    facets["relineage_content"] = content_facet(content, stored, _carrier(data), producer)
    return _settled(facets)


def _settled(facets: Facets) -> Facets:
    """Their bytes are made once; of those that will be cut, that would be for nothing."""
    from ..facets.encode import Settled

    return {
        key: facet if type(facet) is Settled or size_of(facet) > FACET_BYTES else Settled(facet)
        for key, facet in facets.items()
    }


def _without_digest(
    data: Any, reason: str, standard: StandardFacets, producer: str, warning: str | None = None
) -> Description:
    """What is cheap and exact: names and types of columns, rows, a file's size; no part of the values."""
    facets: dict[str, Mapping[str, Any]] = {}
    size: int | None = None
    version: str | None = None
    rows, columns = _outline(data)
    if columns:
        facets["schema"] = standard.schema(columns)
    if isinstance(data, Path):
        facets["datasetType"] = standard.dataset_type("FILE", "FOLDER" if os.path.isdir(data) else None)  # noqa: PTH112 - never raises
        if os.path.isfile(data):  # noqa: PTH113 - never raises
            state = data.stat()
            size = state.st_size
            # No digest, and labelled so: the same file, unchanged as far as the file system can tell.
            version = f"stat:{size}-{state.st_mtime_ns}"
            modified = datetime.fromtimestamp(state.st_mtime, UTC).isoformat(timespec="seconds")
            reason = f"{reason}; stat: {size} bytes, modified {modified}"
    elif columns:
        facets["datasetType"] = standard.dataset_type("TABLE")
    facets["relineage_content"] = absent_facet(reason, rows, size, producer)
    return Description(facets=facets, version=version, rows=rows, size=size, absent=reason, warning=warning)


def _out_of_reach(path: Path) -> str | None:
    """Why nothing can be told of what lies at a path."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return f"{path} does not exist"
    except (OSError, ValueError) as error:  # no rights, a loop of links, a name that no file can have
        return f"{path} cannot be read ({getattr(error, 'strerror', None) or error})"
    return None


def _outline(data: Any) -> tuple[int | None, list[tuple[str, str]]]:
    """Rows and (name, type) of the columns of anything that has `shape` and `dtypes` or a `schema`."""
    if type(data).__qualname__ == "LazyFrame":  # polars would plan the query, and read files for it
        return None, []
    shape = getattr(data, "shape", None)
    rows = shape[0] if isinstance(shape, tuple) and shape and isinstance(shape[0], int) else None
    dtypes: Any = getattr(data, "dtypes", None)
    schema = getattr(data, "schema", None)
    if hasattr(dtypes, "items"):  # pandas
        return rows, [(str(name), str(kind)) for name, kind in dtypes.items()]
    if schema is not None and hasattr(schema, "names") and hasattr(schema, "field"):  # Arrow
        return rows, [(field.name, str(field.type)) for field in schema]
    return rows, []


def _dataset_type(data: object, content: "Content") -> tuple[str, str | None] | None:
    """Named tensors are taken for a model's state: nothing tells them from arrays of data by name."""
    if isinstance(data, Path):
        if content.modality == "model":  # a safetensors checkpoint; named arrays of an .npz may be anything
            return "MODEL", None
        return "FILE", "FOLDER" if content.kind == "folder" else None
    if content.model is not None:
        return "MODEL", None
    return ("TABLE", None) if content.kind == "table" else None


def _carrier(data: object) -> str | None:
    """Module and name of the type of what lies in memory, the module without its private parts."""
    if isinstance(data, Path):
        return None
    kind = type(data)
    public = [part for part in kind.__module__.split(".") if not part.startswith("_")]
    if public[:2] == ["pandas", "core"]:
        public = ["pandas"]
    return kind.__qualname__ if kind.__module__ == "builtins" else ".".join([*public, kind.__qualname__])


def _column_metrics(one: "FeatureStatistics") -> dict[str, float]:
    """The numbers for which OpenLineage has a place; what has none is in `relineage_featureStats`."""
    metrics: dict[str, float] = {"nullCount": one.nulls, "count": one.rows - one.nulls}
    if one.distinct is not None:
        metrics["distinctCount"] = one.distinct
    if (
        one.mean is not None and one.min is not None and one.max is not None
    ):  # the standard takes numbers only
        metrics |= {"min": _number(one.min), "max": _number(one.max)}
    return metrics


def _number(value: float | str) -> float:
    return float(value) if isinstance(value, str) else value


def _bytes_only(data: object, content: "Content") -> str | None:
    """That what a file of a known format holds has no digest. Of pickles, which never have one, it is no news."""
    from .digests.formats import kind_of

    if content.absent is None or not isinstance(data, Path) or kind_of(data) is None:
        return None
    return f"{data}: {content.absent}"


def _taken_as_text(data: object) -> str | None:
    """A hint where a text is probably meant as the place of something."""
    if not isinstance(data, str) or len(data) > 1000 or "\n" in data or "\0" in data:
        return None
    if is_url(data):
        return f"{without_credentials(data)!r} is recorded as a text; for what lies there: name=…"
    if os.path.exists(data):  # noqa: PTH110 - a text of any form, which Path may refuse
        return f"{data!r} is recorded as a text; for the file of that name: pathlib.Path(…)"
    return None
