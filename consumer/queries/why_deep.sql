-- What deep_pairs.py asks, in a connection in which the first steps of why_steps.sql were taken. Runs and all else are numbers here.

-- name: reads
-- Each read of what another run has written: reader, role, dataset, content, distance, writer, by reader and role.
select hash(r.run_id) as reader, hash(r.role) as role, hash(r.dataset_key), r.content, coalesce(store.seen_distance(r.read_at, o.written_at, o.origin), 1::bigint << 62), hash(o.writer)
from store.read_contents('twin') r join store.write_makers('serving') o on o.version_key = r.version_key
where o.run_id <> r.run_id
order by reader, role;

-- name: start
-- The pairs to begin with.
select hash(run_a), hash(run_b) from start;

-- name: guess
-- The pairs found.
create or replace temp table guess as
with pair as (select unnest(from_json($a, '["ubigint"]')) as a, unnest(from_json($b, '["ubigint"]')) as b, unnest(from_json($depth, '["integer"]')) as depth),
run as (select run_id, hash(run_id) as number from store.run)
select x.run_id as run_a, y.run_id as run_b, p.depth from pair p join run x on x.number = p.a join run y on y.number = p.b;
