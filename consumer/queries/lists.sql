-- What the commands that list something list; the columns are what a program gets.

-- name: runs
-- The runs, newest first.
select run_id, job_namespace, job_name, state, started_at, ended_at from runs
order by started_at desc nulls last, run_id desc;

-- name: runs_together
-- The same for people: more than ten runs of one job within one run, which ended alike, are one row with the latest of
-- them, so that the steps of a training do not hide it.
with many as materialized (
    select parent_run_id, job_namespace, job_name, state, arg_max(run_id, {instant: started_at, run_id: run_id}) as run_id,
           min(started_at) as started_at, max(ended_at) as ended_at, count(*) as runs
    from runs where parent_run_id is not null group by all having runs > 10
)
select run_id, job_namespace, job_name, state, started_at, ended_at, runs from many
union all
select r.run_id, r.job_namespace, r.job_name, r.state, r.started_at, r.ended_at, 1
from runs r anti join many m on m.parent_run_id = r.parent_run_id and m.job_namespace is not distinct from r.job_namespace
    and m.job_name is not distinct from r.job_name and m.state is not distinct from r.state
order by started_at desc nulls last, run_id desc;

-- name: datasets
-- The datasets, last written first, each with its latest version.
with latest as (
    select namespace, name, max(first_written_at) as written_at,
           arg_max({version: coalesce(digest, version), rows: rows},
                   {time: coalesce(first_written_at, '-infinity'), version: version}) as latest
    from dataset_versions group by namespace, name
)
select d.namespace, d.name, d.versions, l.latest.version as latest, l.latest.rows as rows, l.written_at
from datasets d left join latest l using (namespace, name)
order by l.written_at desc nulls last, d.namespace, d.name;

-- name: models
-- The versions of models, newest first, each with the run that wrote it.
with written as (
    select run_id, dataset_namespace as namespace, dataset_name as name, version, max(written_at) as written_at
    from outputs group by all
)
select m.namespace, m.name, coalesce(m.digest, m.version) as version, m.framework, m.parameters, w.written_at, m.run_id
from models m left join written w using (run_id, namespace, name, version)
order by w.written_at desc nulls last, m.namespace, m.name, m.version, m.run_id;

-- name: models_together
-- The same for people: more than ten versions of one model that were written within one run are one row with the latest.
with written as (
    select run_id, dataset_namespace as namespace, dataset_name as name, version, max(written_at) as written_at
    from outputs group by all
),
model as materialized (
    select m.namespace, m.name, coalesce(m.digest, m.version) as version, m.framework, m.parameters, w.written_at, m.run_id,
           coalesce(r.parent_run_id, m.run_id) as outer_run_id
    from models m left join written w using (run_id, namespace, name, version) left join runs r using (run_id)
),
many as materialized (
    select namespace, name, outer_run_id, count(*) as versions,
           max_by(model, {instant: coalesce(written_at, '-infinity'), version: version, run_id: run_id}) as latest
    from model where outer_run_id is not null group by all having versions > 10
)
select namespace, name, latest.version, latest.framework, latest.parameters, latest.written_at, latest.run_id, versions from many
union all
select namespace, name, version, framework, parameters, written_at, run_id, 1
from model m anti join many using (namespace, name, outer_run_id)
order by written_at desc nulls last, namespace, name, version, run_id;

-- name: letters
-- The messages that are no events, newest first.
select digest, reason, source, topic, partition, "offset", octet_length(body) as bytes, received_at from dead_letters
order by received_at desc, digest;

-- name: letters_beginning_with
-- The letters whose digest begins with a text, with or without its hyphens, and their bytes; one more than are told.
select digest, reason, source, topic, partition, "offset", octet_length(body) as bytes, received_at, body
from dead_letters where starts_with(replace(digest, '-', ''), replace(lower($digest), '-', ''))
order by digest limit 11;

-- name: letter_count
-- How many letters there are.
select count(*) from dead_letters;
