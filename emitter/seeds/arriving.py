"""Libraries that the job imports while a run is open.

Decides to be told when one of a few names has been imported: a finder that goes first, finds nothing itself, and
has the module's loader followed by a call. The module keeps its own loader.
"""

import importlib.util
import sys
import threading
from collections.abc import Callable, Collection, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class Arrivals:
    """Watches for imports between `begin` and `end`.

    Args:
        tell: Called with the module's name after it was executed; what it raises goes no further.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        """Watch for nothing."""
        self._tell = tell
        self._names: frozenset[str] = frozenset()
        self._finding = threading.local()

    def begin(self, names: Collection[str]) -> None:
        """Watch for these; again: for these instead."""
        self._names = frozenset(names)
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def end(self) -> None:
        """Watch no more."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As `importlib.abc.MetaPathFinder`: what the others find, with our call after the loader's."""
        if name not in self._names or getattr(self._finding, "now", False):
            return None
        self._finding.now = True
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError):
            return None
        finally:
            self._finding.now = False
        if spec is not None and hasattr(spec.loader, "exec_module"):
            spec.loader = _Followed(spec.loader, self._tell)  # type: ignore[assignment]
        return spec


class _Followed:
    """A loader that is that of the module but for a call at the end."""

    def __init__(self, loader: Any, tell: Callable[[str], None]) -> None:
        self._loader = loader
        self._tell = tell

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        try:
            self._tell(module.__name__)
        except Exception:  # an import must not fail because of lineage; the record says what was not covered
            return
