-- The staged rows of a batch (parse.sql) go into the store: facts are appended, the hot tables are merged. Every
-- merge is associative, commutative and idempotent, so the result is a function of the set of events; views/truth/
-- says which. Also reads the relations `letter` (messages that never reached the parser) and `moved` (offsets).

-- Facts -----------------------------------------------------------------------------------------------------
insert into store.event
select source, topic, partition, "offset", digest, event_time, event_type, run_id, job_key, get_current_timestamp() at time zone 'UTC', body
from envelope where reason is null
order by run_id;

insert into store.facet
select run_id, job_key, dataset_key, event_time, digest, location, ordinal, key, body from facet
order by run_id, dataset_key;

insert into store.event_problem
select digest, event_time, run_id, path, expected, got from problem;

insert into store.dead_letter
select source, topic, partition, "offset", digest::uuid, get_current_timestamp() at time zone 'UTC', reason, body
from (select source, topic, partition, "offset", digest, reason, encode(coalesce(marked_body, body)) as body from envelope where reason is not null
      union all by name from letter);

-- Names -----------------------------------------------------------------------------------------------------
-- The other names of datasets that symlinks and renames tell.
create or replace temp table alias_edge as
with told as (
    select distinct dataset_key, unnest(store.other_names(key, body)) as other
    from facet where key in ('symlinks', 'lifecycleStateChange') and dataset_key is not null
)
select dataset_key, other.namespace as namespace, other.name as name,
       store.name_key(other.namespace, other.name) as other_key
from told;

create or replace temp table named as
select 'job' as kind, job_key as key, job_namespace as namespace, job_name as name from envelope where reason is null and job_key is not null
union select 'job', parent_job_key, parent_namespace, parent_name from parent where parent_job_key is not null
union select 'job', root_job_key, root_namespace, root_name from parent where root_run_id is not null and root_job_key is not null
union select 'dataset', dataset_key, namespace, name from entry where dataset_key is not null
union select 'dataset', store.name_key(dataset_namespace, dataset_name), dataset_namespace, dataset_name
from envelope where reason is null and kind = 'dataset'
union select 'dataset', other_key, namespace, name from alias_edge;

insert into store.job
select key, namespace, name from named anti join store.job on job_key = key where kind = 'job';

insert into store.dataset
select key, namespace, name from named anti join store.dataset on dataset_key = key where kind = 'dataset';

-- Two texts on one key (somebody made an MD5 collision): refused, and the message that brings the second one becomes
-- a dead letter, see Store.ingest.
with known as (
    select 'job' as kind, job_key as key, namespace, name from store.job
    union all select 'dataset', dataset_key, namespace, name from store.dataset
)
select error('two names share the key ' || key::varchar || ': ' || n.namespace || '/' || n.name || ' and ' || k.namespace || '/' || k.name)
from named n join known k using (kind, key) where (n.namespace, n.name) <> (k.namespace, k.name);

-- The components that the batch's edges touch, by their present canonical keys, and which of them become one:
-- the least label spreads along the edges until nothing changes.
create or replace temp table alias_label as
with recursive pair as (
    select coalesce(a.canonical_key, e.dataset_key) as one, coalesce(b.canonical_key, e.other_key) as two
    from alias_edge e
    left join store.dataset_alias a on a.dataset_key = e.dataset_key
    left join store.dataset_alias b on b.dataset_key = e.other_key
    where e.dataset_key <> e.other_key
),
edge as (select one, two from pair union select two, one from pair),
label(key, least) using key (key) as (
    select one, least(one, min(two)) from edge group by one
    union
    select e.one, min(l.least)
    from label l join edge e on e.two = l.key join recurring.label known on known.key = e.one
    where l.least < known.least
    group by e.one
)
select key, least from label;

create or replace temp table alias_member as
select m.dataset_key, l.least as canonical_key
from (
    select dataset_key, canonical_key from store.dataset_alias semi join alias_label on key = canonical_key
    union
    select key, key from alias_label
) m join alias_label l on l.key = m.canonical_key;

-- Components that are the same as before are left alone.
create or replace temp table alias_changed as
select dataset_key, canonical_key from alias_member
where canonical_key in (
    select canonical_key from alias_member anti join store.dataset_alias using (dataset_key, canonical_key)
);

delete from store.dataset_alias where dataset_key in (select dataset_key from alias_changed);
insert into store.dataset_alias select dataset_key, canonical_key from alias_changed;

-- Versions --------------------------------------------------------------------------------------------------
create or replace temp table declared as
with said as (
    select side, ordinal, digest, event_time, run_id, dataset_key, namespace, name,
           store.said(facets, 'version') as version, store.said(facets, 'relineage_content') as content,
           store.said(side_facets, 'relineage_io') as io
    from entry where dataset_key is not null
    union all
    select 'dataset', 0, digest, event_time, null, store.name_key(dataset_namespace, dataset_name), dataset_namespace, dataset_name,
           store.said(dataset_facets, 'version'), store.said(dataset_facets, 'relineage_content'), null
    from envelope where reason is null and kind = 'dataset'
)
select side, digest, event_time, run_id, dataset_key, io,
       store.declared_version(version, content) as version,
       store.version_key(namespace, name, store.declared_version(version, content)) as version_key,
       case when version is null and content is null then null else store.digests(content) end as digests,
       case when content is null then null else store.is_distinctive(content) end as distinctive
from said;

merge into store.version t
using (
    select version_key, any_value(dataset_key) as dataset_key, any_value(version) as version, bool_and(distinctive) as distinctive
    from declared where version_key is not null group by version_key
) s on t.version_key = s.version_key
when matched and s.distinctive is not null and (t.distinctive is null or (t.distinctive and not s.distinctive)) then
    update set distinctive = s.distinctive
when not matched then insert (version_key, dataset_key, version, distinctive) values (s.version_key, s.dataset_key, s.version, s.distinctive);

create or replace temp table digest_told as
with told as (
    select distinct version_key, unnest(digests) as digest from declared where version_key is not null
)
select version_key, digest, ('0x' || substr(split_part(digest, ':', 2), 1, 16))::ubigint as digest_prefix
from told anti join store.version_digest using (version_key, digest);

create or replace temp table digest_shared as
select digest_prefix, digest
from (from digest_told union all
      select version_key, digest, digest_prefix from store.version_digest semi join digest_told using (digest_prefix, digest))
group by all having count(*) > 1;

update store.version_digest set shared = true
where not shared and (digest_prefix, digest) in (select (digest_prefix, digest) from digest_shared);

insert into store.version_digest
select version_key, digest, digest_prefix, (digest_prefix, digest) in (select (digest_prefix, digest) from digest_shared) from digest_told;

-- Runs ------------------------------------------------------------------------------------------------------
-- What the batch says of each run: own events, and what others' parent facets say of it.
create or replace temp table run_said as
with contribution as (
    select run_id, odd_run_text as run_text,
           job_key, {rank: 2::tinyint, time: event_time, event: digest} as job_seq,
           event_time as first_at, event_time as moment, event_type
    from envelope where reason is null and kind = 'run'
    union all by name
    select parent_run_id as run_id, odd_parent_text as run_text,
           parent_job_key as job_key, {rank: 1::tinyint, time: event_time, event: digest} as job_seq from parent
    union all by name
    select root_run_id as run_id, odd_root_text as run_text,
           root_job_key as job_key, {rank: 0::tinyint, time: event_time, event: digest} as job_seq from parent where root_run_id is not null
    union all by name
    select child_run_id as run_id, parent_run_id, root_run_id, {rank: 2::tinyint, time: event_time, event: digest} as parent_seq
    from parent
    union all by name
    select run_id, {rank: store.location_rank(location), time: event_time, event: digest} as step_seq, store.step(body) as step
    from facet where key = 'relineage_step' and store.location_rank(location) is not null
    union all by name
    select run_id, {rank: store.location_rank(location), time: event_time, event: digest} as seeds_seq, store.seeds(body) as seeds
    from facet where key = 'relineage_seeds' and store.location_rank(location) is not null
    union all by name
    select run_id, {rank: store.location_rank(location), time: event_time, event: digest} as type_seq, store.is_streaming(body) as streaming
    from facet where key = 'jobType' and run_id is not null and store.location_rank(location) is not null
)
select
    run_id,
    min(run_text) as run_text,
    arg_max(job_key, job_seq) as job_key,
    max(job_seq) filter (where job_key is not null) as job_seq,
    min(job_key) filter (where job_seq.rank = 2) as least_job_key,
    max(job_key) filter (where job_seq.rank = 2) as greatest_job_key,
    min(first_at) as first_at,
    min(moment) filter (where event_type = 'START') as first_start_at,
    max(moment) filter (where event_type = 'START') as start_at,
    max(moment) filter (where event_type = 'RUNNING') as running_at,
    max(moment) filter (where event_type = 'COMPLETE') as complete_at,
    max(moment) filter (where event_type = 'FAIL') as fail_at,
    max(moment) filter (where event_type = 'ABORT') as abort_at,
    arg_max({it: parent_run_id}, parent_seq).it as parent_run_id,
    arg_max({it: root_run_id}, parent_seq).it as root_run_id,
    max(parent_seq) as parent_seq,
    arg_max(step, step_seq).task as task,
    arg_max(step, step_seq).recipe as recipe,
    arg_max(step, step_seq).outcome as outcome,
    arg_max(step, step_seq).asked as asked,
    arg_max(step, step_seq).served_from as served_from,
    max(step_seq) as step_seq,
    arg_max({it: seeds}, seeds_seq).it.given as given,
    arg_max({it: seeds}, seeds_seq).it.chance as chance,
    arg_max({it: seeds}, seeds_seq).it.unfixed as unfixed,
    max(seeds_seq) as seeds_seq,
    arg_max({it: streaming}, type_seq).it as streaming,
    max(type_seq) as type_seq
from contribution
group by run_id;

create or replace temp table run_before as
select run_id, streaming from store.run semi join run_said using (run_id);

merge into store.run t using run_said s on t.run_id = s.run_id
when matched then update set
    run_text = least(t.run_text, s.run_text),
    job_key = case when t.job_seq is null or s.job_seq > t.job_seq then coalesce(s.job_key, t.job_key) else t.job_key end,
    job_seq = greatest(t.job_seq, s.job_seq),
    least_job_key = least(t.least_job_key, s.least_job_key),
    greatest_job_key = greatest(t.greatest_job_key, s.greatest_job_key),
    first_at = least(t.first_at, s.first_at),
    first_start_at = least(t.first_start_at, s.first_start_at),
    start_at = greatest(t.start_at, s.start_at),
    running_at = greatest(t.running_at, s.running_at),
    complete_at = greatest(t.complete_at, s.complete_at),
    fail_at = greatest(t.fail_at, s.fail_at),
    abort_at = greatest(t.abort_at, s.abort_at),
    parent_run_id = case when coalesce(s.parent_seq > t.parent_seq, s.parent_seq is not null) then s.parent_run_id else t.parent_run_id end,
    root_run_id = case when coalesce(s.parent_seq > t.parent_seq, s.parent_seq is not null) then s.root_run_id else t.root_run_id end,
    parent_seq = greatest(t.parent_seq, s.parent_seq),
    task = case when coalesce(s.step_seq > t.step_seq, s.step_seq is not null) then s.task else t.task end,
    recipe = case when coalesce(s.step_seq > t.step_seq, s.step_seq is not null) then s.recipe else t.recipe end,
    outcome = case when coalesce(s.step_seq > t.step_seq, s.step_seq is not null) then s.outcome else t.outcome end,
    asked = case when coalesce(s.step_seq > t.step_seq, s.step_seq is not null) then s.asked else t.asked end,
    served_from = case when coalesce(s.step_seq > t.step_seq, s.step_seq is not null) then s.served_from else t.served_from end,
    step_seq = greatest(t.step_seq, s.step_seq),
    given = case when coalesce(s.seeds_seq > t.seeds_seq, s.seeds_seq is not null) then s.given else t.given end,
    chance = case when coalesce(s.seeds_seq > t.seeds_seq, s.seeds_seq is not null) then s.chance else t.chance end,
    unfixed = case when coalesce(s.seeds_seq > t.seeds_seq, s.seeds_seq is not null) then s.unfixed else t.unfixed end,
    seeds_seq = greatest(t.seeds_seq, s.seeds_seq),
    streaming = case when coalesce(s.type_seq > t.type_seq, s.type_seq is not null) then s.streaming else t.streaming end,
    type_seq = greatest(t.type_seq, s.type_seq)
when not matched then insert by name;

-- Reads and writes ------------------------------------------------------------------------------------------
-- One statement of one input or output by one event. Without relineage_io a statement is of (run, dataset) as a
-- whole; with it, of (run, dataset, role, version) at its instant, and then the others of that dataset say nothing more.
create or replace temp table access_said as
select
    side, run_id, dataset_key, version_key,
    case when io is null then '' else coalesce(io ->> '$.role', '') end as role,
    case when io is null then 'declared' else coalesce(try_cast(io ->> '$.origin' as store.origin), 'declared') end::store.origin as origin,
    io is not null as exact,
    case when io is null then event_time else coalesce(store.instant(io ->> '$.instant'), event_time) end as first_at,
    first_at as last_at,
    case when io is null and version_key is not null then {time: event_time, event: digest} end as first_declared,
    first_declared as last_declared,
    io is not null or version_key is not null as in_first,
    in_first as in_last
from declared where run_id is not null;

-- What the batch touches: what it names, and all of a run that turns out to be streaming, or not.
create or replace temp table access_touched as
select distinct side, run_id, dataset_key from access_said
union
select side, run_id, dataset_key
from (
    select 'inputs' as side, run_id, dataset_key from store.read
    union all select 'outputs', run_id, dataset_key from store.write
) semi join (
    select run_id from run_before b join store.run r using (run_id)
    where coalesce(b.streaming, false) <> coalesce(r.streaming, false)
) using (run_id);

create or replace temp table access_before as
select 'inputs' as side, run_id, dataset_key, version_key, role, origin, exact, first_at, last_at, first_declared, last_declared, in_first, in_last
from store.read semi join (from access_touched where side = 'inputs') using (run_id, dataset_key)
union all
select 'outputs', run_id, dataset_key, version_key, role, origin, exact, first_at, last_at, first_declared, last_declared, in_first, in_last
from store.write semi join (from access_touched where side = 'outputs') using (run_id, dataset_key);

create or replace temp table access_after as
with part as (from access_before union all by name from access_said)
select a.*, coalesce(r.streaming, false) as streaming
from store.combine_accesses('part') a join store.run r using (run_id);

delete from store.read where (run_id, dataset_key) in (select (run_id, dataset_key) from access_before where side = 'inputs');
insert into store.read by name
select * exclude (side, streaming),
       exact or version_key is null or case when streaming then in_last else in_first end as holds,
       case when streaming then last_at else first_at end as read_at
from access_after where side = 'inputs' order by run_id;

delete from store.write where (run_id, dataset_key) in (select (run_id, dataset_key) from access_before where side = 'outputs');
insert into store.write by name
select * exclude (side, streaming),
       exact or version_key is null or case when streaming then in_first else in_last end as holds,
       case when streaming then first_at else last_at end as written_at
from access_after where side = 'outputs' order by version_key, written_at;

-- Inferred reads --------------------------------------------------------------------------------------------
-- Of each dataset touched, from the earliest instant touched on; of a component of names that changed, all.
create or replace temp table infer_touched as
select coalesce(a.canonical_key, t.dataset_key) as canonical_key, min(t.first_at) as since
from (
    select dataset_key, first_at from access_before
    union all select dataset_key, first_at from access_after
    union all select dataset_key, '-infinity'::timestamp from alias_changed
) t left join store.dataset_alias a using (dataset_key)
group by all;

delete from store.inferred_read
where (run_id, dataset_key, role) in (
    select (i.run_id, i.dataset_key, i.role)
    from store.inferred_read i left join store.dataset_alias a using (dataset_key)
    join infer_touched t on t.canonical_key = coalesce(a.canonical_key, i.dataset_key)
    where i.read_at >= t.since
) or (run_id, dataset_key) in (select (run_id, dataset_key) from access_touched where side = 'inputs');

insert into store.inferred_read
with reading as (
    select r.run_id, r.dataset_key, r.role, r.read_at, coalesce(a.canonical_key, r.dataset_key) as canonical_key
    from store.read r left join store.dataset_alias a using (dataset_key)
    join infer_touched t on t.canonical_key = coalesce(a.canonical_key, r.dataset_key)
    where r.holds and r.version_key is null and r.read_at >= t.since
)
select run_id, dataset_key, role, read_at, writer_run_id, version_key from store.infer('reading');

-- Where to go on --------------------------------------------------------------------------------------------
delete from store.source_offset where (source, partition) in (select (source, partition) from moved);
insert into store.source_offset
select source, partition, topic, next_offset, fingerprint, get_current_timestamp() at time zone 'UTC' from moved;
