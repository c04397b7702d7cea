-- What the database holds: for `relineage status` and `relineage rebuild`.

-- name: path
-- The file of the database.
select path from duckdb_databases() where database_name = current_database();

-- name: facts
-- How much of everything there is, and when the last event happened and came.
select (select count(distinct event_digest) from store.event) as events,
       (select max(event_time) from store.event) as last_event,
       (select max(received_at) from store.event) as last_received,
       (select count(*) from runs) as runs,
       (select count(*) from runs where state = 'RUNNING') as running,
       (select count(*) from datasets) as datasets,
       (select count(*) from store.version) as dataset_versions,
       (select count(*) from dead_letters) as letters,
       (select count(*) from event_problems) as problems;

-- name: sources
-- How far each source was read, the latest first.
select topic, source, partition, next_offset, updated_at from store.source_offset
order by updated_at desc, source, partition;

-- name: problems
-- Which parts of events could not be used, the most frequent first.
select path, expected, got, count(*) as times from event_problems
group by path, expected, got order by times desc, path, expected, got;

-- name: events_and_runs
-- How many events and runs there are.
select (select count(distinct event_digest) from store.event), (select count(*) from runs);
