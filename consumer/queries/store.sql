-- What the store itself asks and notes.

-- name: make_schema
-- The schema of all our tables.
create schema if not exists store;

-- name: make_migration
-- Which migrations were run, and the digest of the views and macros that are in place.
create table if not exists store.migration (name varchar not null, digest varchar not null);

-- name: migrations
-- What was done before.
select name, digest from store.migration;

-- name: note_migration
-- Notes what was done.
insert into store.migration values ($name, $digest);

-- name: forget_migration
-- Forgets it, as it is about to be noted anew.
delete from store.migration where name = $name;

-- name: counts
-- Deliveries of events and of dead letters stored so far.
select (select count(*) from store.event), (select count(*) from store.dead_letter);

-- name: reached
-- Next offset and fingerprint of a source.
select next_offset, fingerprint from store.source_offset where source = $source and partition = $partition;

-- name: tables
-- How many tables the database holds, and whether ours are among them: those of somebody else are left alone.
select count(*), bool_or(schema_name = 'store' and table_name = 'migration')
from duckdb_tables() where database_name = current_database();

-- name: attach_blank
-- A database to begin with, see blank.py.
attach $path as blank (read_only);

-- name: own_name
-- What this database is called, for a statement that must name it.
select current_database();

-- name: detach_blank
-- It is needed no more.
detach blank;

-- name: file
-- The file of the database; null for one in memory.
select path from duckdb_databases() where database_name = current_database();

-- name: one_thread
-- No work in parallel.
set threads = 1;

-- name: all_threads
-- As many threads as there are cores.
reset threads;
