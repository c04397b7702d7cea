-- What a bundle of x holds: which runs, what of the others must be told besides, and the events of all of them.
-- The statements up to `add_witnesses` make temporary tables of one cursor, which the others read.

-- name: make_came
-- The runs that x comes from (`upstream`), and those that answers from the cache stand for, since `why` goes on with them (`served`).
-- A run without outputs stands for itself.
create or replace temp table bundled_came as
select run_id, case when min(round) = 0 then 'upstream' else 'served' end as part
from (select writer_run_id::uuid as run_id, start.round as round from store.upstream_from_starts($x, false, true) union all select run_id, 0 from store.resolve($x))
semi join store.run using (run_id) group by run_id;

-- name: make_run
-- Those, the runs of the same processes, since whoever repeats one of them repeats the process (`process`), the runs around
-- them (`parent`), and those directly within them, which verdicts tell of (`within`).
create or replace temp table bundled_run as
with recursive came as materialized (select run_id from bundled_came where part = 'upstream'),
process as materialized (
    select distinct run_id, body ->> '$.process' as process from store.facet
    where key = 'relineage_environment' and location = 'run'
),
together as (
    select run_id from came
    union
    select run_id from bundled_came
    union
    select run_id from process where process in (select process from process semi join came using (run_id))
),
within as (select r.run_id from store.run r semi join bundled_came c on c.run_id = r.parent_run_id),
around(run_id) as (
    select run_id from together
    union
    select run_id from within
    union
    select unnest([r.parent_run_id, r.root_run_id]) from around a join store.run r using (run_id)
)
select a.run_id,
       case when c.part is not null then c.part when a.run_id in (from together) then 'process'
            when a.run_id in (from within) then 'within' else 'parent' end as part,
       p.process
from around a
left join bundled_came c using (run_id)
left join (select run_id, min(process) as process from process group by run_id) p using (run_id)
where a.run_id is not null;

-- name: make_version
-- The versions that those runs read and wrote.
create or replace temp table bundled_version as
select distinct version_key, dataset_key
from (select version_key, dataset_key from store.read semi join bundled_run using (run_id) where holds
      union select version_key, dataset_key from store.write semi join bundled_run using (run_id) where holds)
where version_key is not null;

-- name: make_dataset
-- The datasets that those runs read and wrote, under all their names.
create or replace temp table bundled_dataset as
with named as (
    select dataset_key from store.read semi join bundled_run using (run_id)
    union select dataset_key from store.write semi join bundled_run using (run_id)
),
one as (select coalesce(a.canonical_key, n.dataset_key) as dataset_key from named n left join store.dataset_alias a using (dataset_key))
select dataset_key from named
union
select coalesce(a.dataset_key, o.dataset_key) from one o left join store.dataset_alias a on a.canonical_key = o.dataset_key;

-- name: make_said
-- What is said of those datasets and versions that answers depend upon, and by whom: other names, digests, that a
-- content is not distinctive, that it is a model. Of events without a run, `run_id` is null.
create or replace temp table bundled_said as
with spoken as (
    select run_id, event_digest, dataset_key, location, ordinal, key, body
    from store.facet semi join bundled_dataset using (dataset_key)
    where location in ('inputs', 'outputs', 'dataset')
        and key in ('symlinks', 'lifecycleStateChange', 'version', 'relineage_content', 'relineage_model', 'datasetType')
),
other as (
    select distinct run_id, dataset_key, unnest(store.other_names(key, body)) as name
    from spoken where key in ('symlinks', 'lifecycleStateChange')
),
entry as (
    select run_id, dataset_key,
           any_value(body) filter (where key = 'version') as version,
           any_value(body) filter (where key = 'relineage_content') as content,
           bool_or(key = 'relineage_model' or (key = 'datasetType' and upper(body ->> '$.datasetType') = 'MODEL')) as model
    from spoken group by run_id, event_digest, dataset_key, location, ordinal
),
versioned as (
    select distinct e.run_id, store.version_key(d.namespace, d.name, store.declared_version(e.version, e.content)) as version_key,
           e.content, coalesce(e.model, false) as model
    from entry e join store.dataset d using (dataset_key)
)
select distinct run_id, 'name' as what, least(dataset_key, other_key)::varchar || greatest(dataset_key, other_key)::varchar as said
from (select run_id, dataset_key, store.name_key(name.namespace, name.name) as other_key from other)
where dataset_key <> other_key
union
select run_id, 'digest', version_key::varchar || unnest(store.digests(content)) from versioned semi join bundled_version using (version_key)
union
select run_id, 'common', version_key::varchar from versioned semi join bundled_version using (version_key)
where store.is_distinctive(content) = false
union
select run_id, 'model', version_key::varchar from versioned semi join bundled_version using (version_key) where model;

-- name: add_witnesses
-- Of what only other runs have said, the least of those that did: without it names and contents would not meet.
insert into bundled_run
select distinct min(run_id), 'witness', null::varchar
from bundled_said where run_id is not null
    and (what, said) not in (
        select (what, said) from bundled_said where run_id is null or run_id in (select run_id from bundled_run))
group by what, said;

-- name: runs
-- The runs, each with why it is there.
select run_id::varchar, part from bundled_run order by run_id;

-- name: events
-- The events of those runs, and those without a run that speak of their jobs or datasets; each once, with the row in
-- which it is and the bytes that it has.
with wanted as (
    select event_digest from store.event semi join bundled_run using (run_id)
    union
    select event_digest from store.event
    where run_id is null and job_key in (select job_key from store.run semi join bundled_run using (run_id))
    union
    select event_digest from store.facet semi join bundled_dataset using (dataset_key) where run_id is null
),
delivered as (
    select event_digest, min(rowid) as place from store.event semi join wanted using (event_digest) group by event_digest
)
select e.rowid as place, strlen(e.body) as size
from store.event e join delivered d on d.place = e.rowid
order by e.event_time, e.event_digest;

-- name: bodies
-- Some of them, in their order.
select event_digest::varchar as event_digest, event_time, body
from store.event where rowid in (select unnest($places::bigint[]))
order by event_time, event_digest;

-- name: details
-- The objects beside the events that hold what did not fit into them.
select distinct body ->> '$.details' as digest
from store.facet semi join bundled_run using (run_id)
where starts_with(key, 'relineage_') and contains(body, '"details"') and body ->> '$.details' is not null
order by digest;

-- name: code
-- The code of the runs that may be repeated, and of those that computed what others were served with, with the folder of its work tree on the machine where they ran.
select r.run_id::varchar as run_id, any_value(u.job_name) as job_name,
       any_value(e.snapshot) as snapshot, any_value(e.commit) as commit, any_value(e.dirty) as dirty, any_value(e.root) as root
from bundled_run r
left join (select run_id, snapshot, commit, dirty, root from environments
           where run_id in (select run_id::varchar from bundled_run)) e on e.run_id = r.run_id::varchar
left join runs u on u.run_id = r.run_id::varchar
where r.part in ('upstream', 'process', 'served')
group by r.run_id order by r.run_id;

-- name: contents
-- What those runs read that their own process had not written, and what the runs wrote that made x, each output as a
-- whole: each version with its digests and the paths under which it is known.
with made_by as materialized (select writer_run_id as run_id from store.target($x)),
part as materialized (from store.parts_written('made_by')),
reading as (
    select r.run_id, r.dataset_key, r.version_key, r.role, r.read_at, 0 as depth
    from store.read r join bundled_run b on b.run_id = r.run_id and b.part in ('upstream', 'process') where r.holds
),
link as materialized (from store.links_around('reading')),
linked_run as materialized (from store.linked_runs('link')),
wanted as (
    select 'input' as what, b.dataset_key, coalesce(b.version_key, b.bound_version_key) as version_key
    from store.bind('reading', 'link', 'linked_run') b
    left join bundled_run reader on reader.run_id = b.run_id
    left join bundled_run writer on writer.run_id = b.writer_run_id
    where b.writer_run_id is null or writer.process is null or writer.process is distinct from reader.process
    union
    select 'output', w.dataset_key, w.version_key
    from store.write w semi join made_by using (run_id)
    anti join part p on p.run_id = w.run_id and p.dataset_key = w.dataset_key and p.role = w.role
    where w.holds
),
digest as (
    select version_key, list(digest order by store.digest_rank(digest), digest) as digests
    from store.version_digest semi join wanted using (version_key) group by version_key
),
path as (
    select w.dataset_key, list(distinct p.name order by p.name) as paths
    from wanted w
    left join store.dataset_alias a on a.dataset_key = w.dataset_key
    left join store.dataset_alias o on o.canonical_key = a.canonical_key
    join store.dataset p on p.dataset_key = coalesce(o.dataset_key, w.dataset_key) and p.namespace = 'file'
    group by w.dataset_key
)
select min(w.what) as what, d.namespace, d.name, v.version, any_value(coalesce(g.digests, [])) as digests,
       any_value(coalesce(p.paths, [])) as paths
from wanted w
join store.dataset d on d.dataset_key = w.dataset_key
left join store.version v on v.version_key = w.version_key
left join digest g on g.version_key = w.version_key
left join path p on p.dataset_key = w.dataset_key
group by d.namespace, d.name, v.version
order by d.namespace, d.name, v.version;

-- name: latest_write
-- The version that a dataset without one stands for, under the name that stands for all of its names.
select d.namespace, d.name, v.version
from store.target($x) t
left join store.dataset_alias a on a.dataset_key = t.dataset_key
join store.dataset d on d.dataset_key = coalesce(a.canonical_key, t.dataset_key)
left join store.version v on v.version_key = t.version_key
where t.writer_run_id is not null;

-- name: told_otherwise
-- Runs of which the files of two folders tell events each that the other has not: who has less of a run has a part of it.
with said as (
    select distinct run_id, regexp_replace(source, '/[^/]*$', '') as folder, event_digest from store.event where run_id is not null
),
alone as (
    select run_id, any_value(folder) as folder
    from said semi join (select run_id from said group by run_id having count(distinct folder) > 1) using (run_id)
    group by run_id, event_digest having count(*) = 1
)
select run_id::varchar from alone group by run_id having count(distinct folder) > 1 order by run_id;
