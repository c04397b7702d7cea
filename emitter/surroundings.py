"""What is captured about a program without asking, put together for its runs.

Decides when each is looked at: packages and machine once a process, the digest of the code at each event (a notebook
grows), what was kept of the code at the first and the last (modules are imported in between). How each is found out
and how long it holds is decided in `capture/`.
"""

import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any

from .capture.code import Repositories, Repository, executed_cells, running_code
from .capture.environment import Environment, allowed_variables, environment
from .capture.kept import KEPT, NOTEBOOK, Kept, is_typed, not_covered, notebook_text
from .capture.local import files_in_use
from .capture.snapshot import Snapshot, take
from .capture.sources import Keep, folder_of, keep_sources
from .process import process_id
from .settings import Settings
from .standard import StandardFacets

if TYPE_CHECKING:
    from .store import Store

log = logging.getLogger("relineage")

_NOT_WAITED_FOR = "the store is at a URL, which is not waited for unless store=True"
_Facets = tuple[Mapping[str, Mapping[str, Any]], Mapping[str, Mapping[str, Any]]]  # of the run, of its job


@dataclass(frozen=True, kw_only=True, eq=False)
class Surroundings:
    """What is known of the program that runs.

    Attributes:
        environment: Python, machine, packages, arguments.
        repository: The work tree of the code; null where there is none.
        variables: Environment variables that may be told.
        adapter_version: Version of this package.
        script: The file that runs; null in a notebook or at a prompt.
        caller: The file that opened the run, if it is another one.
        refusal: Why git has said nothing; null where it has, or where there is no repository.
        keep: Puts a folder of sources into the store; a text says why there is none.
        snapshots: Whether the code is to be kept.
    """

    environment: Environment
    repository: Repository | None
    variables: Mapping[str, str]
    adapter_version: str
    script: Path | None
    caller: Path | None
    refusal: str | None
    keep: Keep | str
    snapshots: bool
    # What is made of it once.
    _facets: dict[object, _Facets] = field(default_factory=dict)
    _latest: dict[int | None, tuple[Kept, tuple[Path, ...], _Facets]] = field(default_factory=dict)
    _digests: dict[object, tuple[str | None, str | None]] = field(default_factory=dict)

    def code(self) -> tuple[str | None, str | None]:
        """Digest of the code and null, or null and the reason."""
        cells = executed_cells()
        key = len(cells) if cells is not None else None
        if key not in self._digests:
            code = running_code(sys.modules.get("__main__"), self.caller, cells, sys.orig_argv)
            self._digests[key] = (code.digest, code.missing)
        return self._digests[key]

    def facets(self, standard: StandardFacets, producer: str) -> _Facets:
        """Of the run: `processing_engine`, `relineage_environment`, `environmentVariables`; of its job:
        `sourceCodeLocation`, where there is a repository.
        """
        files, cells = files_in_use(), executed_cells()
        count = len(cells) if cells is not None else None
        kept = self._kept(files, cells, count)
        latest = self._latest.get(count)
        if latest is not None and latest[0] is kept and latest[1] is files:
            return latest[2]
        lacking = self._lacking(kept, files, cells)
        repository = kept.repository  # as it was when the code was kept
        branch = (repository.commit, repository.branch) if repository is not None else None
        key = (kept.snapshot.id, lacking, branch)
        if key not in self._facets:
            self._facets[key] = self._made(kept, lacking, standard, producer)
        self._latest[count] = kept, files, self._facets[key]
        return self._facets[key]

    def _made(self, kept: Kept, lacking: tuple[str, ...], standard: StandardFacets, producer: str) -> _Facets:
        from ..facets.encode import Settled
        from .ours import environment_facet

        run: dict[str, Mapping[str, Any]] = {
            "processing_engine": standard.processing_engine(self.environment.python, self.adapter_version),
            "relineage_environment": environment_facet(self.environment, kept, lacking, producer),
        }
        if self.variables:
            run["environmentVariables"] = standard.variables(self.variables)
        job: dict[str, Mapping[str, Any]] = {}
        if kept.repository is not None:
            job["sourceCodeLocation"] = self._location(kept.repository, standard)
        return (
            {key: Settled(facet) for key, facet in run.items()},
            {key: Settled(facet) for key, facet in job.items()},
        )

    def _location(self, repository: Repository, standard: StandardFacets) -> Mapping[str, Any]:
        path = None
        for file in (self.caller, self.script):
            if file is not None and file.resolve().is_relative_to(repository.root.resolve()):
                path = file.resolve().relative_to(repository.root.resolve()).as_posix()
                break
        return standard.source_code(
            url=repository.web_url(path),
            repository=repository.remote,
            path=path,
            version=repository.commit,
            branch=repository.branch,
        )

    def _kept(self, files: Sequence[Path], cells: Sequence[str] | None, count: int | None) -> Kept:
        """What was kept of the code."""
        typed = is_typed()
        repository = self.repository
        if repository is not None:
            place: tuple[str, Path] = ("git", repository.root)
            state: object = count
        else:
            main = sys.modules.get("__main__")
            place = ("store", folder_of(main, self.script, self.caller, Path(self.environment.directory)))
            state = (count, len(files))

        def look() -> Kept:
            return Kept(repository=repository, snapshot=self._look(place[1], files, cells, typed=typed))

        return KEPT.of((*place, self.snapshots), look, typed=typed, state=state)

    def _lacking(self, kept: Kept, files: tuple[Path, ...], cells: Sequence[str] | None) -> tuple[str, ...]:
        """What is not covered by it."""
        told = [*(kept.repository.not_covered if kept.repository is not None else ())]
        if self.refusal is not None:
            told.append(f"the repository: {self.refusal}")
        if (failure := kept.snapshot.failure) is not None:
            told.append(f"the code as it was: {failure}")
        if (missing := self.code()[1]) is not None:
            told.append(f"the program: in use, {missing}")
        if cells is not None and notebook_text(cells)[1]:
            told.append(f"{NOTEBOOK}: secrets in it are redacted")
        return (*told, *not_covered(kept.snapshot, files))

    def _look(
        self, root: Path, files: Sequence[Path], cells: Sequence[str] | None, *, typed: bool
    ) -> Snapshot:
        besides = {NOTEBOOK: notebook_text(cells)[0]} if cells is not None else None
        if not self.snapshots:
            return Snapshot(
                root=root, failure="keeping it is switched off (RELINEAGE_SNAPSHOT, snapshot=False)"
            )
        if self.repository is not None:
            made = take(root, self.repository.git_folder, self.repository.common_folder, besides=besides)
        elif isinstance(self.keep, str):
            return Snapshot(root=root, failure=self.keep)
        else:
            made = keep_sources(root, files, self.keep, typed=typed, besides=besides)
        if made.failure is not None:
            log.warning(
                "the code in %s is not kept: %s; RELINEAGE_SNAPSHOT=off stops trying", root, made.failure
            )
        return replace(made, loaded=frozenset(files))


class Lookout:
    """Looks around for the runs of one `Lineage`. Where nothing has changed, what was made of it before holds.

    Args:
        environ: Environment variables, of which few are taken.
        settings: Which variables besides, whether the code is kept and where.
        version: Of this package.
        folder: The working directory in which the program began, as far as is known.
        store: Opens the store of contents.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        settings: Settings,
        version: str,
        folder: Path,
        store: Callable[[], "Store"],
    ) -> None:
        """Nothing is seen yet."""
        from .store import is_url

        self._environ = environ
        self._settings = settings
        self._version = version
        self._folder = folder
        self._store = store
        self._repositories = Repositories()
        self._seen: dict[Path | None, tuple[object, Surroundings]] = {}
        self._told: set[str] = set()
        remote = is_url(settings.store_location or "") and not settings.store
        self._keep: Keep | str = _NOT_WAITED_FOR if remote else self._put

    def at(self, caller: Path | None) -> Surroundings:
        """What is there now; `caller` is the file that opened the run."""
        named = getattr(sys.modules.get("__main__"), "__file__", None)
        here = os.getcwd()  # noqa: PTH109 - as a text, at each run
        script, places = _places(named if isinstance(named, str) else None, caller, here)
        repository = refusal = None
        for place in places:
            repository = self._repositories.at(place)
            refusal = refusal or self._repositories.refusal(place)
            if repository is not None:
                break
        refusal = refusal if repository is None else None
        python_path = self._environ.get("PYTHONPATH", "")
        here_is = environment(sys.argv, sys.orig_argv, sys.path, self._folder, process_id(), python_path)
        variables = allowed_variables(self._environ, self._settings.captured_variables)
        state = (here_is, repository, variables, script, refusal)
        before = self._seen.get(caller)
        if before is not None and before[0] == state:
            return before[1]  # its facets are made
        if refusal is not None and refusal not in self._told and which("git") is not None:
            self._told.add(refusal)
            log.warning("the commit of the code is not recorded: %s", refusal)
        seen = Surroundings(
            environment=here_is,
            repository=repository,
            variables=variables,
            adapter_version=self._version,
            script=script,
            caller=caller,
            refusal=refusal,
            keep=self._keep,
            snapshots=self._settings.snapshot,
        )
        self._seen[caller] = state, seen
        return seen

    def _put(self, folder: Path) -> str:
        from .digests import content_of

        content = content_of(folder)
        self._store().put(content, folder)
        return next(one for one in content.digests if one.startswith("b3-folder1:"))


@lru_cache(maxsize=64)
def _places(main: str | None, caller: Path | None, here: str) -> tuple[Path | None, tuple[Path, ...]]:
    """The script, and the folders whose repository may be that of the code, in their order."""
    script = Path(here, main) if main is not None else None
    script = Path(os.path.abspath(script)) if script is not None else None  # noqa: PTH100 - links stay
    folders = [file.parent for file in (caller, script) if file is not None]
    return script, tuple(dict.fromkeys([*folders, Path(here)]))
