"""DuckDB as far as it is used here: connections, statements, errors.

All of that is in its compiled module. The package around it adds relations and expressions in Python, of which nothing
here makes use, and whose import takes 0.1 s: too much of a question that is typed. So it is imported only where Arrow
tables go in or out, which it tells the compiled module how to do.
"""

try:
    from _duckdb import (
        CatalogException,
        DataError,
        DuckDBPyConnection,
        Error,
        IntegrityError,
        InvalidInputException,
        IOException,
        OutOfMemoryException,
        Statement,
        TransactionException,
        __version__,
        connect,
        extract_statements,
    )
except ImportError:  # in a release that arranges its modules otherwise: the same from where it is promised
    from duckdb import (
        CatalogException,
        DataError,
        DuckDBPyConnection,
        Error,
        IntegrityError,
        InvalidInputException,
        IOException,
        OutOfMemoryException,
        Statement,
        TransactionException,
        __version__,
        connect,
        extract_statements,
    )

__all__ = [
    "CatalogException",
    "DataError",
    "DuckDBPyConnection",
    "Error",
    "IOException",
    "IntegrityError",
    "InvalidInputException",
    "OutOfMemoryException",
    "Statement",
    "TransactionException",
    "__version__",
    "connect",
    "extract_statements",
    "use_arrow",
]


def use_arrow() -> None:
    """Before connections are handed Arrow tables, or asked for them."""
    import duckdb  # noqa: F401
