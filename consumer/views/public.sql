-- The public views: what others write queries against. Text for names, run ids and digests; times in UTC.

create or replace view runs as
with judged as (
    select *,
           -- A terminal event not after the latest START is void if another one is after it (a restart).
           coalesce(greatest(complete_at, fail_at, abort_at) > start_at, false) as restarted
    from store.run
),
ended as (
    select *,
           case when restarted and complete_at <= start_at then null else complete_at end as completed_at,
           case when restarted and fail_at <= start_at then null else fail_at end as failed_at,
           case when restarted and abort_at <= start_at then null else abort_at end as aborted_at
    from judged
)
select
    r.run_id::varchar as run_id, j.namespace as job_namespace, j.name as job_name,
    case
        when r.first_at is null then null
        when failed_at is not null then 'FAIL'
        when aborted_at is not null then 'ABORT'
        when completed_at is not null then 'COMPLETE'
        when start_at is not null or running_at is not null then 'RUNNING'
        else 'OTHER'
    end as state,
    coalesce(first_start_at, first_at) as started_at,
    greatest(completed_at, failed_at, aborted_at) as ended_at,
    r.parent_run_id::varchar as parent_run_id,
    coalesce(r.root_run_id, c.root_run_id, r.run_id)::varchar as root_run_id,
    task, recipe, outcome, given,
    coalesce(streaming, false) as streaming,
    (completed_at is not null)::int + (failed_at is not null)::int + (aborted_at is not null)::int > 1 as contradictory,
    coalesce(least_job_key <> greatest_job_key, false) as several_jobs,
    run_text
from ended r
left join store.job j using (job_key)
left join store.climbed_root c using (run_id);
comment on view runs is 'One row per run, also of runs known only as a parent.';
comment on column runs.run_id is 'The run.';
comment on column runs.job_namespace is 'Namespace of its job.';
comment on column runs.job_name is 'Name of its job.';
comment on column runs.state is 'COMPLETE, FAIL, ABORT, RUNNING or OTHER; null when only its children were seen.';
comment on column runs.started_at is 'First START, else first event; UTC.';
comment on column runs.ended_at is 'Last terminal event that counts; UTC.';
comment on column runs.parent_run_id is 'The run that started it.';
comment on column runs.root_run_id is 'The run on top of its parents; itself where it has none.';
comment on column runs.task is 'Digest of what was asked for: operation, inputs, parameters, code.';
comment on column runs.recipe is 'Digest of the task and the seeds that were given.';
comment on column runs.outcome is 'Digest of what came out.';
comment on column runs.given is 'Whether its seed was given; false when it was drawn, null when nobody says.';
comment on column runs.streaming is 'Whether it is a streaming run, which never ends.';
comment on column runs.contradictory is 'Whether it ended in several ways: FAIL and COMPLETE, for example.';
comment on column runs.several_jobs is 'Whether it was said to be a run of several jobs; the latest is shown.';
comment on column runs.run_text is 'Its runId as sent, where that is no UUID.';

create or replace view jobs as
select j.namespace, j.name, count(r.run_id) as runs, max(coalesce(r.first_start_at, r.first_at)) as last_started_at
from store.job j left join store.run r using (job_key)
group by j.namespace, j.name;
comment on view jobs is 'Every job that was named.';
comment on column jobs.namespace is 'Namespace.';
comment on column jobs.name is 'Name.';
comment on column jobs.runs is 'How many runs of it are known.';
comment on column jobs.last_started_at is 'Start of its latest run; UTC.';

create or replace view datasets as
select d.namespace, d.name, coalesce(v.versions, 0) as versions, c.namespace as one_with_namespace, c.name as one_with_name
from store.dataset d
left join (select dataset_key, count(*) as versions from store.version group by dataset_key) v using (dataset_key)
left join store.dataset_alias a using (dataset_key)
left join store.dataset c on c.dataset_key = a.canonical_key;
comment on view datasets is 'Every name of a dataset.';
comment on column datasets.namespace is 'Namespace.';
comment on column datasets.name is 'Name.';
comment on column datasets.versions is 'How many versions are known under this name.';
comment on column datasets.one_with_namespace is 'Where it has several names (symlinks, renames): namespace of the one that stands for all.';
comment on column datasets.one_with_name is 'Its name.';

-- The digest that names each version's content.
create or replace view store.strongest_digest as
select version_key, min({rank: store.digest_rank(digest), digest: digest}).digest as digest
from store.version_digest group by version_key;
comment on view store.strongest_digest is 'The digest that names each version''s content.';
comment on column store.strongest_digest.version_key is 'The version.';
comment on column store.strongest_digest.digest is 'The first it has of table, tensors, estimator, rows, weights, folder, bytes.';

-- Facets of datasets, with the version that the same input or output declares.
create or replace view store.version_facet as
with entry as (
    select event_digest, event_time, location, ordinal, run_id, dataset_key,
           any_value(body) filter (where key = 'version') as version_body,
           any_value(body) filter (where key = 'relineage_content') as content_body
    from store.facet where location in ('inputs', 'outputs', 'dataset')
    group by event_digest, event_time, location, ordinal, run_id, dataset_key
),
versioned as (
    select e.* exclude (version_body, content_body),
           store.version_key(d.namespace, d.name, store.declared_version(e.version_body, e.content_body)) as version_key
    from entry e join store.dataset d using (dataset_key)
)
select v.version_key, v.run_id, v.location, f.key, f.body, f.event_time, f.event_digest, f.ordinal
from versioned v join store.facet f using (event_digest, location, ordinal)
where v.version_key is not null;
comment on view store.version_facet is 'Facets of datasets, with the version that the same input or output declares.';
comment on column store.version_facet.version_key is 'The version.';
comment on column store.version_facet.run_id is 'The run that said it.';
comment on column store.version_facet.location is 'inputs, outputs or dataset.';
comment on column store.version_facet.key is 'The facet''s key.';
comment on column store.version_facet.body is 'The facet.';
comment on column store.version_facet.event_time is 'eventTime of the event, UTC.';
comment on column store.version_facet.event_digest is 'The event.';
comment on column store.version_facet.ordinal is 'Position of the input or output in its list.';

create or replace view dataset_versions as
with size as (
    select version_key, arg_max({rows: try_cast(body ->> '$.rows' as bigint), bytes: try_cast(body ->> '$.bytes' as bigint)},
                                {time: event_time, event: event_digest, location: location, ordinal: ordinal}) as size
    from store.version_facet where key = 'relineage_content' group by version_key
),
writing as (
    select version_key, min(written_at) as first_written_at, count(distinct run_id) as writers
    from store.write where holds group by version_key
)
select d.namespace, d.name, v.version, g.digest, s.size.rows as rows, s.size.bytes as bytes,
       w.first_written_at, coalesce(w.writers, 0) as writers, v.distinctive
from store.version v
join store.dataset d using (dataset_key)
left join store.strongest_digest g using (version_key)
left join size s using (version_key)
left join writing w using (version_key);
comment on view dataset_versions is 'Every version of every dataset.';
comment on column dataset_versions.namespace is 'Namespace of the dataset.';
comment on column dataset_versions.name is 'Name of the dataset.';
comment on column dataset_versions.version is 'The version, as its producer calls it; ours is the strongest digest.';
comment on column dataset_versions.digest is 'Its strongest digest; null when nobody made one.';
comment on column dataset_versions.rows is 'Rows.';
comment on column dataset_versions.bytes is 'Bytes of its values.';
comment on column dataset_versions.first_written_at is 'First write; null when nobody is known to have written it; UTC.';
comment on column dataset_versions.writers is 'How many runs wrote it.';
comment on column dataset_versions.distinctive is 'False when its content is so small or uniform that it collides trivially.';

create or replace view artifacts as
select g.digest, list(distinct d.namespace || '/' || d.name order by d.namespace || '/' || d.name) as names,
       min(w.first_written_at) as first_written_at,
       len(list_distinct(flatten(list(coalesce(w.runs, []))))) as writers,
       len(list_distinct(flatten(list(coalesce(r.runs, []))))) as readers
from store.version_digest g
join store.version v using (version_key)
join store.dataset d using (dataset_key)
left join (select version_key, min(written_at) as first_written_at, list(distinct run_id) as runs from store.write where holds group by version_key) w using (version_key)
left join (select version_key, list(distinct run_id) as runs from store.read where holds group by version_key) r using (version_key)
group by g.digest;
comment on view artifacts is 'Content, wherever it occurs: one row per digest.';
comment on column artifacts.digest is 'The digest.';
comment on column artifacts.names is 'The datasets that had this content, as namespace/name.';
comment on column artifacts.first_written_at is 'First write; UTC.';
comment on column artifacts.writers is 'How many runs wrote it.';
comment on column artifacts.readers is 'How many runs declared to have read it.';

-- `reads` (store.read, and depth) with the writes they are taken to have seen.
create or replace macro store.inputs_of(reads) as table (
    with link as materialized (from store.version_link),
    linked_run as materialized (from store.linked_runs('link'))
    select b.run_id::varchar as run_id, d.namespace as dataset_namespace, d.name as dataset_name, v.version, g.digest,
           b.role, b.read_at, b.how, b.writer_run_id::varchar as writer_run_id, b.origin::varchar as origin
    from store.bind(reads, 'link', 'linked_run') b
    join store.dataset d using (dataset_key)
    left join store.version v on v.version_key = coalesce(b.version_key, b.bound_version_key)
    left join store.strongest_digest g on g.version_key = v.version_key
);

create or replace view inputs as
with reading as (select *, 0 as depth from store.read where holds) from store.inputs_of('reading');
comment on view inputs is 'What each run read, and which write it is taken to have seen.';
comment on column inputs.run_id is 'The run.';
comment on column inputs.dataset_namespace is 'Namespace of the dataset.';
comment on column inputs.dataset_name is 'Name of the dataset.';
comment on column inputs.version is 'The version that was declared, else that of the write it is bound to.';
comment on column inputs.digest is 'That version''s strongest digest.';
comment on column inputs.role is 'What the run used it as; empty when not said.';
comment on column inputs.read_at is 'When; UTC.';
comment on column inputs.how is 'How the write is known: version, version-late, content, inferred or unknown.';
comment on column inputs.writer_run_id is 'The run whose write it saw; null for raw sources.';
comment on column inputs.origin is 'declared, observed, or forwarded from an inner run.';

create or replace view outputs as
select w.run_id::varchar as run_id, d.namespace as dataset_namespace, d.name as dataset_name, v.version, g.digest,
       w.role, w.written_at, w.origin::varchar as origin
from store.write w
join store.dataset d using (dataset_key)
left join store.version v using (version_key)
left join store.strongest_digest g using (version_key)
where w.holds;
comment on view outputs is 'What each run wrote.';
comment on column outputs.run_id is 'The run.';
comment on column outputs.dataset_namespace is 'Namespace of the dataset.';
comment on column outputs.dataset_name is 'Name of the dataset.';
comment on column outputs.version is 'The version that was declared.';
comment on column outputs.digest is 'That version''s strongest digest.';
comment on column outputs.role is 'What the run made it as; empty when not said.';
comment on column outputs.written_at is 'When; UTC.';
comment on column outputs.origin is 'declared, observed, or forwarded from an inner run.';

create or replace macro store.entity(location) as case
    when location in ('run', 'parent.run', 'root.run') then 'run'
    when location in ('job', 'parent.job', 'root.job') then 'job'
    when location in ('inputs', 'outputs', 'dataset') then 'dataset'
    when location = 'inputFacets' then 'input'
    when location = 'outputFacets' then 'output' end;

create or replace view facets as
-- Facets of a run, its inputs and outputs belong to the run: by it, so that whoever asks for one run reads only what it has said.
with of_run as (
    select run_id, store.entity(location) as entity, job_key, dataset_key, key, body
    from store.facet where store.entity(location) not in ('job', 'dataset')
    qualify row_number() over (
        partition by run_id, entity, job_key, dataset_key, key
        order by coalesce(store.location_rank(location), 2) desc, event_time desc, event_digest desc, location desc, ordinal desc) = 1
),
-- Those of a job or dataset hold until they are replaced: found by their places, without the bodies of all.
held as (
    select max({rank: coalesce(store.location_rank(location), 2), time: event_time, event: event_digest, location: location, ordinal: ordinal, row: rowid}).row as row
    from store.facet where store.entity(location) in ('job', 'dataset')
    group by job_key, dataset_key, key
),
latest as (
    from of_run
    union all
    select f.run_id, store.entity(f.location), f.job_key, f.dataset_key, f.key, f.body
    from held h join store.facet f on f.rowid = h.row
    -- `_deleted` removes it from then on.
    where try_cast(f.body ->> '$._deleted' as boolean) is not true
)
select l.run_id::varchar as run_id, l.entity, coalesce(j.namespace, d.namespace) as namespace, coalesce(j.name, d.name) as name,
       l.key, l.body::json as body
from latest l
left join store.job j on j.job_key = l.job_key
left join store.dataset d on d.dataset_key = l.dataset_key;
comment on view facets is 'The latest facet of each key: of every run, with its inputs and outputs, and of every job and dataset.';
comment on column facets.run_id is 'The run that it belongs to; for jobs and datasets the run that said it last, null when that was a job or dataset event.';
comment on column facets.entity is 'run, job, dataset, input or output.';
comment on column facets.namespace is 'Namespace of the job or dataset; null for run facets.';
comment on column facets.name is 'Name of the job or dataset; null for run facets.';
comment on column facets.key is 'The facet''s key.';
comment on column facets.body is 'The facet.';

-- The latest facet of one key of each run, its own above forwarded ones.
create or replace macro store.run_facet(facet_key) as table (
    select run_id, body from store.facet
    where key = facet_key and store.location_rank(location) is not null and run_id is not null
    qualify row_number() over (
        partition by run_id order by store.location_rank(location) desc, event_time desc, event_digest desc) = 1
);

-- What the runs in `asked` (run_id), each once, have said last under each of `keys`: (run_id, key, body).
create or replace macro store.last_said(asked, keys) as table (
    select f.run_id, f.key, arg_max(f.body, {rank: store.location_rank(f.location), time: f.event_time, event: f.event_digest}) as body
    from store.facet f join query_table(asked) a on a.run_id = f.run_id
    where list_contains(keys, f.key) and store.location_rank(f.location) is not null
    group by f.run_id, f.key
);

-- Of which versions facets of datasets tell, as in store.version_facet, but of these alone: `told` (event_digest, location, ordinal), as one
-- row each of (event_digest, location, ordinal, version_key).
create or replace macro store.versions_told(told) as table (
    -- Through a list, so that the planner takes it for the small side that it mostly is.
    with event as materialized (select unnest(list(distinct event_digest)) as event_digest from query_table(told)),
    entry as (
        select f.event_digest, f.location, f.ordinal, f.dataset_key,
               any_value(f.body) filter (where f.key = 'version') as version_body,
               any_value(f.body) filter (where f.key = 'relineage_content') as content_body
        from store.facet f join event using (event_digest)
        where f.key in ('version', 'relineage_content') and f.location in ('inputs', 'outputs', 'dataset')
        group by f.event_digest, f.location, f.ordinal, f.dataset_key
    )
    select e.event_digest, e.location, e.ordinal, store.version_key(d.namespace, d.name, store.declared_version(e.version_body, e.content_body)) as version_key
    from entry e join store.dataset d using (dataset_key)
    semi join query_table(told) t on t.event_digest = e.event_digest and t.location = e.location and t.ordinal = e.ordinal
);

create or replace view models as
with described as materialized (
    select event_digest, location, ordinal, event_time, key, body from store.facet
    where location in ('inputs', 'outputs', 'dataset')
        and (key = 'relineage_model' or (key = 'datasetType' and upper(body ->> '$.datasetType') = 'MODEL'))
),
model as (
    select t.version_key, arg_max(d.body, {time: d.event_time, event: d.event_digest, location: d.location, ordinal: d.ordinal}) filter (where d.key = 'relineage_model') as body
    from described d join store.versions_told('described') t using (event_digest, location, ordinal) group by t.version_key
)
select d.namespace, d.name, v.version, g.digest, w.run_id::varchar as run_id,
       m.body ->> '$.framework' as framework, try_cast(m.body ->> '$.parameters' as bigint) as parameters
from model m
join store.version v using (version_key)
join store.dataset d using (dataset_key)
left join store.strongest_digest g using (version_key)
left join (select distinct version_key, run_id from store.write where holds) w using (version_key);
comment on view models is 'Versions of models, one row per run that wrote them.';
comment on column models.namespace is 'Namespace.';
comment on column models.name is 'Name.';
comment on column models.version is 'Version.';
comment on column models.digest is 'Strongest digest.';
comment on column models.run_id is 'The run that wrote it; null when nobody is known to have.';
comment on column models.framework is 'Framework and its version.';
comment on column models.parameters is 'How many fitted numbers it holds.';

create or replace view seeds as
select run_id::varchar as run_id, l.library as library, l.seed as seed, given, entropy
from (
    select run_id, try_cast(body ->> '$.given' as boolean) as given, body ->> '$.entropy' as entropy,
           unnest(coalesce(nullif(from_json(json_extract(body, '$.libraries'), '[{"library": "VARCHAR", "seed": "VARCHAR"}]'), []), [null])) as l
    from store.run_facet('relineage_seeds')
);
comment on view seeds is 'The seeds each run started from, one row per library.';
comment on column seeds.run_id is 'The run.';
comment on column seeds.library is 'The library that was seeded; null when none was.';
comment on column seeds.seed is 'Its seed, as text.';
comment on column seeds.given is 'Whether the master seed was given; false when it was drawn.';
comment on column seeds.entropy is 'The master seed, hex.';

-- What runs were told, by what each has said last under these keys: `said` (run_id, key, body).
create or replace macro store.parameters_of(said) as table (
    with told as (
        select run_id, p.name as name, p.value as value, p.type as type, true as typed
        from (select run_id, unnest(from_json(json_extract(body, '$.parameters'), '[{"name": "VARCHAR", "value": "VARCHAR", "type": "VARCHAR"}]')) as p
              from query_table(said) where key = 'relineage_step')
        union all
        select run_id, coalesce(p.key, p.name), p.value, null, false
        from (select run_id, unnest(from_json(json_extract(body, '$.parameters'), '[{"key": "VARCHAR", "name": "VARCHAR", "value": "VARCHAR"}]')) as p
              from query_table(said) where key = 'executionParameters')
    )
    select run_id::varchar as run_id, name, value, type
    from told qualify typed or name is null or not bool_or(typed) over (partition by run_id, name)
);

create or replace view parameters as
-- Not materialized, so that a condition on the run goes down to the table.
with said as not materialized (
    select run_id, 'relineage_step' as key, body from store.run_facet('relineage_step')
    union all
    select run_id, 'executionParameters', body from store.run_facet('executionParameters')
)
from store.parameters_of('said');
comment on view parameters is 'The parameters of each run.';
comment on column parameters.run_id is 'The run.';
comment on column parameters.name is 'Name.';
comment on column parameters.value is 'Value, as text.';
comment on column parameters.type is 'Type, where the producer tells one.';

-- Where runs ran, by what each has said last under these keys: `said` (run_id, key, body).
create or replace macro store.environments_of(said) as table (
    with ours as (from query_table(said) where key = 'relineage_environment'),
    engine as (from query_table(said) where key = 'processing_engine'),
    code as (from query_table(said) where key = 'sourceCodeLocation')
    select
        coalesce(o.run_id, e.run_id, c.run_id)::varchar as run_id,
        o.body ->> '$.python' as python, o.body ->> '$.platform' as platform, o.body ->> '$.cpu' as cpu,
        coalesce(o.body ->> '$.code.repository', c.body ->> '$.repoUrl') as repository,
        coalesce(o.body ->> '$.code.commit', c.body ->> '$.version') as commit,
        try_cast(o.body ->> '$.code.dirty' as boolean) as dirty,
        o.body ->> '$.code.snapshot' as snapshot,
        c.body ->> '$.path' as path,
        o.body ->> '$.packagesDigest' as packages_digest,
        from_json(json_extract(o.body, '$.packages'), '"MAP(VARCHAR, VARCHAR)"') as packages,
        from_json(json_extract(o.body, '$.argv'), '["VARCHAR"]') as argv,
        e.body ->> '$.name' as engine, e.body ->> '$.version' as engine_version,
        from_json(json_extract(o.body, '$.command'), '["VARCHAR"]') as command,
        o.body ->> '$.directory' as directory, o.body ->> '$.code.root' as root, o.body ->> '$.process' as process,
        from_json(json_extract(o.body, '$.code.notCovered'), '["VARCHAR"]') as not_covered
    from ours o
    full join engine e on e.run_id = o.run_id
    full join code c on c.run_id = coalesce(o.run_id, e.run_id)
);

create or replace view environments as
-- Not materialized, as in parameters.
with said as not materialized (
    select run_id, 'relineage_environment' as key, body from store.run_facet('relineage_environment')
    union all
    select run_id, 'processing_engine', body from store.run_facet('processing_engine')
    union all
    select run_id, 'sourceCodeLocation', body from store.run_facet('sourceCodeLocation')
)
from store.environments_of('said');
comment on view environments is 'Where each run ran, and with which code.';
comment on column environments.run_id is 'The run.';
comment on column environments.python is 'Version of Python.';
comment on column environments.platform is 'Operating system and architecture.';
comment on column environments.cpu is 'Processor.';
comment on column environments.repository is 'Repository of the code.';
comment on column environments.commit is 'Commit that was checked out.';
comment on column environments.dirty is 'Whether the working tree differed from the commit, untracked files included.';
comment on column environments.snapshot is 'Commit (or, without git, folder in the store) that holds the code as it was, where one was made.';
comment on column environments.path is 'Path of the script in the repository.';
comment on column environments.packages_digest is 'Digest of all packages and their versions.';
comment on column environments.packages is 'Packages and their versions.';
comment on column environments.argv is 'The command line, secrets redacted.';
comment on column environments.engine is 'Processing engine.';
comment on column environments.engine_version is 'Its version.';
comment on column environments.command is 'What the interpreter was started with, secrets redacted.';
comment on column environments.directory is 'The working directory.';
comment on column environments.root is 'Folder of the working tree, on the machine of the run.';
comment on column environments.process is 'One id for all runs of one process.';
comment on column environments.not_covered is 'What of the code was not kept, and why; what the program had loaded says `in use`.';

create or replace view feature_stats as
with latest as (
    select version_key, arg_max(body, {time: event_time, event: event_digest, location: location, ordinal: ordinal}) as body
    from store.version_facet where key = 'relineage_featureStats' group by version_key
),
told as (
    select version_key, unnest(from_json(json_extract(body, '$.features'), '[{
        "name": "VARCHAR", "type": "VARCHAR", "rows": "BIGINT", "nulls": "BIGINT", "nans": "BIGINT", "infinities": "BIGINT",
        "min": "VARCHAR", "max": "VARCHAR", "mean": "VARCHAR", "deviation": "VARCHAR", "distinct": "BIGINT"}]')) as f
    from latest
)
select d.namespace as dataset_namespace, d.name as dataset_name, v.version, f.name as feature, f.rows as rows, f.nulls as nulls,
       try_cast(f.min as double) as min, try_cast(f.max as double) as max, try_cast(f.mean as double) as mean,
       try_cast(f.deviation as double) as deviation, f.type as type, f.nans as nans, f.infinities as infinities,
       f.distinct as distinct_values
from told join store.version v using (version_key) join store.dataset d using (dataset_key);
comment on view feature_stats is 'Statistics of each feature (column) of each version of a dataset.';
comment on column feature_stats.dataset_namespace is 'Namespace of the dataset.';
comment on column feature_stats.dataset_name is 'Name of the dataset.';
comment on column feature_stats.version is 'Version of the dataset.';
comment on column feature_stats.feature is 'The column.';
comment on column feature_stats.rows is 'Rows.';
comment on column feature_stats.nulls is 'Missing values.';
comment on column feature_stats.min is 'Least number.';
comment on column feature_stats.max is 'Greatest number.';
comment on column feature_stats.mean is 'Mean of the finite numbers.';
comment on column feature_stats.deviation is 'Standard deviation of the finite numbers.';
comment on column feature_stats.type is 'Type of the column.';
comment on column feature_stats.nans is 'Values that are NaN.';
comment on column feature_stats.infinities is 'Values that are infinite.';
comment on column feature_stats.distinct_values is 'Distinct values.';

create or replace view column_lineage as
with told as (
    select run_id, dataset_key, body from store.facet
    where key = 'columnLineage' and location in ('outputs', 'inputs', 'dataset')
    qualify row_number() over (partition by run_id, dataset_key, location order by event_time desc, event_digest desc, ordinal desc) = 1
),
field as (
    select run_id, dataset_key, unnest(map_entries(store.members(null, json_extract(body, '$.fields')))) as f from told
),
source as (
    select run_id, dataset_key, f.key as column_name, unnest(from_json(json_extract(f.value, '$.inputFields'),
        '[{"namespace": "VARCHAR", "name": "VARCHAR", "field": "VARCHAR", "transformations": [{"type": "VARCHAR", "subtype": "VARCHAR"}]}]')) as s
    from field where json_type(f.value, '/inputFields') = 'ARRAY'
    union all
    -- Filters, joins and groupings, which affect every column.
    select run_id, dataset_key, null, unnest(from_json(json_extract(body, '$.dataset'),
        '[{"namespace": "VARCHAR", "name": "VARCHAR", "field": "VARCHAR", "transformations": [{"type": "VARCHAR", "subtype": "VARCHAR"}]}]'))
    from told where json_type(body, '/dataset') = 'ARRAY'
)
select distinct
    d.namespace as dataset_namespace, d.name as dataset_name, s.column_name,
    s.s.namespace as from_dataset_namespace, s.s.name as from_dataset_name, s.s.field as from_column_name,
    array_to_string(list_transform(s.s.transformations, lambda t: concat_ws('/', t.type, t.subtype)), ', ') as transformation,
    'columnLineage' as source, s.run_id::varchar as run_id
from source s join store.dataset d using (dataset_key);
comment on view column_lineage is 'Which column came from which, as producers tell it.';
comment on column column_lineage.dataset_namespace is 'Namespace of the dataset.';
comment on column column_lineage.dataset_name is 'Name of the dataset.';
comment on column column_lineage.column_name is 'The column; null for what affects every column.';
comment on column column_lineage.from_dataset_namespace is 'Namespace of the dataset it came from.';
comment on column column_lineage.from_dataset_name is 'Name of the dataset it came from.';
comment on column column_lineage.from_column_name is 'The column it came from.';
comment on column column_lineage.transformation is 'How, as type/subtype.';
comment on column column_lineage.source is 'The facet that tells it.';
comment on column column_lineage.run_id is 'The run; null for dataset events.';

create or replace view events as
with delivered as (
    select event_digest, any_value(event_time) as event_time, any_value(event_type) as event_type,
           any_value(run_id) as run_id, any_value(job_key) as job_key, any_value(body) as body,
           min({received_at: received_at, source: source, topic: topic, partition: partition, "offset": "offset"}) as first
    from store.event group by event_digest
)
select event_digest::varchar as event_digest, event_time, event_type, run_id::varchar as run_id,
       j.namespace as job_namespace, j.name as job_name, body::json as body,
       first.source as source, first.topic as topic, first.partition as partition, first."offset" as "offset",
       first.received_at as received_at
from delivered left join store.job j using (job_key);
comment on view events is 'Each event once, however often it was delivered.';
comment on column events.event_digest is 'First 128 bits of SHA-256 of its bytes.';
comment on column events.event_time is 'eventTime in UTC.';
comment on column events.event_type is 'eventType as sent; null for job and dataset events.';
comment on column events.run_id is 'The run; null for job and dataset events.';
comment on column events.job_namespace is 'Namespace of the job.';
comment on column events.job_name is 'Name of the job.';
comment on column events.body is 'The event as it came.';
comment on column events.source is 'Where its first delivery came from.';
comment on column events.topic is 'Kafka topic of that.';
comment on column events.partition is 'Kafka partition of that.';
comment on column events."offset" is 'Offset of that.';
comment on column events.received_at is 'When it was first stored; UTC.';

create or replace view dead_letters as
with delivered as (
    select digest, min(reason) as reason, any_value(body) as body,
           min({received_at: received_at, source: source, topic: topic, partition: partition, "offset": "offset"}) as first
    from store.dead_letter group by digest
)
select digest::varchar as digest, reason, body,
       first.source as source, first.topic as topic, first.partition as partition, first."offset" as "offset",
       first.received_at as received_at
from delivered;
comment on view dead_letters is 'Messages that are no events, each once, with the reason.';
comment on column dead_letters.digest is 'First 128 bits of SHA-256 of its bytes.';
comment on column dead_letters.reason is 'Why it is no event.';
comment on column dead_letters.body is 'Its bytes.';
comment on column dead_letters.source is 'Where its first delivery came from.';
comment on column dead_letters.topic is 'Kafka topic of that.';
comment on column dead_letters.partition is 'Kafka partition of that.';
comment on column dead_letters."offset" is 'Offset of that.';
comment on column dead_letters.received_at is 'When it was first stored; UTC.';

create or replace view event_problems as
select distinct event_digest::varchar as event_digest, event_time, run_id::varchar as run_id, path, expected, got
from store.event_problem;
comment on view event_problems is 'What in a loaded event could not be used as the specification means it.';
comment on column event_problems.event_digest is 'The event.';
comment on column event_problems.event_time is 'eventTime of the event, UTC.';
comment on column event_problems.run_id is 'The run, if the event has one.';
comment on column event_problems.path is 'Where in the event.';
comment on column event_problems.expected is 'What the specification asks for there.';
comment on column event_problems.got is 'What was there.';

-- What runs measured, by what each has said last of it: `said` (run_id, body).
create or replace macro store.metrics_of(said) as table (
    select run_id::varchar as run_id, m.name as name,
           try_cast(m.value as double) as value, m.step as step
    from (
        select run_id, unnest(from_json(json_extract(body, '$.metrics'), '[{"name": "VARCHAR", "value": "VARCHAR", "step": "BIGINT"}]')) as m
        from query_table(said)
    )
);

create or replace view metrics as
with said as (from store.run_facet('relineage_metrics')) from store.metrics_of('said');
comment on view metrics is 'The metrics of each run.';
comment on column metrics.run_id is 'The run.';
comment on column metrics.name is 'Name.';
comment on column metrics.value is 'Value.';
comment on column metrics.step is 'Step or epoch; null when it has none.';


create or replace view replays as
select f.run_id::varchar as run_id, f.body ->> '$.original' as original_run_id, f.body ->> '$.verdict' as verdict,
       f.body ->> '$.tolerance' as tolerance, f.body ->> '$.reason' as reason, f.body ->> '$.snapshot' as snapshot,
       from_json(json_extract(f.body, '$.setting'), '["VARCHAR"]') as setting,
       coalesce(greatest(r.complete_at, r.fail_at, r.abort_at), r.first_at) as replayed_at
from store.run_facet('relineage_replay') f join store.run r on r.run_id = f.run_id;
comment on view replays is 'Runs that did another run again, and whether the same came out.';
comment on column replays.run_id is 'The run of the replay.';
comment on column replays.original_run_id is 'The run that was done again.';
comment on column replays.verdict is 'bitwise, within tolerance, not reproduced or not replayed.';
comment on column replays.tolerance is 'How far apart values could be; null if only equal digests counted.';
comment on column replays.reason is 'Why it is not reproduced or not replayed.';
comment on column replays.snapshot is 'The code that ran: a commit, or a folder in the store.';
comment on column replays.setting is 'What differed from the setting of the original run, one a line.';
comment on column replays.replayed_at is 'When the verdict was reached; UTC.';
