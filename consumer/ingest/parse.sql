-- A batch of messages becomes staged rows. Reads the relation `message` (source, topic, partition, "offset",
-- digest, body: text that DuckDB may parse). Every statement makes a temporary table of this batch alone;
-- nothing is looked up in the store. merge.sql takes the staged rows in.

-- Statement 1: what is JSON at all, and which JSON type stands where.
create or replace temp table shape as
select
    * replace (digest::uuid as digest),
    try(json_type(body, [
        '$', '/run', '/job', '/dataset', '/inputs', '/outputs',
        '/run/runId', '/job/namespace', '/job/name', '/dataset/namespace', '/dataset/name',
        '/eventTime', '/eventType', '/run/facets', '/job/facets', '/dataset/facets'
    ])) as types
from (select * replace (ltrim(body, chr(65279)) as body),  -- without a byte order mark
             case when starts_with(body, chr(65279)) then body end as marked_body
      from message);

-- Statement 2: the envelope.
create or replace temp table envelope as
with opened as (
    select
        * exclude (types),
        types is not null as valid,
        -- Absent and null are one (OpenLineage producers write both).
        list_transform(types, lambda t: nullif(t, 'NULL')) as types,
        case when types[1] = 'OBJECT' then from_json(body, '{
            "eventTime": "VARCHAR", "eventType": "VARCHAR",
            "run": {"runId": "VARCHAR", "facets": "MAP(VARCHAR, JSON)"},
            "job": {"namespace": "VARCHAR", "name": "VARCHAR", "facets": "MAP(VARCHAR, JSON)"},
            "dataset": {"namespace": "VARCHAR", "name": "VARCHAR", "facets": "MAP(VARCHAR, JSON)"},
            "inputs": ["JSON"], "outputs": ["JSON"]
        }') end as e
    from shape
),
named as (
    select
        source, topic, partition, "offset", digest, body, marked_body, valid, types, e,
        types[1] as top,
        case
            when types[1] is distinct from 'OBJECT' then null
            when types[2] is not null then 'run'
            when types[4] is not null then 'dataset'
            when types[3] is not null then 'job'
        end as kind,
        -- A name is a text; what stands there as an object or a list is no name.
        case when types[7] not in ('OBJECT', 'ARRAY') then nullif(e.run.runId, '') end as run_text,
        case when types[8] not in ('OBJECT', 'ARRAY') then e.job.namespace end as job_namespace,
        case when types[9] not in ('OBJECT', 'ARRAY') then e.job.name end as job_name,
        case when types[10] not in ('OBJECT', 'ARRAY') then e.dataset.namespace end as dataset_namespace,
        case when types[11] not in ('OBJECT', 'ARRAY') then e.dataset.name end as dataset_name,
        case when types[12] not in ('OBJECT', 'ARRAY') then e.eventTime end as time_text,
        case when types[13] not in ('OBJECT', 'ARRAY') then e.eventType end as event_type
    from opened
),
lacking as (
    select
        *,
        store.instant(time_text) as event_time,
        list_filter([
            case when kind = 'run' and run_text is null then 'run.runId' end,
            case when kind in ('run', 'job') and job_namespace is null then 'job.namespace' end,
            case when kind in ('run', 'job') and job_name is null then 'job.name' end,
            case when kind = 'dataset' and dataset_namespace is null then 'dataset.namespace' end,
            case when kind = 'dataset' and dataset_name is null then 'dataset.name' end,
            case when time_text is null then 'eventTime' end
        ], lambda name: name is not null) as missing
    from named
)
select
    source, topic, partition, "offset", digest, body, marked_body, types, kind, e.inputs as inputs, e.outputs as outputs,
    e.run.facets is null as run_facets_lost, e.job.facets is null as job_facets_lost, e.dataset.facets is null as dataset_facets_lost,
    store.members(e.run.facets, case when types[14] = 'OBJECT' then json_extract(body, '$.run.facets') end) as run_facets,
    store.members(e.job.facets, case when types[15] = 'OBJECT' then json_extract(body, '$.job.facets') end) as job_facets,
    store.members(e.dataset.facets, case when types[16] = 'OBJECT' then json_extract(body, '$.dataset.facets') end) as dataset_facets,
    event_type, event_time, time_text,
    case when kind = 'run' then run_text end as run_text,
    case when kind = 'run' and not store.is_uuid(run_text) then run_text end as odd_run_text,
    case when kind = 'run' then store.run_uuid(run_text) end as run_id,
    case when kind in ('run', 'job') then job_namespace end as job_namespace,
    case when kind in ('run', 'job') then job_name end as job_name,
    case when kind in ('run', 'job') then store.name_key(job_namespace, job_name) end as job_key,
    case when kind = 'dataset' then dataset_namespace end as dataset_namespace,
    case when kind = 'dataset' then dataset_name end as dataset_name,
    case
        when not valid then 'not JSON'
        when top is distinct from 'OBJECT' then 'not an event: JSON ' || lower(coalesce(top, 'null')) || ', expected an object'
        when kind is null then 'not an event: it has no run, job or dataset'
        when len(missing) > 0 then kind || ' event without ' || array_to_string(missing, ', ')
        when event_time is null then 'eventTime cannot be read: ' || left(time_text, 100)
    end as reason
from lacking;

-- Statement 3: every input and output, opened.
create or replace temp table entry as
with listed as (
    select digest, event_time, run_id, job_key, 'inputs' as side, unnest(inputs) as body,
           generate_subscripts(inputs, 1) as ordinal
    from envelope where reason is null and kind <> 'dataset'
    union all
    select digest, event_time, run_id, job_key, 'outputs', unnest(outputs), generate_subscripts(outputs, 1)
    from envelope where reason is null and kind <> 'dataset'
),
typed as (
    select *, json_type(body, ['$', '/namespace', '/name', '/facets', '/inputFacets', '/outputFacets']) as types
    from listed where body is not null
),
opened as (
    select
        * exclude (types),
        list_transform(types, lambda t: nullif(t, 'NULL')) as types,
        case when types[1] = 'OBJECT' then from_json(body, '{
            "namespace": "VARCHAR", "name": "VARCHAR", "facets": "MAP(VARCHAR, JSON)",
            "inputFacets": "MAP(VARCHAR, JSON)", "outputFacets": "MAP(VARCHAR, JSON)"
        }') end as e
    from typed where types[1] is distinct from 'NULL'
)
select
    digest, event_time, run_id, job_key, side, ordinal, types,
    e.facets is null as facets_lost, case when side = 'inputs' then e.inputFacets is null else e.outputFacets is null end as side_facets_lost,
    store.members(e.facets, case when types[4] = 'OBJECT' then json_extract(body, '$.facets') end) as facets,
    case when side = 'inputs' then store.members(e.inputFacets, case when types[5] = 'OBJECT' then json_extract(body, '$.inputFacets') end) else store.members(e.outputFacets, case when types[6] = 'OBJECT' then json_extract(body, '$.outputFacets') end) end as side_facets,
    case when types[2] not in ('OBJECT', 'ARRAY') then e.namespace end as namespace,
    case when types[3] not in ('OBJECT', 'ARRAY') then e.name end as name,
    store.name_key(namespace, name) as dataset_key
from opened;

-- Statement 4: every facet, wherever it stands. What is no object is no facet (null means absent): see `problem`.
create or replace temp table facet as
with held as (
    select run_id, null::uuid as job_key, null::uuid as dataset_key, event_time, digest, 'run' as location,
           0 as ordinal, unnest(map_entries(run_facets)) as facet
    from envelope where reason is null and kind = 'run'
    union all
    select run_id, job_key, null, event_time, digest, 'job', 0, unnest(map_entries(job_facets))
    from envelope where reason is null and kind <> 'dataset'
    union all
    select null, null, store.name_key(dataset_namespace, dataset_name), event_time, digest, 'dataset', 0,
           unnest(map_entries(dataset_facets))
    from envelope where reason is null and kind = 'dataset'
    union all
    select run_id, null, dataset_key, event_time, digest, side, ordinal, unnest(map_entries(facets))
    from entry where dataset_key is not null
    union all
    select run_id, null, dataset_key, event_time, digest, case when side = 'inputs' then 'inputFacets' else 'outputFacets' end,
           ordinal, unnest(map_entries(side_facets))
    from entry where dataset_key is not null
)
select * exclude (facet), facet.key as key, facet.value::varchar as body
from held where facet.value is not null;

-- Statement 5: what a parent facet says of others: who they are, and their forwarded facets.
-- Older producers called it parentRun.
create or replace temp table parent as
with said as (
    select run_id, event_time, digest, own,
           store.text_of(run_name) as parent_text, store.text_of(root_run_name) as root_text,
           store.text_of(job_namespace) as parent_namespace, store.text_of(job_name) as parent_name,
           store.text_of(root_job_namespace) as root_namespace, store.text_of(root_job_name) as root_name,
           parent_run_facets, parent_job_facets, root_run_facets, root_job_facets
    from (
        select run_id, event_time, digest, own,
               p.run.runId as run_name, p.run.facets as parent_run_facets,
               p.job.namespace as job_namespace, p.job.name as job_name, p.job.facets as parent_job_facets,
               p.root.run.runId as root_run_name, p.root.run.facets as root_run_facets,
               p.root.job.namespace as root_job_namespace, p.root.job.name as root_job_name, p.root.job.facets as root_job_facets
        from (
            select run_id, event_time, digest, key = 'parent' as own, from_json(body, '{
                "run": {"runId": "JSON", "facets": "JSON"}, "job": {"namespace": "JSON", "name": "JSON", "facets": "JSON"},
                "root": {"run": {"runId": "JSON", "facets": "JSON"}, "job": {"namespace": "JSON", "name": "JSON", "facets": "JSON"}}
            }') as p
            from facet where location = 'run' and key in ('parent', 'parentRun') and starts_with(body, '{')
        )
    )
)
select
    run_id as child_run_id, event_time, digest, own,
    parent_text, store.run_uuid(parent_text) as parent_run_id, case when store.is_uuid(parent_text) then null else parent_text end as odd_parent_text,
    store.name_key(parent_namespace, parent_name) as parent_job_key, parent_namespace, parent_name,
    root_text, store.run_uuid(root_text) as root_run_id, case when store.is_uuid(root_text) then null else root_text end as odd_root_text,
    store.name_key(root_namespace, root_name) as root_job_key, root_namespace, root_name,
    parent_run_facets, parent_job_facets, root_run_facets, root_job_facets
from said
where parent_text is not null
qualify row_number() over (partition by digest order by own desc) = 1;

insert into facet
with forwarded as (
    select parent_run_id as run_id, null::uuid as job_key, event_time, digest, 'parent.run' as location, parent_run_facets as facets from parent
    union all select parent_run_id, parent_job_key, event_time, digest, 'parent.job', parent_job_facets from parent
    union all select root_run_id, null, event_time, digest, 'root.run', root_run_facets from parent where root_run_id is not null
    union all select root_run_id, root_job_key, event_time, digest, 'root.job', root_job_facets from parent where root_run_id is not null
),
opened as (
    select * exclude (facets), unnest(map_entries(store.members(from_json(facets, '"MAP(VARCHAR, JSON)"'), facets))) as facet
    from forwarded where json_type(facets) = 'OBJECT'
)
select run_id, job_key, null, event_time, digest, location, 0, facet.key, facet.value::varchar
from opened where facet.value is not null;

-- Statement 6: what could not be used.
create or replace temp table problem as
with container as (
    select digest, event_time, run_id, unnest([
        {path: 'run', want: 'OBJECT', got: types[2], lost: false},
        {path: 'job', want: 'OBJECT', got: types[3], lost: false},
        {path: 'inputs', want: 'ARRAY', got: types[5], lost: false},
        {path: 'outputs', want: 'ARRAY', got: types[6], lost: false},
        {path: 'run.facets', want: 'OBJECT', got: types[14], lost: kind = 'run' and run_facets_lost},
        {path: 'job.facets', want: 'OBJECT', got: types[15], lost: kind <> 'dataset' and job_facets_lost},
        {path: 'dataset.facets', want: 'OBJECT', got: types[16], lost: kind = 'dataset' and dataset_facets_lost}
    ]) as c
    from envelope where reason is null
    union all
    select digest, event_time, run_id, unnest([
        {path: side || '[' || ordinal || ']', want: 'OBJECT', got: types[1], lost: false},
        {path: side || '[' || ordinal || '].namespace', want: 'VARCHAR', got: case when types[1] = 'OBJECT' and namespace is null then coalesce(types[2], 'nothing') else 'VARCHAR' end, lost: false},
        {path: side || '[' || ordinal || '].name', want: 'VARCHAR', got: case when types[1] = 'OBJECT' and name is null then coalesce(types[3], 'nothing') else 'VARCHAR' end, lost: false},
        {path: side || '[' || ordinal || '].facets', want: 'OBJECT', got: types[4], lost: facets_lost},
        {path: side || '[' || ordinal || '].inputFacets', want: 'OBJECT', got: types[5], lost: side = 'inputs' and side_facets_lost},
        {path: side || '[' || ordinal || '].outputFacets', want: 'OBJECT', got: types[6], lost: side = 'outputs' and side_facets_lost}
    ])
    from entry
)
select digest, event_time, run_id, c.path as path,
       case when c.got = c.want then 'an object with distinct keys' when c.want = 'VARCHAR' then 'a text' else 'JSON ' || lower(c.want) end as expected,
       case when c.got = c.want then 'a key twice' else lower(c.got) end as got
from container where c.got is not null and (c.got <> c.want or c.lost)
union all
select digest, event_time, run_id, 'eventTime', 'a time zone', left(time_text, 100)
from envelope where reason is null and not store.has_zone(time_text)
union all
select digest, event_time, run_id, 'eventType', 'START, RUNNING, COMPLETE, ABORT, FAIL or OTHER', left(event_type, 100)
from envelope where reason is null and event_type not in ('START', 'RUNNING', 'COMPLETE', 'ABORT', 'FAIL', 'OTHER')
union all
select digest, event_time, run_id, 'run.runId', 'a UUID', left(run_text, 100)
from envelope where reason is null and odd_run_text is not null
union all
-- A number that JSON does not have, outside of texts; the first look is cheap and the second is exact.
select digest, event_time, run_id, '$', 'JSON without NaN and Infinity', 'NaN or Infinity'
from envelope where reason is null and regexp_matches(body, '[:\[,]\s*[-+]?(?i:nan|inf)')
    and regexp_matches(regexp_replace(body, '"(?:[^"\\]|\\.)*"', '""', 'g'), '(?i:nan|inf)')
union all
select digest, event_time, run_id, '$', 'JSON values', '<<non-serializable'
from envelope where reason is null and contains(body, '<<non-serializable')
union all
select digest, event_time, run_id, location || case when ordinal > 0 then '[' || ordinal || ']' else '' end || '.' || key, 'JSON object', lower(json_type(body))
from facet where not starts_with(body, '{')
union all
select digest, event_time, run_id, location || '[' || ordinal || '].relineage_io.instant', 'a time', left(body ->> '$.instant', 100)
from facet where key = 'relineage_io' and starts_with(body, '{') and location in ('inputFacets', 'outputFacets')
    and (body ->> '$.instant') is not null and store.instant(body ->> '$.instant') is null
union all
select digest, event_time, run_id, location || case when ordinal > 0 then '[' || ordinal || ']' else '' end || '.relineage_content.digests', 'digests, as label:hex', left(told, 100)
from (
    select *, unnest(from_json(json_extract(body, '$.digests'), '["VARCHAR"]')) as told
    from facet where key = 'relineage_content' and starts_with(body, '{') and json_type(body, '/digests') = 'ARRAY'
) where not store.is_digest(told)
union all
select digest, event_time, run_id, location || case when ordinal > 0 then '[' || ordinal || ']' else '' end || '.' || key || '.' || field, 'JSON ' || lower(want), lower(json_type(body, '/' || field))
from facet join (values ('symlinks', 'identifiers', 'ARRAY'), ('relineage_content', 'digests', 'ARRAY'), ('lifecycleStateChange', 'previousIdentifier', 'OBJECT'), ('parent', 'run', 'OBJECT')) as known (key, field, want) using (key)
where starts_with(body, '{') and json_type(body, '/' || field) not in (want, 'NULL');

delete from facet where not starts_with(body, '{');
