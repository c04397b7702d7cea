-- `relineage show` of a run, and of a job's latest: each statement is a section, its name the title.

-- name: run
-- The run itself.
select * from runs where run_id = $run_id;

-- name: inputs
-- What it read, and which run wrote that.
select role, dataset_namespace, dataset_name, coalesce(digest, version) as version, read_at, how, writer_run_id
from inputs where run_id = $run_id
order by read_at, store.natural(role), dataset_namespace, store.natural(dataset_name), version;

-- name: outputs
-- What it wrote.
select role, dataset_namespace, dataset_name, coalesce(digest, version) as version, written_at
from outputs where run_id = $run_id
order by written_at, store.natural(role), dataset_namespace, store.natural(dataset_name), version;

-- name: parameters
-- Its parameters.
select name, value, type from parameters where run_id = $run_id order by store.natural(name);

-- name: metrics
-- Its metrics, step by step.
select name, value, step from metrics where run_id = $run_id order by store.natural(name), step;

-- name: seeds
-- The seeds of its sources of chance.
select library, seed, given, entropy from seeds where run_id = $run_id order by library;

-- name: environment
-- Code and machine; the packages last, as they are many.
select * exclude (run_id, packages), packages from environments where run_id = $run_id;

-- name: inner_runs
-- The runs that it started.
select run_id, job_name, state, started_at, ended_at from runs
where parent_run_id = $run_id
order by started_at, run_id;

-- name: facets
-- Everything that was said about it, its job and its data.
select entity, namespace, name, key, body from facets where run_id = $run_id
order by entity, namespace, store.natural(name), key;

-- name: problems
-- The parts of its events that could not be used.
select path, expected, got from event_problems where run_id = $run_id order by path, expected, got;

-- name: replays
-- How it fared when it was done again.
select run_id, verdict, tolerance, reason, replayed_at from replays
where original_run_id = $run_id order by replayed_at desc, run_id;

-- name: replay_of
-- The run that it did again.
select original_run_id as of_run_id, verdict, tolerance, reason, snapshot, setting from replays where run_id = $run_id;
