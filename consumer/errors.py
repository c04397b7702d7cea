"""What can go wrong in the consumer, cut by who must act.

ConsumerError
├── DatabaseBusy        another process has the file         → wait, or stop it
├── DatabaseUnreadable  not a lineage database               → name another file
├── SourceError         a file or broker cannot be read      → mend the source, or choose
├── BundleError         a bundle cannot be made or believed  → as the text says, or ask whoever made it
└── QuestionError       the question names nothing, or more than one thing → ask again
"""


class ConsumerError(Exception):
    """The base of all errors that the command line shows as one line."""


class DatabaseBusy(ConsumerError):
    """Another process has the database."""


class DatabaseUnreadable(ConsumerError):
    """The file is no lineage database."""


class SourceError(ConsumerError):
    """A source of events cannot be read."""


class BundleError(ConsumerError):
    """A bundle cannot be made, or is not to be believed."""


class QuestionError(ConsumerError):
    """A question names nothing that is known, or more than one thing."""
