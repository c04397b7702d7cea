-- What a person may have meant by x, beside what the macros find.

-- name: known_digests
-- Those of some digests that are recorded.
select digest from store.version_digest where digest in (select unnest($digests));

-- name: versions_under_name
-- The latest versions of a dataset, newest first; one more than are told.
select version, first_written_at from dataset_versions where namespace = $namespace and name = $name
order by first_written_at desc nulls last, version limit 6;

-- name: runs_beginning_with
-- The runs whose id begins with a text, each with its job; one more than are told.
select run_id, job_namespace || '/' || job_name from runs
where starts_with(run_id, $start) order by run_id limit 11;
