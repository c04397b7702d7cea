-- The tables of the schema `store`. Cold tables are facts, append-only: what was delivered. Hot tables are the
-- state made of them, changed in the transaction that stores the facts; views/truth/ says what each must hold.
-- Keys are md5(framed text)::uuid of what an event says alone, so that no look-up and no sequence is needed.

-- The schema itself is made with the list of migrations, see store.py.

-- Cold ------------------------------------------------------------------------------------------------------

create table store.event (
    source varchar not null,
    topic varchar,
    partition integer,
    "offset" bigint not null,
    event_digest uuid not null,
    event_time timestamp not null,
    event_type varchar,
    run_id uuid,
    job_key uuid,
    received_at timestamp not null,
    body varchar not null using compression zstd
);
comment on table store.event is 'Every delivery of every event that could be read, duplicates included.';
comment on column store.event.source is 'Kafka cluster and topic id, or the absolute path of a file, or the name of a pipe.';
comment on column store.event.topic is 'Kafka topic; null for files.';
comment on column store.event.partition is 'Kafka partition; null for files.';
comment on column store.event."offset" is 'Kafka offset, or byte in the file where the message begins.';
comment on column store.event.event_digest is 'First 128 bits of SHA-256 of the message''s bytes: what makes two deliveries one event.';
comment on column store.event.event_time is 'eventTime in UTC.';
comment on column store.event.event_type is 'eventType as sent; null for job and dataset events.';
comment on column store.event.run_id is 'The run; null for job and dataset events.';
comment on column store.event.job_key is 'The job; null for dataset events.';
comment on column store.event.received_at is 'When the consumer stored it, UTC.';
comment on column store.event.body is 'The message as it came.';

create table store.facet (
    run_id uuid,
    job_key uuid,
    dataset_key uuid,
    event_time timestamp not null,
    event_digest uuid not null,
    location varchar not null,
    ordinal integer not null,
    key varchar not null,
    body varchar not null using compression zstd
);
comment on table store.facet is 'Every facet of every event, as it was sent; the view facets shows the latest.';
comment on column store.facet.run_id is 'The run that said it; for forwarded facets the run they speak of.';
comment on column store.facet.job_key is 'The job, for job facets.';
comment on column store.facet.dataset_key is 'The dataset, for facets of datasets, inputs and outputs.';
comment on column store.facet.event_time is 'eventTime of the event, UTC.';
comment on column store.facet.event_digest is 'The event.';
comment on column store.facet.location is 'Where in the event: run, job, inputs, inputFacets, outputs, outputFacets, dataset, or parent.run, parent.job, root.run, root.job for forwarded ones.';
comment on column store.facet.ordinal is 'Position of the input or output in its list, from 1; else 0.';
comment on column store.facet.key is 'The facet''s key.';
comment on column store.facet.body is 'The facet, JSON.';

create table store.dead_letter (
    source varchar not null,
    topic varchar,
    partition integer,
    "offset" bigint not null,
    digest uuid not null,
    received_at timestamp not null,
    reason varchar not null,
    body blob
);
comment on table store.dead_letter is 'Every delivery of every message that is no event, with its bytes and the reason.';
comment on column store.dead_letter.source is 'As in event.';
comment on column store.dead_letter.topic is 'As in event.';
comment on column store.dead_letter.partition is 'As in event.';
comment on column store.dead_letter."offset" is 'As in event.';
comment on column store.dead_letter.digest is 'First 128 bits of SHA-256 of the bytes.';
comment on column store.dead_letter.received_at is 'When the consumer stored it, UTC.';
comment on column store.dead_letter.reason is 'Why it is no event.';
comment on column store.dead_letter.body is 'The bytes as they came; null for a message without a value.';

create table store.event_problem (
    event_digest uuid not null,
    event_time timestamp not null,
    run_id uuid,
    path varchar not null,
    expected varchar not null,
    got varchar not null
);
comment on table store.event_problem is 'What in a loaded event could not be used, and was set aside.';
comment on column store.event_problem.event_digest is 'The event.';
comment on column store.event_problem.event_time is 'eventTime of the event, UTC.';
comment on column store.event_problem.run_id is 'The run, if the event has one.';
comment on column store.event_problem.path is 'Where in the event.';
comment on column store.event_problem.expected is 'What the specification asks for there.';
comment on column store.event_problem.got is 'What was there.';

create table store.source_offset (
    source varchar not null,
    partition integer not null,
    topic varchar,
    next_offset bigint not null,
    fingerprint varchar,
    updated_at timestamp not null
);
comment on table store.source_offset is 'Where to go on reading, committed with the rows: exactly once in effect.';
comment on column store.source_offset.source is 'As in event.';
comment on column store.source_offset.partition is 'Kafka partition; 0 for files.';
comment on column store.source_offset.topic is 'Kafka topic; null for files.';
comment on column store.source_offset.next_offset is 'Next Kafka offset, or next byte of the file.';
comment on column store.source_offset.fingerprint is 'Files: SHA-256 of the first KiB (of what was read of it): another one means a new file.';
comment on column store.source_offset.updated_at is 'When it last moved, UTC.';

-- Hot -------------------------------------------------------------------------------------------------------
-- `*_seq` is (rank: 2 own, 1 and 0 forwarded by a child, event time, event digest): the order in which "latest" is meant.

create table store.job (job_key uuid not null, namespace varchar not null, name varchar not null);
comment on table store.job is 'Every job that was named.';
comment on column store.job.job_key is 'md5 of the framed namespace and name.';
comment on column store.job.namespace is 'Namespace.';
comment on column store.job.name is 'Name.';

create table store.run (
    run_id uuid not null,
    run_text varchar,
    job_key uuid,
    job_seq struct(rank tinyint, "time" timestamp, event uuid),
    least_job_key uuid,
    greatest_job_key uuid,
    first_at timestamp,
    first_start_at timestamp,
    start_at timestamp,
    running_at timestamp,
    complete_at timestamp,
    fail_at timestamp,
    abort_at timestamp,
    parent_run_id uuid,
    root_run_id uuid,
    parent_seq struct(rank tinyint, "time" timestamp, event uuid),
    task varchar,
    recipe varchar,
    outcome varchar,
    step_seq struct(rank tinyint, "time" timestamp, event uuid),
    given boolean,
    seeds_seq struct(rank tinyint, "time" timestamp, event uuid),
    streaming boolean,
    type_seq struct(rank tinyint, "time" timestamp, event uuid)
);
comment on table store.run is 'One row per run, also of runs known only as a parent.';
comment on column store.run.run_id is 'runId as a UUID; made from the text''s hash where it is none.';
comment on column store.run.run_text is 'runId as sent, where it is no UUID.';
comment on column store.run.job_key is 'The job it was last said to be of.';
comment on column store.run.job_seq is 'When that was said.';
comment on column store.run.least_job_key is 'With greatest_job_key: they differ when a run was said to be of several jobs.';
comment on column store.run.greatest_job_key is 'See least_job_key.';
comment on column store.run.first_at is 'Least event time.';
comment on column store.run.first_start_at is 'Least time of a START.';
comment on column store.run.start_at is 'Greatest time of a START.';
comment on column store.run.running_at is 'Greatest time of a RUNNING.';
comment on column store.run.complete_at is 'Greatest time of a COMPLETE.';
comment on column store.run.fail_at is 'Greatest time of a FAIL.';
comment on column store.run.abort_at is 'Greatest time of an ABORT.';
comment on column store.run.parent_run_id is 'The parent, from the latest parent facet.';
comment on column store.run.root_run_id is 'The root that the same facet declares, if any; the view runs resolves it.';
comment on column store.run.parent_seq is 'When that was said.';
comment on column store.run.task is 'Digest of what was asked for.';
comment on column store.run.recipe is 'Digest of the task and the given seeds.';
comment on column store.run.outcome is 'Digest of what came out.';
comment on column store.run.step_seq is 'When these three were said.';
comment on column store.run.given is 'Whether the seed was given, not drawn.';
comment on column store.run.seeds_seq is 'When that was said.';
comment on column store.run.streaming is 'Whether the latest jobType says STREAMING.';
comment on column store.run.type_seq is 'When that was said.';

create table store.dataset (dataset_key uuid not null, namespace varchar not null, name varchar not null);
comment on table store.dataset is 'Every name of a dataset, symlinks and former names included.';
comment on column store.dataset.dataset_key is 'md5 of the framed namespace and name.';
comment on column store.dataset.namespace is 'Namespace.';
comment on column store.dataset.name is 'Name.';

create table store.dataset_alias (dataset_key uuid not null, canonical_key uuid not null);
comment on table store.dataset_alias is 'Datasets with several names (symlinks, renames): which are one.';
comment on column store.dataset_alias.dataset_key is 'A dataset.';
comment on column store.dataset_alias.canonical_key is 'Least key of the datasets that are one with it.';

create table store.version (
    version_key uuid not null, dataset_key uuid not null, version varchar not null, distinctive boolean
);
comment on table store.version is 'Every version of every dataset that was named.';
comment on column store.version.version_key is 'md5 of the framed namespace, name and version.';
comment on column store.version.dataset_key is 'The dataset.';
comment on column store.version.version is 'The version''s text.';
comment on column store.version.distinctive is 'False when somebody says that its content collides trivially; null when nobody speaks of its content.';

create table store.version_digest (
    version_key uuid not null, digest varchar not null, digest_prefix ubigint not null, shared boolean not null
);
comment on table store.version_digest is 'The digests of each version''s content.';
comment on column store.version_digest.version_key is 'The version.';
comment on column store.version_digest.digest is 'label:hex.';
comment on column store.version_digest.digest_prefix is 'The first 16 hex digits as a number, for prefix search.';
comment on column store.version_digest.shared is 'Whether another version has the digest too: kept, because finding it out would cost each question a pass over the table.';

create type store.origin as enum ('declared', 'observed', 'forwarded');

create table store.read (
    run_id uuid not null,
    dataset_key uuid not null,
    version_key uuid,
    role varchar not null,
    origin store.origin not null,
    exact boolean not null,
    read_at timestamp not null,
    holds boolean not null,
    first_at timestamp not null,
    last_at timestamp not null,
    first_declared struct("time" timestamp, event uuid),
    last_declared struct("time" timestamp, event uuid),
    in_first boolean not null,
    in_last boolean not null
);
comment on table store.read is 'A run consumed a dataset, of a version or of none. Only rows that hold count.';
comment on column store.read.run_id is 'The run.';
comment on column store.read.dataset_key is 'The dataset, as named.';
comment on column store.read.version_key is 'The declared version; null for none.';
comment on column store.read.role is 'What the run used it as; empty when not said.';
comment on column store.read.origin is 'declared, observed, or forwarded from an inner run.';
comment on column store.read.exact is 'Whether a relineage_io facet says it; such rows displace the others of the same run and dataset.';
comment on column store.read.read_at is 'first_at; last_at in a streaming run.';
comment on column store.read.holds is 'Whether this version is the one that counts: that of the earliest declaring event; in a streaming run of the latest.';
comment on column store.read.first_at is 'Earliest instant.';
comment on column store.read.last_at is 'Latest instant.';
comment on column store.read.first_declared is 'The earliest event that declares a version.';
comment on column store.read.last_declared is 'The latest event that declares a version.';
comment on column store.read.in_first is 'Whether the earliest declaring event declares this version.';
comment on column store.read.in_last is 'Whether the latest declaring event declares this version.';

create table store.write (
    run_id uuid not null,
    dataset_key uuid not null,
    version_key uuid,
    role varchar not null,
    origin store.origin not null,
    exact boolean not null,
    written_at timestamp not null,
    holds boolean not null,
    first_at timestamp not null,
    last_at timestamp not null,
    first_declared struct("time" timestamp, event uuid),
    last_declared struct("time" timestamp, event uuid),
    in_first boolean not null,
    in_last boolean not null
);
comment on table store.write is 'A run produced a dataset, of a version or of none. Only rows that hold count.';
comment on column store.write.run_id is 'The run.';
comment on column store.write.dataset_key is 'The dataset, as named.';
comment on column store.write.version_key is 'The declared version; null for none.';
comment on column store.write.role is 'What the run made it as; empty when not said.';
comment on column store.write.origin is 'declared, observed, or forwarded from an inner run.';
comment on column store.write.exact is 'Whether a relineage_io facet says it; such rows displace the others of the same run and dataset.';
comment on column store.write.written_at is 'last_at; first_at in a streaming run.';
comment on column store.write.holds is 'Whether this version is the one that counts: that of the latest declaring event; in a streaming run of the earliest.';
comment on column store.write.first_at is 'Earliest instant.';
comment on column store.write.last_at is 'Latest instant.';
comment on column store.write.first_declared is 'The earliest event that declares a version.';
comment on column store.write.last_declared is 'The latest event that declares a version.';
comment on column store.write.in_first is 'Whether the earliest declaring event declares this version.';
comment on column store.write.in_last is 'Whether the latest declaring event declares this version.';

create table store.inferred_read (
    run_id uuid not null,
    dataset_key uuid not null,
    role varchar not null,
    read_at timestamp not null,
    writer_run_id uuid not null,
    version_key uuid
);
comment on table store.inferred_read is 'For reads without a version: the latest write to the dataset before them, of another run.';
comment on column store.inferred_read.run_id is 'The reading run.';
comment on column store.inferred_read.dataset_key is 'The dataset, as the reader named it.';
comment on column store.inferred_read.role is 'As in read.';
comment on column store.inferred_read.read_at is 'As in read.';
comment on column store.inferred_read.writer_run_id is 'The run whose write it is taken to have seen.';
comment on column store.inferred_read.version_key is 'The version that was written, if it had one.';

comment on table store.migration is 'Which migrations made these tables, and the digest of the views and macros over them.';
comment on column store.migration.name is 'The migration, or `definitions`.';
comment on column store.migration.digest is 'Of the definitions: another one means that they are to be replaced.';
