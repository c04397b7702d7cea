-- What `relineage why` must know besides the causes.

-- name: latest_two
-- The latest version of a dataset or run of a job, and the one before that came of another execution and holds, or had as its outcome,
-- something else; each as an x, the later one first. Who names a model means this training and the one before, not the last two checkpoints
-- of one. What stands under one root run is one execution; only where there is no other, another run counts, or the same one. What was
-- made again or came from the cache is of all that have written it.
with thing as materialized (from store.resolve($x)),
member as (
    select coalesce(a.dataset_key, t.dataset_key) as dataset_key
    from thing t left join store.dataset_alias a on a.canonical_key = t.dataset_key where t.kind = 'dataset'
),
made as (
    select 'dataset:' || d.namespace || '/' || d.name || '@' || v.version as x, v.version as held, w.version_key, w.run_id,
           {outer_run: w.origin = 'forwarded', age: -epoch_us(w.written_at), run_id: w.run_id} as place
    from store.write w join member using (dataset_key) join store.version v using (version_key) join store.dataset d on d.dataset_key = v.dataset_key
    where w.holds
    union all
    select 'run:' || r.run_id, coalesce(r.outcome, ''), null, r.run_id, {outer_run: false, age: -epoch_us(coalesce(r.first_start_at, r.first_at)), run_id: r.run_id}
    from thing t join store.run l on t.kind = 'job' and l.run_id = t.run_id join store.run r on r.job_key = l.job_key
    where exists (from store.write w where w.run_id = r.run_id and w.holds)
),
written as materialized (
    select m.*, coalesce(r.root_run_id, c.root_run_id, m.run_id) as root_run_id
    from made m join store.run r on r.run_id = m.run_id left join store.climbed_root c on c.run_id = m.run_id
),
latest as (select min({age: place.age, x: x, held: held}) as l from written),
last_written as materialized (select w.* from written w join latest on w.held = l.held),
alike as (
    select other.version_key
    from last_written w join store.version_digest mine using (version_key) join store.version_digest other on other.digest = mine.digest
),
-- Of each the write that its x means.
other as (
    select x, min({place: place, root_run_id: root_run_id}) as w from written
    where held not in (select held from last_written) and (version_key is null or version_key not in (from alike)) group by x
)
select l.x as x, 0 as rank, null as age from latest where l is not null
union all
(select x, case when w.root_run_id not in (select root_run_id from last_written) then 1
                when w.place.run_id not in (select run_id from last_written) then 2 else 3 end as rank, w.place.age as age
 from other order by rank, age, x limit 1)
order by rank;

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
