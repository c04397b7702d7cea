"""What can go wrong, cut by who must act.

RelineageError
├── SettingsError     a setting cannot be used            → fix the variable, the file or the argument
├── RunStateError     a run was used before it began, or after its end (raised only if strict)
└── StoreError        the store cannot be reached, or lacks what was asked for → mend it
    └── Damaged       an object is not what its name says → remove it; the next run that has the content
                      stores it anew
RelineageWarning      something was recorded with less than was asked for; the text says what to do
"""


class RelineageError(Exception):
    """Something that this package refuses."""


class SettingsError(RelineageError, ValueError):
    """A setting cannot be used; the text says which, where it came from and what it may be."""


class RunStateError(RelineageError, RuntimeError):
    """A run was used at a time when it cannot be."""


class StoreError(RelineageError):
    """The store cannot be reached, or lacks what was asked for."""


class Damaged(StoreError):
    """An object of the store is not what its name says; the text names it."""


class RelineageWarning(UserWarning):
    """Something could not be recorded in full; the job goes on."""
