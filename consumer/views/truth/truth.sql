-- What each hot table must hold, as a view over the cold ones: views `truth.X` for tables `store.X`. A test compares
-- them after every batch, and `rebuild` is "delete, insert from the view". Written to be read, not to be fast.

create schema if not exists truth;

-- Each event once.
create or replace view truth.event as
select event_digest, any_value(event_time) as event_time, any_value(event_type) as event_type,
       any_value(run_id) as run_id, any_value(job_key) as job_key, any_value(body) as body
from store.event group by event_digest;

-- Each facet once.
create or replace view truth.facet as
select distinct run_id, job_key, dataset_key, event_time, event_digest, location, ordinal, key, body,
       store.location_rank(location) as rank
from store.facet;

-- Each dataset that an event names as input, output or its subject, with what is said of it there.
create or replace view truth.mention as
with listed as (
    select event_digest, event_time, run_id, 'inputs' as side, unnest(inputs) as entry, generate_subscripts(inputs, 1) as ordinal
    from (select *, case when json_type(body, '/inputs') = 'ARRAY' then from_json(json_extract(body, '$.inputs'), '["JSON"]') else [] end as inputs
          from truth.event where run_id is not null or job_key is not null)
    union all
    select event_digest, event_time, run_id, 'outputs', unnest(outputs), generate_subscripts(outputs, 1)
    from (select *, case when json_type(body, '/outputs') = 'ARRAY' then from_json(json_extract(body, '$.outputs'), '["JSON"]') else [] end as outputs
          from truth.event where run_id is not null or job_key is not null)
    union all
    select event_digest, event_time, null, 'dataset', json_extract(body, '$.dataset'), 0
    from truth.event where run_id is null and job_key is null
),
named as (
    select event_digest, event_time, run_id, side, ordinal,
           case when json_type(entry, '/namespace') in ('OBJECT', 'ARRAY') then null else entry ->> '$.namespace' end as namespace,
           case when json_type(entry, '/name') in ('OBJECT', 'ARRAY') then null else entry ->> '$.name' end as name
    from listed where json_type(entry) = 'OBJECT'
),
said as (
    select event_digest, location, ordinal,
           any_value(body) filter (where key = 'version') as version_body,
           any_value(body) filter (where key = 'relineage_content') as content_body,
           any_value(body) filter (where key = 'relineage_io') as io_body
    from truth.facet where location in ('inputs', 'outputs', 'dataset', 'inputFacets', 'outputFacets') group by all
)
select n.event_digest, n.event_time, n.run_id, n.side, n.ordinal, n.namespace, n.name,
       store.name_key(n.namespace, n.name) as dataset_key,
       store.declared_version(d.version_body, d.content_body) as version,
       store.version_key(n.namespace, n.name, store.declared_version(d.version_body, d.content_body)) as version_key,
       d.content_body as content, s.io_body as io
from named n
left join said d on d.event_digest = n.event_digest and d.location = n.side and d.ordinal = n.ordinal
left join said s on s.event_digest = n.event_digest and s.ordinal = n.ordinal
    and s.location = case n.side when 'inputs' then 'inputFacets' when 'outputs' then 'outputFacets' end
where n.namespace is not null and n.name is not null;

-- What runs say of their parent; older producers called the facet parentRun.
create or replace view truth.parent as
select run_id, event_time, event_digest,
       store.text_at(body, '/run/runId') as parent_text, store.run_uuid(store.text_at(body, '/run/runId')) as parent_run_id,
       store.text_at(body, '/job/namespace') as parent_namespace, store.text_at(body, '/job/name') as parent_name,
       store.text_at(body, '/root/run/runId') as root_text, store.run_uuid(store.text_at(body, '/root/run/runId')) as root_run_id,
       store.text_at(body, '/root/job/namespace') as root_namespace, store.text_at(body, '/root/job/name') as root_name
from truth.facet
where location = 'run' and key in ('parent', 'parentRun') and store.text_at(body, '/run/runId') is not null
qualify row_number() over (partition by event_digest order by key) = 1;

create or replace view truth.job as
select store.name_key(body ->> '$.job.namespace', body ->> '$.job.name') as job_key,
       body ->> '$.job.namespace' as namespace, body ->> '$.job.name' as name
from truth.event where job_key is not null
union
select store.name_key(parent_namespace, parent_name), parent_namespace, parent_name
from truth.parent where parent_namespace is not null and parent_name is not null
union
select store.name_key(root_namespace, root_name), root_namespace, root_name
from truth.parent where root_run_id is not null and root_namespace is not null and root_name is not null;

create or replace view truth.run as
with said_of as (
    -- Who named which run as of which job: its own events first, then children's parent facets, then their root.
    select run_id, body ->> '$.run.runId' as text, job_key, {rank: 2::tinyint, time: event_time, event: event_digest} as seq
    from truth.event where run_id is not null
    union all
    select parent_run_id, parent_text, store.name_key(parent_namespace, parent_name), {rank: 1::tinyint, time: event_time, event: event_digest}
    from truth.parent
    union all
    select root_run_id, root_text, store.name_key(root_namespace, root_name), {rank: 0::tinyint, time: event_time, event: event_digest}
    from truth.parent where root_run_id is not null
),
named as (
    select run_id, min(text) filter (where not store.is_uuid(text)) as run_text,
           arg_max(job_key, seq) as job_key, max(seq) filter (where job_key is not null) as job_seq,
           min(job_key) filter (where seq.rank = 2) as least_job_key, max(job_key) filter (where seq.rank = 2) as greatest_job_key
    from said_of group by run_id
),
lived as (
    select run_id, min(event_time) as first_at,
           min(event_time) filter (where event_type = 'START') as first_start_at,
           max(event_time) filter (where event_type = 'START') as start_at,
           max(event_time) filter (where event_type = 'RUNNING') as running_at,
           max(event_time) filter (where event_type = 'COMPLETE') as complete_at,
           max(event_time) filter (where event_type = 'FAIL') as fail_at,
           max(event_time) filter (where event_type = 'ABORT') as abort_at
    from truth.event where run_id is not null group by run_id
),
parented as (
    select run_id, parent_run_id, root_run_id, {rank: 2::tinyint, time: event_time, event: event_digest} as parent_seq
    from truth.parent
    qualify row_number() over (partition by run_id order by event_time desc, event_digest desc) = 1
),
latest as (
    select run_id, key, body, {rank: rank, time: event_time, event: event_digest} as seq
    from truth.facet
    where rank is not null and run_id is not null and key in ('relineage_step', 'relineage_seeds', 'jobType')
    qualify row_number() over (partition by run_id, key order by rank desc, event_time desc, event_digest desc) = 1
)
select n.*, l.* exclude (run_id), p.* exclude (run_id),
       store.step(step.body).task as task, store.step(step.body).recipe as recipe, store.step(step.body).outcome as outcome,
       case when step.body is not null then store.step(step.body).asked end as asked,
       store.step(step.body).served_from as served_from,
       step.seq as step_seq,
       store.given(seeds.body) as given, store.seeds(seeds.body).chance as chance,
       case when seeds.body is not null then store.seeds(seeds.body).unfixed end as unfixed, seeds.seq as seeds_seq,
       store.is_streaming(type.body) as streaming, type.seq as type_seq
from named n
left join lived l using (run_id)
left join parented p using (run_id)
left join latest step on step.run_id = n.run_id and step.key = 'relineage_step'
left join latest seeds on seeds.run_id = n.run_id and seeds.key = 'relineage_seeds'
left join latest type on type.run_id = n.run_id and type.key = 'jobType';

-- Symlinks and renames: pairs of names that are one dataset.
create or replace view truth.alias as
with told as (
    select distinct dataset_key, unnest(store.other_names(key, body)) as other
    from truth.facet where key in ('symlinks', 'lifecycleStateChange') and dataset_key is not null
)
select dataset_key, store.name_key(other.namespace, other.name) as other_key, other.namespace, other.name from told;

create or replace view truth.dataset as
select dataset_key, namespace, name from truth.mention
union
select other_key, namespace, name from truth.alias;

create or replace view truth.dataset_alias as
with recursive edge as (
    select dataset_key as one, other_key as two from truth.alias where dataset_key <> other_key
    union select other_key, dataset_key from truth.alias where dataset_key <> other_key
),
reached(one, two) as (
    select one, one from edge union select r.one, e.two from reached r join edge e on e.one = r.two
)
select one as dataset_key, min(two) as canonical_key from reached group by one;

create or replace view truth.version as
select version_key, any_value(dataset_key) as dataset_key, any_value(version) as version,
       bool_and(store.is_distinctive(content)) as distinctive
from truth.mention where version_key is not null group by version_key;

create or replace view truth.version_digest as
with told as (select distinct version_key, unnest(store.digests(content)) as digest from truth.mention where version_key is not null)
select version_key, digest, ('0x' || substr(split_part(digest, ':', 2), 1, 16))::ubigint as digest_prefix,
       count(*) over (partition by digest) > 1 as shared
from told;

-- Rule R5.
create or replace view truth.access as
with said as (
    select side, run_id, dataset_key, version_key, event_time, {time: event_time, event: event_digest} as seq, io is not null as exact,
           case when io is null then '' else coalesce(io ->> '$.role', '') end as role,
           case when io is null then 'declared' else coalesce(try_cast(io ->> '$.origin' as store.origin), 'declared') end::store.origin as origin,
           case when io is null then event_time else coalesce(store.instant(io ->> '$.instant'), event_time) end as instant
    from truth.mention where run_id is not null
),
exact_said as (
    select side, run_id, dataset_key, version_key, role, min(origin) as origin, true as exact,
           min(instant) as first_at, max(instant) as last_at, null as first_declared, null as last_declared,
           true as in_first, true as in_last
    from said where exact group by all
),
loose as (
    select * from said where not exact and (side, run_id, dataset_key) not in (select (side, run_id, dataset_key) from exact_said)
),
whole as (
    select side, run_id, dataset_key, min(event_time) as first_at, max(event_time) as last_at,
           min(seq) filter (where version_key is not null) as first_declared,
           max(seq) filter (where version_key is not null) as last_declared
    from loose group by all
),
loose_said as (
    select w.side, w.run_id, w.dataset_key, l.version_key, '' as role, 'declared'::store.origin as origin, false as exact,
           w.first_at, w.last_at, w.first_declared, w.last_declared,
           coalesce(bool_or(l.seq = w.first_declared), false) as in_first, coalesce(bool_or(l.seq = w.last_declared), false) as in_last
    from whole w
    left join loose l on l.side = w.side and l.run_id = w.run_id and l.dataset_key = w.dataset_key
        and l.version_key is not null and l.seq in (w.first_declared, w.last_declared)
    group by all
)
select a.*, coalesce(r.streaming, false) as streaming
from (from exact_said union all by name from loose_said) a join truth.run r using (run_id);

create or replace view truth.read as
select * exclude (side, streaming),
       exact or version_key is null or case when streaming then in_last else in_first end as holds,
       case when streaming then last_at else first_at end as read_at
from truth.access where side = 'inputs';

create or replace view truth.write as
select * exclude (side, streaming),
       exact or version_key is null or case when streaming then in_first else in_last end as holds,
       case when streaming then first_at else last_at end as written_at
from truth.access where side = 'outputs';

create or replace view truth.inferred_read as
with reading as (
    select r.run_id, r.dataset_key, r.role, r.read_at, coalesce(a.canonical_key, r.dataset_key) as canonical_key
    from store.read r left join store.dataset_alias a using (dataset_key)
    where r.holds and r.version_key is null
)
select run_id, dataset_key, role, read_at, writer_run_id, version_key from store.infer('reading');

-- What the views say of themselves.
comment on view truth.access is 'Reads and writes by rule R5.';
comment on column truth.access.side is 'inputs, outputs or dataset.';
comment on column truth.access.run_id is 'The run.';
comment on column truth.access.dataset_key is 'The dataset, as named.';
comment on column truth.access.version_key is 'The declared version; null for none.';
comment on column truth.access.role is 'What the run used it as; empty when not said.';
comment on column truth.access.origin is 'declared, observed, or forwarded from an inner run.';
comment on column truth.access.exact is 'Whether a relineage_io facet says it; such rows displace the others of the same run and dataset.';
comment on column truth.access.first_at is 'Earliest instant.';
comment on column truth.access.last_at is 'Latest instant.';
comment on column truth.access.first_declared is 'The earliest event that declares a version.';
comment on column truth.access.last_declared is 'The latest event that declares a version.';
comment on column truth.access.in_first is 'Whether the earliest declaring event declares this version.';
comment on column truth.access.in_last is 'Whether the latest declaring event declares this version.';
comment on column truth.access.streaming is 'Whether the run is a streaming run.';
comment on view truth.alias is 'Pairs of names that are one dataset.';
comment on column truth.alias.dataset_key is 'The dataset.';
comment on column truth.alias.other_key is 'The other name''s key.';
comment on column truth.alias.namespace is 'Namespace.';
comment on column truth.alias.name is 'Name.';
comment on view truth.dataset is 'What store.dataset must hold.';
comment on column truth.dataset.dataset_key is 'md5 of the framed namespace and name.';
comment on column truth.dataset.namespace is 'Namespace.';
comment on column truth.dataset.name is 'Name.';
comment on view truth.dataset_alias is 'What store.dataset_alias must hold.';
comment on column truth.dataset_alias.dataset_key is 'A dataset.';
comment on column truth.dataset_alias.canonical_key is 'Least key of the datasets that are one with it.';
comment on view truth.event is 'Each event once.';
comment on column truth.event.event_digest is 'First 128 bits of SHA-256 of the message''s bytes: what makes two deliveries one event.';
comment on column truth.event.event_time is 'eventTime in UTC.';
comment on column truth.event.event_type is 'eventType as sent; null for job and dataset events.';
comment on column truth.event.run_id is 'The run; null for job and dataset events.';
comment on column truth.event.job_key is 'The job; null for dataset events.';
comment on column truth.event.body is 'The message as it came.';
comment on view truth.facet is 'Each facet once.';
comment on column truth.facet.run_id is 'The run that said it; for forwarded facets the run they speak of.';
comment on column truth.facet.job_key is 'The job, for job facets.';
comment on column truth.facet.dataset_key is 'The dataset, for facets of datasets, inputs and outputs.';
comment on column truth.facet.event_time is 'eventTime of the event, UTC.';
comment on column truth.facet.event_digest is 'The event.';
comment on column truth.facet.location is 'Where in the event: run, job, inputs, inputFacets, outputs, outputFacets, dataset, or parent.run, parent.job, root.run, root.job for forwarded ones.';
comment on column truth.facet.ordinal is 'Position of the input or output in its list, from 1; else 0.';
comment on column truth.facet.key is 'The facet''s key.';
comment on column truth.facet.body is 'The facet, JSON.';
comment on column truth.facet.rank is '2 own, 1 forwarded by a child, 0 forwarded by a child of a child.';
comment on view truth.inferred_read is 'What store.inferred_read must hold.';
comment on column truth.inferred_read.run_id is 'The reading run.';
comment on column truth.inferred_read.dataset_key is 'The dataset, as the reader named it.';
comment on column truth.inferred_read.role is 'As in read.';
comment on column truth.inferred_read.read_at is 'As in read.';
comment on column truth.inferred_read.writer_run_id is 'The run whose write it is taken to have seen.';
comment on column truth.inferred_read.version_key is 'The version that was written, if it had one.';
comment on view truth.job is 'What store.job must hold.';
comment on column truth.job.job_key is 'md5 of the framed namespace and name.';
comment on column truth.job.namespace is 'Namespace.';
comment on column truth.job.name is 'Name.';
comment on view truth.mention is 'Each dataset that an event names as input, output or its subject, with what is said of it there.';
comment on column truth.mention.event_digest is 'The event.';
comment on column truth.mention.event_time is 'eventTime in UTC.';
comment on column truth.mention.run_id is 'The run.';
comment on column truth.mention.side is 'inputs, outputs or dataset.';
comment on column truth.mention.ordinal is 'Position of the input or output in its list; else 0.';
comment on column truth.mention.namespace is 'Namespace.';
comment on column truth.mention.name is 'Name.';
comment on column truth.mention.dataset_key is 'The dataset.';
comment on column truth.mention.version is 'The version that is declared.';
comment on column truth.mention.version_key is 'Its key.';
comment on column truth.mention.content is 'The relineage_content facet.';
comment on column truth.mention.io is 'The relineage_io facet.';
comment on view truth.parent is 'What runs say of their parent.';
comment on column truth.parent.run_id is 'The run.';
comment on column truth.parent.event_time is 'eventTime in UTC.';
comment on column truth.parent.event_digest is 'The event.';
comment on column truth.parent.parent_text is 'The parent''s runId as sent.';
comment on column truth.parent.parent_run_id is 'The parent.';
comment on column truth.parent.parent_namespace is 'Namespace of the parent''s job.';
comment on column truth.parent.parent_name is 'Name of the parent''s job.';
comment on column truth.parent.root_text is 'The root''s runId as sent.';
comment on column truth.parent.root_run_id is 'The root.';
comment on column truth.parent.root_namespace is 'Namespace of the root''s job.';
comment on column truth.parent.root_name is 'Name of the root''s job.';
comment on view truth.read is 'What store.read must hold.';
comment on column truth.read.run_id is 'The run.';
comment on column truth.read.dataset_key is 'The dataset, as named.';
comment on column truth.read.version_key is 'The declared version; null for none.';
comment on column truth.read.role is 'What the run used it as; empty when not said.';
comment on column truth.read.origin is 'declared, observed, or forwarded from an inner run.';
comment on column truth.read.exact is 'Whether a relineage_io facet says it; such rows displace the others of the same run and dataset.';
comment on column truth.read.first_at is 'Earliest instant.';
comment on column truth.read.last_at is 'Latest instant.';
comment on column truth.read.first_declared is 'The earliest event that declares a version.';
comment on column truth.read.last_declared is 'The latest event that declares a version.';
comment on column truth.read.in_first is 'Whether the earliest declaring event declares this version.';
comment on column truth.read.in_last is 'Whether the latest declaring event declares this version.';
comment on column truth.read.holds is 'Whether this version is the one that counts: that of the earliest declaring event; in a streaming run of the latest.';
comment on column truth.read.read_at is 'first_at; last_at in a streaming run.';
comment on view truth.run is 'What store.run must hold.';
comment on column truth.run.run_id is 'runId as a UUID; made from the text''s hash where it is none.';
comment on column truth.run.run_text is 'runId as sent, where it is no UUID.';
comment on column truth.run.job_key is 'The job it was last said to be of.';
comment on column truth.run.job_seq is 'When that was said.';
comment on column truth.run.least_job_key is 'With greatest_job_key: they differ when a run was said to be of several jobs.';
comment on column truth.run.greatest_job_key is 'See least_job_key.';
comment on column truth.run.first_at is 'Least event time.';
comment on column truth.run.first_start_at is 'Least time of a START.';
comment on column truth.run.start_at is 'Greatest time of a START.';
comment on column truth.run.running_at is 'Greatest time of a RUNNING.';
comment on column truth.run.complete_at is 'Greatest time of a COMPLETE.';
comment on column truth.run.fail_at is 'Greatest time of a FAIL.';
comment on column truth.run.abort_at is 'Greatest time of an ABORT.';
comment on column truth.run.parent_run_id is 'The parent, from the latest parent facet.';
comment on column truth.run.root_run_id is 'The root that the same facet declares, if any; the view runs resolves it.';
comment on column truth.run.parent_seq is 'When that was said.';
comment on column truth.run.task is 'Digest of what was asked for.';
comment on column truth.run.recipe is 'Digest of the task and the given seeds.';
comment on column truth.run.outcome is 'Digest of what came out.';
comment on column truth.run.asked is 'md5 of its operation, code and parameters.';
comment on column truth.run.served_from is 'The run whose outputs were handed out.';
comment on column truth.run.step_seq is 'When these three were said.';
comment on column truth.run.given is 'Whether the seed was given, not drawn.';
comment on column truth.run.chance is 'md5 of its entropy.';
comment on column truth.run.unfixed is 'Whether it used chance that no seed fixes.';
comment on column truth.run.seeds_seq is 'When that was said.';
comment on column truth.run.streaming is 'Whether the latest jobType says STREAMING.';
comment on column truth.run.type_seq is 'When that was said.';
comment on view truth.version is 'What store.version must hold.';
comment on column truth.version.version_key is 'md5 of the framed namespace, name and version.';
comment on column truth.version.dataset_key is 'The dataset.';
comment on column truth.version.version is 'The version''s text.';
comment on column truth.version.distinctive is 'False when somebody says that its content collides trivially; null when nobody speaks of its content.';
comment on view truth.version_digest is 'What store.version_digest must hold.';
comment on column truth.version_digest.version_key is 'The version.';
comment on column truth.version_digest.digest is 'label:hex.';
comment on column truth.version_digest.digest_prefix is 'The first 16 hex digits as a number, for prefix search.';
comment on column truth.version_digest.shared is 'Whether another version has the digest too: kept, because finding it out would cost each question a pass over the table.';
comment on view truth.write is 'What store.write must hold.';
comment on column truth.write.run_id is 'The run.';
comment on column truth.write.dataset_key is 'The dataset, as named.';
comment on column truth.write.version_key is 'The declared version; null for none.';
comment on column truth.write.role is 'What the run made it as; empty when not said.';
comment on column truth.write.origin is 'declared, observed, or forwarded from an inner run.';
comment on column truth.write.exact is 'Whether a relineage_io facet says it; such rows displace the others of the same run and dataset.';
comment on column truth.write.first_at is 'Earliest instant.';
comment on column truth.write.last_at is 'Latest instant.';
comment on column truth.write.first_declared is 'The earliest event that declares a version.';
comment on column truth.write.last_declared is 'The latest event that declares a version.';
comment on column truth.write.in_first is 'Whether the earliest declaring event declares this version.';
comment on column truth.write.in_last is 'Whether the latest declaring event declares this version.';
comment on column truth.write.holds is 'Whether this version is the one that counts: that of the latest declaring event; in a streaming run of the earliest.';
comment on column truth.write.written_at is 'last_at; first_at in a streaming run.';
