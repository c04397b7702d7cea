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
said as (
    select f.run_id, f.key, arg_max(f.body, {rank: store.location_rank(f.location), time: f.event_time, event: f.event_digest}) as body
    from store.facet f join asked using (run_id)
    where f.key in ('relineage_environment', 'sourceCodeLocation') and store.location_rank(f.location) is not null
    group by f.run_id, f.key
),
told as (
    select run_id, any_value(body) filter (where key = 'relineage_environment') as ours, any_value(body) filter (where key <> 'relineage_environment') as other
    from said group by run_id
)
select run_id::varchar as run_id, coalesce(ours ->> '$.code.commit', other ->> '$.version') as commit, try_cast(ours ->> '$.code.dirty' as boolean) as dirty,
       ours ->> '$.code.snapshot' as snapshot, ours ->> '$.code.root' as root,
       list_transform(list_filter(from_json(json_extract(ours, '$.code.notCovered'), '["VARCHAR"]'), lambda one: contains(one, ': in use, ')),
                      lambda one: split_part(one, ': in use, ', 1)) as not_kept
from told;

-- name: chance
-- Determinism switches of some runs, and the sources of chance that no seed covers.
with asked as materialized (select unnest($run_ids)::uuid as run_id),
said as (
    select f.run_id, arg_max(f.body, {rank: store.location_rank(f.location), time: f.event_time, event: f.event_digest}) as body
    from store.facet f join asked using (run_id)
    where f.key = 'relineage_seeds' and store.location_rank(f.location) is not null
    group by f.run_id
)
select run_id::varchar as run_id, map_entries(store.members(null, json_extract(body, '$.switches'))) as switches,
       from_json(json_extract(body, '$.uncovered'), '["VARCHAR"]') as uncovered
from said;
