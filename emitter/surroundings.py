"""What is captured about a program without asking, put together for its runs.

Decides when each is looked at: packages and machine once a process, git again when HEAD has moved, the code
at each event (a notebook grows). How each is found out is decided in `capture/`.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from .capture.code import Repositories, Repository, executed_cells, running_code
from .capture.environment import Environment, allowed_variables, environment
from .standard import StandardFacets


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What is known of the program that runs.

    Attributes:
        environment: Python, machine, packages, arguments.
        repository: The work tree of the code; null where there is none.
        variables: Environment variables that may be told.
        adapter_version: Version of this package.
        script: The file that runs; null in a notebook or at a prompt.
        caller: The file that opened the run, if it is another one.
    """

    environment: Environment
    repository: Repository | None
    variables: Mapping[str, str]
    adapter_version: str
    script: Path | None
    caller: Path | None
    # What is made of it once; two that are equal without these say the same.
    _facets: dict[str, Mapping[str, Any]] = field(default_factory=dict, compare=False)
    _job_facets: dict[str, Mapping[str, Any]] = field(default_factory=dict, compare=False)
    _digests: dict[object, tuple[str | None, str | None]] = field(default_factory=dict, compare=False)

    def code(self) -> tuple[str | None, str | None]:
        """Digest of the code and null, or null and the reason."""
        cells = executed_cells()
        key = len(cells) if cells is not None else None
        if key not in self._digests:
            code = running_code(sys.modules.get("__main__"), self.caller, cells, sys.orig_argv)
            self._digests[key] = (code.digest, code.missing)
        return self._digests[key]

    def run_facets(self, standard: StandardFacets, producer: str) -> dict[str, Mapping[str, Any]]:
        """`processing_engine`, `relineage_environment`, `environmentVariables`."""
        from ..facets.encode import Settled
        from .ours import environment_facet

        if self._facets:
            return dict(self._facets)
        facets: dict[str, Mapping[str, Any]] = {
            "processing_engine": standard.processing_engine(self.environment.python, self.adapter_version),
            "relineage_environment": environment_facet(self.environment, self.repository, producer),
        }
        if self.variables:
            facets["environmentVariables"] = standard.variables(self.variables)
        self._facets.update({key: Settled(facet) for key, facet in facets.items()})
        return dict(self._facets)

    def job_facets(self, standard: StandardFacets) -> dict[str, Mapping[str, Any]]:
        """`sourceCodeLocation`, where there is a repository."""
        from ..facets.encode import Settled

        if self.repository is None:
            return {}
        if self._job_facets:
            return dict(self._job_facets)
        path = None
        for file in (self.caller, self.script):
            if file is not None and file.resolve().is_relative_to(self.repository.root.resolve()):
                path = file.resolve().relative_to(self.repository.root.resolve()).as_posix()
                break
        location = standard.source_code(
            url=self.repository.web_url(path),
            repository=self.repository.remote,
            path=path,
            version=self.repository.commit,
            branch=self.repository.branch,
        )
        self._job_facets["sourceCodeLocation"] = Settled(location)
        return dict(self._job_facets)


def look_around(
    repositories: Repositories,
    caller: Path | None,
    environ: Mapping[str, str],
    captured_variables: Sequence[str],
    adapter_version: str,
    folder: Path,
    process: UUID,
) -> Surroundings:
    """Look at everything once.

    Args:
        repositories: Remembers what git said.
        caller: The file that opened the run.
        environ: Environment variables, of which few are taken.
        captured_variables: Names to take besides.
        adapter_version: Version of this package.
        folder: The working directory in which the program began, as far as is known.
        process: One id for this process.
    """
    main = sys.modules.get("__main__")
    named = getattr(main, "__file__", None)
    script = Path(os.path.abspath(named)) if isinstance(named, str) else None  # noqa: PTH100
    folders = dict.fromkeys(file.parent for file in (caller, script) if file is not None)
    repository = None
    for place in (*folders, Path.cwd()):
        if place.is_dir() and (repository := repositories.at(place)) is not None:
            break
    return Surroundings(
        environment=environment(sys.argv, sys.orig_argv, sys.path, folder, process),
        repository=repository,
        variables=allowed_variables(environ, captured_variables),
        adapter_version=adapter_version,
        script=script,
        caller=caller,
    )
