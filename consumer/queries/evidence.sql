-- What `relineage verify` must know of recorded runs before it looks at files and git.

-- name: recorded
-- The digests of each version, and the paths under which it is known: its own name, or a symlink's.
with asked as (
    select unnest($namespaces) as namespace, unnest($names) as name, unnest($versions) as version
),
digest as (
    select a.namespace, a.name, a.version, list(d.digest order by d.digest) as digests
    from asked a join store.version_digest d on d.version_key = store.version_key(a.namespace, a.name, a.version)
    group by all
),
path as (
    select a.namespace, a.name, a.version, list(distinct other.name order by other.name) as paths
    from asked a
    join datasets mine on mine.namespace = a.namespace and mine.name = a.name
    join datasets other on other.namespace = 'file' and (
        (other.namespace = a.namespace and other.name = a.name)
        or (other.one_with_namespace = mine.one_with_namespace and other.one_with_name = mine.one_with_name))
    group by all
)
select a.namespace, a.name, a.version, coalesce(d.digests, []) as digests, coalesce(p.paths, []) as paths
from asked a left join digest d using (namespace, name, version) left join path p using (namespace, name, version);

-- name: code
-- The code that each run was made with, and where its work tree was.
with asked as materialized (select unnest($run_ids)::uuid as run_id),
said as materialized (from store.last_said('asked', ['relineage_environment', 'processing_engine', 'sourceCodeLocation']))
select run_id, repository, commit, snapshot, dirty, root from store.environments_of('said');

-- name: models
-- Which of some versions are models.
with asked as materialized (
    select namespace, name, version, store.version_key(namespace, name, version) as version_key
    from (select unnest($namespaces) as namespace, unnest($names) as name, unnest($versions) as version)
)
select namespace, name, version from asked semi join store.models_among('asked') using (version_key);

-- name: written
-- What some runs wrote.
select distinct run_id, dataset_namespace, dataset_name, version from outputs
where run_id in (select unnest($run_ids)) and version is not null
order by all;

-- name: settings
-- Where runs ran: those of one process in one row, whose packages are read once.
with asked as materialized (select unnest($run_ids)::uuid as run_id),
said as (
    select a.run_id::varchar as run_id, o.body ->> '$.python' as python, o.body ->> '$.platform' as platform, o.body ->> '$.cpu' as cpu,
           json_extract(o.body, '$.packages') as packages
    from asked a left join store.last_said('asked', ['relineage_environment']) o using (run_id)
),
alike as (select list(run_id) as run_ids, python, platform, cpu, packages from said group by all)
select run_ids, python, platform, cpu, from_json(packages, '"MAP(VARCHAR, VARCHAR)"') from alike;

-- name: replays
-- The replays of some runs, the latest first.
select original_run_id, verdict, tolerance, replayed_at from replays
where original_run_id in (select unnest($run_ids))
order by replayed_at desc, run_id;
