"""A consumer to be killed: consumes a topic into a database, and keeps in a file where it is in a transaction.

    python crashing.py DATABASE BOOTSTRAP TOPIC MARKER

The marker's one byte: `-` outside, `B` after BEGIN and before COMMIT is asked for, `C` while it commits.
"""

import os
import sys
import threading
from types import TracebackType

from relineage.consumer import store as store_module
from relineage.consumer.consume import consume_kafka


def main(database: str, bootstrap: str, topic: str, marker: str) -> None:
    place = os.open(marker, os.O_WRONLY | os.O_CREAT)

    class Marked(store_module.Transaction):
        def __enter__(self) -> None:
            super().__enter__()
            os.pwrite(place, b"B", 0)

        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
        ) -> None:
            os.pwrite(place, b"C", 0)
            super().__exit__(kind, error, trace)
            os.pwrite(place, b"-", 0)

    with store_module.Store.open(database) as store:
        store_module.Transaction = Marked  # type: ignore[misc]
        os.pwrite(place, b"-", 0)
        consume_kafka(store, bootstrap=bootstrap, topics=[topic], until_current=False, stop=threading.Event())


if __name__ == "__main__":
    main(*sys.argv[1:])
