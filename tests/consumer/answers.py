"""Whether two stores give the same answers (rule R7): every public view, but for where and when events came from."""

from typing import Any

import duckdb

from relineage.consumer.store import Store

DELIVERY = ("source", "topic", "partition", "offset", "received_at")


def answers(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """View → its rows in the columns that do not depend on the delivery, ordered by all of them, as text."""
    connection: duckdb.DuckDBPyConnection = store.connection.cursor()
    connection.execute("set TimeZone = 'UTC'")
    views = connection.execute(
        """select view_name, list(column_name order by column_index)
           from duckdb_views() v join duckdb_columns() c on c.table_oid = v.view_oid and c.database_oid = v.database_oid
           where v.schema_name = 'main' and not v.internal group by all order by all"""
    ).fetchall()
    found = {}
    for view, columns in views:
        listed = ", ".join(f'"{column}"::varchar' for column in columns if column not in DELIVERY)
        found[view] = connection.execute(f'select {listed} from "{view}" order by all').fetchall()
    connection.close()
    return found
