-- `relineage show` of a job: each statement is a section, its name the title.

-- name: job
-- The job itself.
select * from jobs where namespace = $namespace and name = $name;

-- name: runs
-- Its runs, newest first.
select run_id, state, started_at, ended_at from runs
where job_namespace = $namespace and job_name = $name
order by started_at desc, run_id;
