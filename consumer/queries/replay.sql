-- What a replay must know of recorded runs.

-- name: run
-- One run, and where it ran.
select r.run_id, r.job_namespace, r.job_name, r.state, e.process, e.command, e.directory, e.root, e.commit, e.dirty,
       e.snapshot, e.not_covered, e.repository, e.python, p.body as step, o.body as environment
from runs r
left join environments e using (run_id)
left join store.run_facet('relineage_step') p on p.run_id::varchar = r.run_id
left join store.run_facet('relineage_environment') o on o.run_id::varchar = r.run_id
where r.run_id = $run_id;

-- name: process_runs
-- The runs of one process in the order in which they began, each with its number among those of its job, from 0.
with mine as (
    select r.run_id, r.job_namespace, r.job_name, r.state, r.started_at, r.parent_run_id
    from runs r
    where r.run_id = $run_id
       or r.run_id in (select e.run_id from environments e where e.process = (select process from environments where run_id = $run_id))
),
chance as (select distinct run_id, entropy, given from seeds)
select m.run_id, m.job_namespace, m.job_name, m.state,
       row_number() over (partition by m.job_namespace, m.job_name order by m.started_at, m.run_id) - 1 as ordinal,
       c.entropy, coalesce(c.given, false) as given,
       o.run_id as outer_run_id
from mine m left join chance c using (run_id) left join mine o on o.run_id = m.parent_run_id
order by m.started_at, m.run_id;

-- name: parameters
-- The parameters of a run.
select name, coalesce(type, '') as type, value from parameters where run_id = $run_id order by name;

-- name: variables
-- The environment variables that were recorded of a run.
select v.name, v.value
from (
    select unnest(from_json(json_extract(body, '$.environmentVariables'), '[{"name": "VARCHAR", "value": "VARCHAR"}]')) as v
    from store.run_facet('environmentVariables') where run_id::varchar = $run_id
)
where v.name is not null and v.value is not null;

-- name: inputs
-- What some runs read, with all digests, and the paths under which it is known: its own name, or a symlink's, those
-- that the run itself has named first.
with read as (
    select run_id, role, dataset_namespace as namespace, dataset_name as name, version, writer_run_id
    from inputs where run_id in (select unnest($run_ids))
),
linked as (
    select distinct run_id, dataset_key, other.name as path
    from (select run_id, dataset_key, unnest(store.other_names(key, body)) as other from store.facet
          where run_id::varchar in (select unnest($run_ids)) and key = 'symlinks' and location = 'inputs')
    where other.namespace = 'file'
)
select r.run_id, r.role, r.namespace, r.name, r.version, r.writer_run_id,
       (select any_value(f.body ->> '$.carrier') from store.version_facet f
        where f.version_key = store.version_key(r.namespace, r.name, r.version) and f.run_id::varchar = r.run_id
          and f.key = 'relineage_content' and f.location = 'inputs') as carrier,
       coalesce((select list(g.digest order by g.digest) from store.version_digest g
                 where g.version_key = store.version_key(r.namespace, r.name, r.version)), []) as digests,
       coalesce((select list(distinct l.path order by l.path) from linked l
                 where l.run_id::varchar = r.run_id and l.dataset_key = store.name_key(r.namespace, r.name)), [])
       || coalesce((select list(distinct other.name order by other.name) from datasets mine
                 join datasets other on other.namespace = 'file' and (
                     (other.namespace = mine.namespace and other.name = mine.name)
                     or (other.one_with_namespace = mine.one_with_namespace and other.one_with_name = mine.one_with_name))
                 where mine.namespace = r.namespace and mine.name = r.name), []) as paths
from read r
order by r.run_id, store.natural(r.role), r.namespace, store.natural(r.name), r.version;

-- name: outputs
-- What some runs wrote, in order, with all digests, what their facets say of the content, and the paths that the run
-- itself has named. Not what is a part of another output: who repeats the run alone has nobody who takes it out, and the
-- whole has it.
with asked as materialized (select unnest($run_ids)::uuid as run_id),
part as materialized (from store.parts_written('asked')),
written as (
    select run_id, role, dataset_namespace as namespace, dataset_name as name, version, digest, written_at,
           store.version_key(dataset_namespace, dataset_name, version) as version_key
    from outputs where run_id in (select unnest($run_ids))
        and (run_id::uuid, store.name_key(dataset_namespace, dataset_name), role) not in (select (run_id, dataset_key, role) from part)
),
linked as (
    select distinct run_id, dataset_key, other.name as path
    from (select run_id, dataset_key, unnest(store.other_names(key, body)) as other from store.facet
          where run_id::varchar in (select unnest($run_ids)) and key = 'symlinks' and location = 'outputs')
    where other.namespace = 'file'
),
said as (
    select version_key, key, body from store.version_facet
    where version_key in (select version_key from written) and key in ('relineage_content', 'relineage_model')
    qualify row_number() over (
        partition by version_key, key
        order by json_type(body, '$.columns[0].leaves') is null, json_type(body, '$.columns[0]') is null,
                 event_time desc, event_digest desc, location, ordinal) = 1
)
select w.run_id, w.role, w.namespace, w.name, w.version, w.digest,
       coalesce((select list(g.digest order by g.digest) from store.version_digest g where g.version_key = w.version_key), []) as digests,
       coalesce((select list(distinct l.path order by l.path) from linked l
                 where l.run_id::varchar = w.run_id and l.dataset_key = store.name_key(w.namespace, w.name)), []) as paths,
       c.body as content, m.body as model
from written w
left join said c on c.version_key = w.version_key and c.key = 'relineage_content'
left join said m on m.version_key = w.version_key and m.key = 'relineage_model'
order by w.written_at, store.natural(w.role), w.namespace, w.name, w.version;

-- name: events
-- The events of some runs, as they came.
select body::varchar as body from events where run_id in (select unnest($run_ids)) order by event_time, event_digest;

-- name: settings
-- A key of the setting of each of some runs: of two that have the same, `differences` says nothing.
with asked as materialized (select unnest($run_ids) as run_id),
seeds as (select run_id::varchar as run_id, body -> '$.switches' as switches from store.run_facet('relineage_seeds')),
variables as (select run_id::varchar as run_id, body -> '$.environmentVariables' as variables from store.run_facet('environmentVariables'))
select a.run_id, md5(row(e.python, e.platform, e.cpu, e.engine, e.engine_version, e.packages, s.switches, v.variables)::varchar)
from asked a
left join environments e on e.run_id = a.run_id
left join seeds s on s.run_id = a.run_id
left join variables v on v.run_id = a.run_id;

-- name: differences
-- What differs between the settings of two runs, those of $a and $b that have the same place, but for the code, which is
-- the same by construction; or, without $setting, between what they were asked for, but for seeds, which are told by what
-- the run around derives them from. What `run_diff` says of them, which takes seven times as long since it compares all
-- else as well.
with pair as materialized (select unnest($a) as a, unnest($b) as b),
asked as materialized (select distinct run_id::uuid as run_id from (select a as run_id from pair union all select b from pair)),
fact as materialized (
    select run_id, what, key, string_agg(value, ', ' order by value) as value
    from store.run_facts_of('asked')
    where setting = $setting and what not in ('commit', 'code', 'seed')
    group by all
)
select coalesce(f.a, g.a) as run_id, coalesce(f.what, g.what) as what, coalesce(f.key, g.key) as key, f.value as a, g.value as b
from (select p.a, what, key, value from pair p join fact on run_id = p.a) f
full join (select p.a, what, key, value from pair p join fact on run_id = p.b) g on g.a = f.a and g.what = f.what and g.key = f.key
where f.value is distinct from g.value
-- What only one of them has is the less likely to matter.
order by f.value is null or g.value is null, what, store.natural(coalesce(f.key, g.key));

-- name: run_of
-- The run that x stands for: itself, the latest of a job, or the writer of a version or content.
select run_id from store.run_of($x);

-- name: upstream_processes
-- The runs that x comes from, each with its process; itself where it has no outputs.
select distinct r.run_id, coalesce(e.process, r.run_id) as process, r.started_at
from (
    select writer_run_id as run_id from upstream($x) where writer_run_id is not null
    union
    select run_id::varchar from store.resolve($x) where run_id is not null
) u
join runs r using (run_id)
left join environments e using (run_id)
order by r.started_at, r.run_id;

-- name: other_runs
-- The runs of a database but for some, in the order in which they began.
select run_id from runs where run_id not in (select unnest($run_ids)) and state is not null order by started_at, run_id;
