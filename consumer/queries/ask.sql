-- The questions of ask.py; the columns are the fields of its dataclasses.

-- name: upstream
-- Where x comes from, nearest first.
select * from upstream($x, all_producers := $all_producers, served := $served);

-- name: downstream
-- What came of x, nearest first.
select * from downstream($x);

-- name: reproducibility
-- Whether x can be made again: checks of each run.
select * from reproducibility($x, served := $served);

-- name: run_diff
-- What differs between two runs.
select * from run_diff($a, $b);

-- name: thing
-- What x is, by the names that people know.
select t.kind, t.run_id::varchar as run_id, coalesce(d.namespace, j.namespace) as namespace,
       coalesce(d.name, j.name) as name, t.version, t.digest
from store.resolve($x) t
left join store.dataset d using (dataset_key)
left join store.run r on r.run_id = t.run_id and t.kind = 'job'
left join store.job j on j.job_key = r.job_key;

-- name: runs
-- Some runs in one line each.
select run_id, job_namespace, job_name, state, started_at, ended_at from runs
where run_id in (select unnest($ids::varchar[]));
