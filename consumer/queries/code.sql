-- What a database says of the snapshots of code.

-- name: runs
-- Each snapshot, when the first run with it began, and how many runs have it.
select e.snapshot, min(r.started_at) as first_run_at, count(*) as runs
from environments e join runs r using (run_id)
where e.snapshot is not null
group by e.snapshot;

-- name: needed
-- Every commit that an event, or a message that could not be read as one, calls a snapshot.
select unnest(regexp_extract_all(body, '"snapshot"\s*:\s*"([0-9a-f]{40,64})"', 1)) from store.event
union
select snapshot from environments where snapshot is not null
union
select unnest(regexp_extract_all(body::varchar, '"snapshot"\s*:\s*"([0-9a-f]{40,64})"', 1)) from store.dead_letter;

-- name: written_files
-- Of some paths those that runs are known to have written, under whatever name.
with asked as (
    select path, store.name_key('file', path) as dataset_key from (select unnest($paths) as path)
),
named as (
    select path, dataset_key from asked
    union
    select a.path, other.dataset_key
    from asked a join store.dataset_alias mine on mine.dataset_key = a.dataset_key
    join store.dataset_alias other on other.canonical_key = mine.canonical_key
)
select distinct path from named semi join store.write using (dataset_key);
