-- What `relineage why` must know besides the causes.

-- name: latest_two
-- The latest two writes of a dataset that hold different things, or the latest two runs of a job with different outcomes, each
-- as an x; the later one first.
with thing as materialized (from store.resolve($x)),
member as (
    select coalesce(a.dataset_key, t.dataset_key) as dataset_key
    from thing t left join store.dataset_alias a on a.canonical_key = t.dataset_key where t.kind = 'dataset'
),
written as (
    select w.version_key, max(w.written_at) as latest
    from store.write w join member using (dataset_key) where w.holds and w.version_key is not null group by w.version_key
),
other_run as (
    select r.run_id, r.outcome, coalesce(r.first_start_at, r.first_at) as instant
    from thing t join store.run l on t.kind = 'job' and l.run_id = t.run_id join store.run r on r.job_key = l.job_key
    where exists (from store.write w where w.run_id = r.run_id and w.holds)
),
latest as (select any_value(o.outcome) as outcome from other_run o semi join thing on thing.run_id = o.run_id)
select 'dataset:' || d.namespace || '/' || d.name || '@' || v.version as x, latest as instant
from written join store.version v using (version_key) join store.dataset d using (dataset_key)
union all
select 'run:' || o.run_id, o.instant
from other_run o cross join latest l
where o.run_id in (select run_id from thing) or o.outcome is distinct from l.outcome
order by instant desc, x limit 2;

-- name: code
-- The code that each run was made with, the folder of its work tree, and the files it had loaded that were not kept. Not by the view environments, which reads all runs.
with asked as materialized (select unnest($run_ids)::uuid as run_id),
told as (
    select run_id, any_value(body) filter (where key = 'relineage_environment') as ours, any_value(body) filter (where key <> 'relineage_environment') as other
    from store.last_said('asked', ['relineage_environment', 'sourceCodeLocation']) group by run_id
)
select run_id::varchar as run_id, coalesce(ours ->> '$.code.commit', other ->> '$.version') as commit, try_cast(ours ->> '$.code.dirty' as boolean) as dirty,
       ours ->> '$.code.snapshot' as snapshot, ours ->> '$.code.root' as root, store.files_not_kept(json_extract(ours, '$.code.notCovered')) as not_kept
from told;

-- name: chance
-- Determinism switches of some runs, the sources of chance that no seed covers, and what they depended on that is in none of their
-- digests: what that of the code leaves out, and secrets.
with asked as materialized (select unnest($run_ids)::uuid as run_id),
told as (
    select run_id, any_value(body) filter (where key = 'relineage_seeds') as seeds, any_value(body) filter (where key = 'relineage_step') as step
    from store.last_said('asked', ['relineage_seeds', 'relineage_step']) group by run_id
)
select run_id::varchar as run_id, map_entries(store.members(null, json_extract(seeds, '$.switches'))) as switches,
       from_json(json_extract(seeds, '$.uncovered'), '["VARCHAR"]') as uncovered,
       coalesce(from_json(json_extract(step, '$.codeNotCovered'), '["VARCHAR"]'), []) as code,
       [p.name for p in coalesce(from_json(json_extract(step, '$.parameters'), '[{"name": "VARCHAR", "value": "VARCHAR"}]'), [])
        if contains(p.value, 'redacted')] as secrets
from told where seeds is not null;
