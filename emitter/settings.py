"""What a `Lineage` was told from outside: environment variables and `openlineage.yml`, read once.

Decides where each setting comes from and which source wins: an argument of `Lineage`, then a `RELINEAGE_*`
variable, then OpenLineage's own configuration as its Python client reads it (the file `OPENLINEAGE_CONFIG`,
`./openlineage.yml` or `~/.openlineage/openlineage.yml`; then `OPENLINEAGE__…` variables; then
`OPENLINEAGE_URL`). Nothing is written back. What a transport does with its settings is the transport's
business.
"""

import json
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import SettingsError

log = logging.getLogger("relineage")

DEFAULT_TOPIC = "openlineage.events"
DIGEST_MODES = ("auto", "full", "none")
_UNUSED_SECTIONS = ("filters", "tags", "dataset")


@dataclass(frozen=True, kw_only=True)
class RunReference:
    """A run of somebody else's, such as the orchestrator's."""

    namespace: str
    name: str
    run_id: str


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that comes from outside of the program.

    Attributes:
        namespace: Of jobs and of datasets that are named without a URL.
        digest: `auto`, `full` or `none`; what each means is said at `Lineage`.
        strict: Raise what goes wrong instead of logging it.
        disabled: Send nothing (`OPENLINEAGE_DISABLED=true`).
        transport: A transport's settings as OpenLineage's client has them, with `type`; null: files in
        `.relineage/`.
        parent: The run that started this process, if it said so.
        root: The outermost run above it.
        captured_variables: Names of environment variables to record besides the short list.
        store: Keep what is read and made.
        store_location: A folder, or a URL that fsspec understands; null: `.relineage/store`.
        snapshot: Keep the code as it is.
    """

    namespace: str = "default"
    digest: str = "auto"
    strict: bool = False
    disabled: bool = False
    transport: Mapping[str, Any] | None = None
    parent: RunReference | None = None
    root: RunReference | None = None
    captured_variables: tuple[str, ...] = field(default=())
    store: bool = False
    store_location: str | None = None
    snapshot: bool = True


def from_environment(
    environ: Mapping[str, str],
    folder: Path,
    *,
    namespace: str | None = None,
    digest: str = "auto",
    strict: bool = False,
    store: bool = False,
    snapshot: bool | None = None,
) -> Settings:
    """Read every setting.

    Args:
        environ: Environment variables.
        folder: The working directory, where `openlineage.yml` may lie.
        namespace: Wins over the environment.
        digest: `auto`, `full` or `none`.
        strict: Raise what goes wrong.
        store: Keep what is read and made.
        snapshot: Keep the code as it is; null: as the environment says.

    Raises:
        SettingsError: One of them cannot be used.
    """
    if digest not in DIGEST_MODES:
        raise SettingsError(f"digest={digest!r} is unknown; it can be: {', '.join(DIGEST_MODES)}")
    chosen = (
        namespace or environ.get("RELINEAGE_NAMESPACE") or environ.get("OPENLINEAGE_NAMESPACE") or "default"
    )
    if not isinstance(chosen, str):
        raise SettingsError(f"namespace must be a text, not {type(chosen).__name__}")
    configuration = _configuration(environ, folder)
    parent = _reference(environ, "OPENLINEAGE_PARENT_ID")
    facets = configuration.get("facets")
    named = facets.get("environment_variables") if isinstance(facets, Mapping) else None
    return Settings(
        namespace=chosen,
        digest=digest,
        strict=strict,
        disabled=environ.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true",
        transport=_transport(environ, configuration),
        parent=parent,
        root=_reference(environ, "OPENLINEAGE_ROOT_PARENT_ID") or parent,
        captured_variables=(
            *(name.strip() for name in environ.get("RELINEAGE_CAPTURE_ENV", "").split(",") if name.strip()),
            *(str(name) for name in (named if isinstance(named, list) else ())),
        ),
        store=store,
        store_location=environ.get("RELINEAGE_STORE") or None,
        snapshot=_snapshot(environ) if snapshot is None else snapshot,
    )


def _snapshot(environ: Mapping[str, str]) -> bool:
    said = environ.get("RELINEAGE_SNAPSHOT", "").strip().lower() or "on"
    if said not in ("on", "off"):
        raise SettingsError(f"RELINEAGE_SNAPSHOT={said!r} is unknown; it can be: on, off")
    return said == "on"


def _transport(environ: Mapping[str, str], configuration: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if servers := environ.get("RELINEAGE_KAFKA"):
        for server in servers.split(","):
            host, _, port = server.strip().rpartition(":")
            if not host or not port.isdigit():
                raise SettingsError(f"RELINEAGE_KAFKA={servers!r} is not HOST:PORT[,HOST:PORT…]")
        topic = environ.get("RELINEAGE_TOPIC") or DEFAULT_TOPIC
        return {"type": "kafka", "topic": topic, "config": {"bootstrap.servers": servers}}
    transport = configuration.get("transport")
    if isinstance(transport, Mapping) and transport.get("type"):
        if environ.get("RELINEAGE_TOPIC") and transport["type"] == "kafka":
            return {**transport, "topic": environ["RELINEAGE_TOPIC"]}
        return transport
    if transport:
        raise SettingsError(
            "OpenLineage's configuration has a transport without `type`: say which, such as kafka"
        )
    if url := environ.get("OPENLINEAGE_URL"):
        http: dict[str, Any] = {"type": "http", "url": url}
        if endpoint := environ.get("OPENLINEAGE_ENDPOINT"):
            http["endpoint"] = endpoint
        if key := environ.get("OPENLINEAGE_API_KEY"):
            http["auth"] = {"type": "api_key", "apiKey": key}
        return http
    return None


def _configuration(environ: Mapping[str, str], folder: Path) -> Mapping[str, Any]:
    """What the file says; what it leaves open, from variables, as OpenLineage's client merges the two."""
    file = _file(environ, folder)
    from_file = _read(file) if file is not None else {}
    for section in _UNUSED_SECTIONS:
        if from_file.get(section):
            log.warning("%s: the section `%s` is not used by relineage", file, section)
    return _merged(_from_variables(environ), from_file)


def _file(environ: Mapping[str, str], folder: Path) -> Path | None:
    if named := environ.get("OPENLINEAGE_CONFIG"):
        if not Path(named).is_file():
            raise SettingsError(f"OPENLINEAGE_CONFIG={named!r}: there is no such file")
        return Path(named)
    places = [folder / "openlineage.yml"]
    if home := environ.get("HOME"):
        places.append(Path(home) / ".openlineage" / "openlineage.yml")
    return next((place for place in places if place.is_file()), None)


def _read(file: Path) -> Mapping[str, Any]:
    import yaml

    try:
        read = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        # Not the error's own text: it shows the lines around, where an API key may stand.
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark is not None else ""
        raise SettingsError(f"{file} cannot be read: {type(error).__name__}{where}") from None
    if read is None:
        return {}
    if not isinstance(read, dict):
        raise SettingsError(f"{file} must hold a mapping with `transport`, not a {type(read).__name__}")
    return read


def _from_variables(environ: Mapping[str, str]) -> dict[str, Any]:
    """`OPENLINEAGE__TRANSPORT__TYPE=kafka` is `transport: {type: kafka}`; a value that is JSON is taken as
    JSON.
    """
    prefix = "OPENLINEAGE__"
    configuration: dict[str, Any] = {}
    for name in sorted((name for name in environ if name.startswith(prefix)), reverse=True):
        *path, last = name.removeprefix(prefix).lower().split("__")
        try:
            value = json.loads(environ[name])
        except ValueError:
            value = environ[name]
        inner = configuration
        for key in path:
            following = inner.setdefault(key, {})
            if not isinstance(following, dict):
                raise SettingsError(f"{name} goes into {key!r}, which another variable sets to one value")
            inner = following
        inner[last] = value
    return configuration


def _merged(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(low)
    for key, value in high.items():
        below = merged.get(key)
        both = isinstance(value, Mapping) and isinstance(below, Mapping)
        merged[key] = _merged(below, value) if both else value  # type: ignore[arg-type]
    return merged


def _reference(environ: Mapping[str, str], variable: str) -> RunReference | None:
    """`namespace/job/run id`, as OpenLineage's integrations hand it on; the namespace may hold slashes."""
    given = environ.get(variable)
    if not given:
        return None
    parts = given.rsplit("/", 2)
    try:
        namespace, name, run_id = parts
        run_id = str(uuid.UUID(run_id))
    except ValueError:
        namespace = name = ""
    if not namespace or not name:
        # Set by whatever started the process: no reason to stop the job.
        log.warning(
            "%s=%r is not namespace/job/run-id with a UUID at its end; there is no parent", variable, given
        )
        return None
    return RunReference(namespace=namespace, name=name, run_id=run_id)
