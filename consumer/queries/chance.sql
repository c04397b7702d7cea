-- What an answer that ends with non-determinism must know besides the switches and the seeds.

-- name: beyond_the_recipe
-- What some runs depended on that is in none of their digests: what that of the code leaves out, and secrets.
with asked as materialized (select unnest($run_ids)::uuid as run_id),
said as (
    select f.run_id, arg_max(f.body, {rank: store.location_rank(f.location), time: f.event_time, event: f.event_digest}) as body
    from store.facet f join asked using (run_id)
    where f.key = 'relineage_step' and store.location_rank(f.location) is not null
    group by f.run_id
)
select run_id::varchar as run_id,
       coalesce(from_json(json_extract(body, '$.codeNotCovered'), '["VARCHAR"]'), []) as code,
       [p.name for p in coalesce(from_json(json_extract(body, '$.parameters'), '[{"name": "VARCHAR", "value": "VARCHAR"}]'), [])
        if contains(p.value, 'redacted')] as secrets
from said;
