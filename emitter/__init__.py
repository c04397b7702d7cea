"""Write down how AI artifacts come to be, as OpenLineage events.

    from relineage.emitter import Lineage

Heavy libraries are imported when they are first needed, so importing this costs next to nothing.
"""

from .errors import RelineageError, RelineageWarning, RunStateError, SettingsError
from .lineage import Lineage
from .run import Run, current_run

__all__ = [
    "Lineage",
    "RelineageError",
    "RelineageWarning",
    "Run",
    "RunStateError",
    "SettingsError",
    "current_run",
]
