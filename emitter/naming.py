"""What a dataset is called: (namespace, name), by OpenLineage's naming rules.

Decides how a path, a URL and a plain name become the two texts, and that no credential survives in either:
https://openlineage.io/docs/spec/naming. Which of the three a caller's data is, is decided by `datasets.py`.
Pure: the file system is not looked at.
"""

import os
import re
from dataclasses import dataclass
from pathlib import PurePath
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

# Object stores: the name is the key, without a slash in front. The other spellings are Hadoop's clients for
# the same bucket.
_BUCKETS = {
    "s3": "s3", "s3a": "s3", "s3n": "s3", "gs": "gs", "gcs": "gs", "oss": "oss", "cos": "cos", "cosn": "cos",
}  # fmt: skip
# Here the part before "@" is the container, not a user.
_CONTAINERS = {"abfss": "abfss", "abfs": "abfss", "wasbs": "wasbs", "wasb": "wasbs"}
# Databases: namespace scheme://host:port, name dotted; the port in the rules where the URL has none.
_DATABASES: dict[str, tuple[str, int | None]] = {
    "postgres": ("postgres", 5432), "postgresql": ("postgres", 5432), "mysql": ("mysql", 3306),
    "mariadb": ("mysql", 3306), "sqlserver": ("sqlserver", 1433), "mssql": ("mssql", 1433),
    "oracle": ("oracle", 1521), "redshift": ("redshift", 5439), "cassandra": ("cassandra", 9042),
    "trino": ("trino", 8080), "presto": ("presto", 8080), "db2": ("db2", 50000), "crate": ("crate", 5432),
    "teradata": ("teradata", 1025), "oceanbase": ("oceanbase", 2881), "clickhouse": ("clickhouse", 9000),
    "snowflake": ("snowflake", None), "awsathena": ("awsathena", None), "spanner": ("spanner", None),
    "mongodb": ("mongodb", 27017),
}  # fmt: skip
_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://")
# A password with a "/", "?" or "#" that is not escaped; what follows the colon is no port.
_RAW_PASSWORD = re.compile(r"(?<=://)([^\s/?#:@\[]{0,256}):(?!\d{1,5}(?:[,/?#]|$))[^\s@]*[/?#][^\s@]*@")
# Between the links of a chain; not in an IPv6 address or a password.
_LINKS = re.compile(r"::(?![^/]*[@\]])")
_SECRET_QUERY = re.compile(
    r"(?i)^(x-(amz|goog|ms|oss)-.*|.*(token|secret|passw|pwd|credential|signature|api_?key|access_?key).*"
    r"|sig|sv|se|sp|st|sr|spr|skoid|sktid|key|auth.*|awsaccesskeyid|expires)$"
)


@dataclass(frozen=True, kw_only=True)
class DatasetName:
    """A dataset's identity on the wire."""

    namespace: str
    name: str


def is_url(text: str) -> bool:
    """Whether the text starts with `scheme://`; `C:\\data` and `a:b` do not."""
    return bool(_SCHEME.match(text))


def of_path(path: PurePath | str) -> DatasetName:
    """A local file or folder: namespace `file`, name the absolute path with forward slashes.

    `..` is resolved, links are not: `latest.parquet` keeps its name when the link is set anew.
    """
    absolute = os.path.abspath(path)  # noqa: PTH100 - Path.absolute keeps "..", Path.resolve follows links
    return DatasetName(namespace="file", name=absolute.replace(os.sep, "/"))


def of_text(text: str, default_namespace: str) -> DatasetName:
    """A name that a caller typed: a URL is split, anything else belongs to the namespace as it stands."""
    return of_url(text) if is_url(text) else DatasetName(namespace=default_namespace, name=text)


def of_url(url: str) -> DatasetName:
    """Split a URL as OpenLineage's naming rules say; user, password and signed query fields are left out.

    `s3://bucket/key` → (`s3://bucket`, `key`); `postgres://u:p@host/db.schema.table` →
    (`postgres://host:5432`, `db.schema.table`); a scheme without a rule of its own → (`scheme://host:port`,
    path).
    """
    scheme_end = url.index("://")
    scheme = url[:scheme_end].lower()
    parts = _split(url)
    path = unquote(parts.path)
    if scheme == "file":
        return _file(parts, path)
    if scheme in _BUCKETS:
        return DatasetName(namespace=f"{_BUCKETS[scheme]}://{_host(parts)}", name=_key(path))
    if scheme in _CONTAINERS:
        container, _, host = parts.netloc.rpartition("@")
        container = container.partition(":")[0]
        authority = f"{container}@{host}" if container else host
        return DatasetName(namespace=f"{_CONTAINERS[scheme]}://{authority}", name=_key(path))
    base = scheme.partition("+")[0]  # SQLAlchemy's dialect+driver
    if base in _DATABASES:
        rule, port = _DATABASES[base]
        return DatasetName(namespace=f"{rule}://{_host(parts, port)}", name=_key(path).replace("/", "."))
    if scheme == "bigquery":
        dotted = ".".join(part for part in (parts.netloc.rpartition("@")[2], *path.split("/")) if part)
        return DatasetName(namespace="bigquery", name=dotted)
    if scheme == "kafka":
        return DatasetName(namespace=f"kafka://{_host(parts)}", name=_key(path))
    query = _public_query(parts.query) if scheme in ("http", "https") else ""
    name = (path or "/") + (f"?{query}" if query else "")
    return DatasetName(namespace=f"{scheme}://{_host(parts)}", name=name)


def without_credentials(url: str) -> str:
    """A URL without its user, password and signed query fields; what is no URL comes back as it is.

    Of a chain, `simplecache::s3://…` (fsspec), each link is such a URL. git's `user@host:path` keeps its user:
    it is the name of an account that everybody shares, and carries no password.
    """
    links = _LINKS.split(url)
    if len(links) > 1:
        return "::".join(without_credentials(link) for link in links)
    if not is_url(url):
        return url
    parts = _split(url)
    keeps_user = parts.scheme == "ssh"
    user = parts.netloc.rpartition("@")[0].partition(":")[0] if keeps_user else ""
    authority = f"{user}@{_authority(parts)}" if user else _authority(parts)
    query = _public_query(parts.query)
    return f"{parts.scheme}://{authority}{parts.path}" + (f"?{query}" if query else "")


def _split(url: str) -> SplitResult:
    url = _RAW_PASSWORD.sub(r"\1@", url, count=1)
    try:
        return urlsplit(url)
    except ValueError:  # such as an unclosed "[": split by hand, so that nothing raises on a hostile name
        scheme, _, rest = url.partition("://")
        authority, slash, path = rest.partition("/")
        return SplitResult(scheme, authority, slash + path.partition("?")[0], "", "")


def _authority(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]


def _host(parts: SplitResult, default_port: int | None = None) -> str:
    authority = _authority(parts)
    has_port = re.search(r":\d+$", authority)
    return authority if has_port or default_port is None or not authority else f"{authority}:{default_port}"


def _key(path: str) -> str:
    """The path without slashes around it; the root of a bucket is `/`, since a name may not be empty."""
    return path.strip("/") or "/"


def _file(parts: SplitResult, path: str) -> DatasetName:
    host = _authority(parts)
    if host in ("", "localhost"):
        return of_path(path or "/")
    return DatasetName(namespace=f"file://{host}", name=path or "/")


def _public_query(query: str) -> str:
    fields = parse_qsl(query, keep_blank_values=True)
    return urlencode([(name, value) for name, value in fields if not _SECRET_QUERY.match(name)])
