-- What the commands that list something list; the columns are what a program gets.

-- name: runs
-- The runs, newest first.
select run_id, job_namespace, job_name, state, started_at, ended_at from runs
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
