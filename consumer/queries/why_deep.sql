-- What deep_pairs.py asks, in a connection in which the first steps of why_steps.sql were taken. Runs and all else are numbers here.

-- name: reads
-- Each read of what another run has written: reader, slot, dataset, content, writer, by reader and slot.
select hash(run_id) as reader, slot, if(by_role, hash(dataset_key), 0::ubigint), content, hash(writer)
from bound where writer is not null order by reader, slot;

-- name: start
-- The pairs to begin with.
select hash(run_a), hash(run_b) from start;

-- name: guess
-- The pairs found.
create or replace temp table guess as
with pair as (select unnest(from_json($a, '["ubigint"]')) as a, unnest(from_json($b, '["ubigint"]')) as b, unnest(from_json($depth, '["integer"]')) as depth),
run as (select run_id, hash(run_id) as number from store.run)
select x.run_id as run_a, y.run_id as run_b, p.depth from pair p join run x on x.number = p.a join run y on y.number = p.b;
