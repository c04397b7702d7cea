-- Rule R6: which write each read is taken to have seen, and how that is known.
--
-- The shapes are chosen for the recursion of `why` (store.walked_pairs): there each join with a large table is an inner join on one
-- key, so that its hash table is built once; what is small (names and contents that link versions) is brought along.

-- Of the writes of the very version that was read, rule R6 as one number: the least is the write that was seen; what is forwarded or late
-- comes after all others.
create or replace macro store.seen_distance(read_at, written_at, origin) as
    abs(epoch_us(written_at) - epoch_us(read_at)) + if(written_at > read_at, 1::bigint << 60, 0) + if(origin = 'forwarded', 1::bigint << 61, 0);

-- What links a version to others: being one version of one dataset under several names (rank 0), or sharing a digest
-- with another version, both distinctive (rank 1).
create or replace view store.version_link as
select v.version_key, a.canonical_key || '@' || v.version as link, 0 as rank, v.version
from store.version v join store.dataset_alias a using (dataset_key)
union all
select d.version_key, d.digest, 1, v.version
from store.version_digest d join store.version v using (version_key)
where d.shared and v.distinctive;
comment on view store.version_link is 'What links a version to others: being one under several names, or sharing a digest, both distinctive.';
comment on column store.version_link.version_key is 'The version.';
comment on column store.version_link.link is 'What it shares with the others: the key of the dataset and the version, or the digest.';
comment on column store.version_link.rank is '0: one version under several names; 1: a shared digest.';
comment on column store.version_link.version is 'The version''s text.';

-- Roots of runs that declare none but have a parent: the first root declared on the way up, else the top. In a circle
-- of parents nobody is on top, and the least of them stands for all. A run without a parent is its own root.
create or replace view store.climbed_root as
with recursive upward as materialized (
    select run_id, parent_run_id from store.run where root_run_id is null and parent_run_id is not null
),
climb(run_id, at_run_id) as (
    select run_id, parent_run_id from upward
    union
    select c.run_id, u.parent_run_id from climb c join upward u on u.run_id = c.at_run_id
),
-- Through a list, so that the planner takes it for the small side that it is.
above as (select unnest(list(distinct at_run_id)) as run_id from climb),
top as (select run_id, root_run_id from store.run semi join above using (run_id) anti join upward using (run_id))
select c.run_id, coalesce(min(coalesce(t.root_run_id, t.run_id)), min(c.at_run_id)) as root_run_id
from climb c left join top t on t.run_id = c.at_run_id
group by c.run_id;
comment on view store.climbed_root is 'Roots of runs that declare none but have a parent.';
comment on column store.climbed_root.run_id is 'The run.';
comment on column store.climbed_root.root_run_id is 'The first root declared on the way up, else the top.';

-- The runs that read or wrote a version that shares its content with another, of `links` (the view above): the preferences among those
-- need them. (run_id, root_run_id, namespace of its job).
create or replace macro store.linked_runs(links) as table (
    with sharing as materialized (select distinct version_key from query_table(links) where rank = 1),
    touching as (
        select run_id from store.read semi join sharing using (version_key)
        union select run_id from store.write semi join sharing using (version_key)
    ),
    touched as (select run_id, root_run_id, job_key from store.run semi join touching using (run_id))
    select r.run_id, coalesce(r.root_run_id, c.root_run_id, r.run_id) as root_run_id, j.namespace
    from touched r left join store.climbed_root c using (run_id) left join store.job j using (job_key)
);

-- What links `versions` (version_key) to others, and these others.
create or replace macro store.links_around(versions) as table (
    with mine as (from store.version_link semi join query_table(versions) v using (version_key)),
    around as (select distinct version_key from store.version_link semi join mine using (link, rank))
    from store.version_link semi join around using (version_key)
);

-- Rules `version`, `version-late` and `content`. `reads`: run_id, dataset_key, version_key, role, read_at, depth;
-- `links` and `linked_runs`: as above. One row per read that a write is found for.
create or replace macro store.bind_by_version(reads, links, linked_runs) as table (
    with asked as (
        select r.run_id, r.dataset_key, r.version_key, r.role, r.read_at, r.depth,
               -- The read's own version, and those it is linked to.
               unnest([{version_key: r.version_key, version: null, rank: 0}, {version_key: other.version_key, version: other.version, rank: other.rank}]) as want
        from query_table(reads) r
        left join query_table(links) mine on mine.version_key = r.version_key
        left join query_table(links) other
            on other.link = mine.link and other.rank = mine.rank and other.version_key <> r.version_key
    ),
    written as (
        select r.run_id, r.dataset_key, r.version_key, r.role, r.read_at, r.depth, r.want.rank as rank,
               -- Under its several names a version is one; of other versions each is looked at by itself.
               case when r.want.rank = 0 then null else coalesce(one.link, w.version_key::varchar) end as apart,
               w.origin = 'forwarded' as forwarded,
               w.run_id <> r.run_id as other,
               w.run_id <> r.run_id and (r.want.rank = 0 or w.written_at <= r.read_at) as fits,
               {
                   rank: r.want.rank,
                   late: w.written_at > r.read_at,
                   other_root: r.want.rank = 1 and reader.root_run_id is distinct from writer.root_run_id,
                   other_namespace: r.want.rank = 1 and reader.namespace is distinct from writer.namespace,
                   distance_us: abs(epoch_us(w.written_at) - epoch_us(r.read_at)),
                   writer_run_id: w.run_id,
                   version: r.want.version,
                   version_key: w.version_key
               } as write
        from asked r
        join store.write w on w.version_key = r.want.version_key
        left join query_table(links) one on one.version_key = r.want.version_key and one.rank = 0
        left join query_table(linked_runs) reader on reader.run_id = r.run_id
        left join query_table(linked_runs) writer on writer.run_id = w.run_id
        where w.holds
    ),
    -- A forwarded write counts only where its version has no other write of another run than the reader.
    picked as (
        select run_id, dataset_key, version_key, role, read_at, depth, rank,
               case when bool_or(other and not forwarded) then min(write) filter (where fits and not forwarded) else min(write) filter (where fits) end as write
        from written
        group by run_id, dataset_key, version_key, role, read_at, depth, rank, apart
    )
    select run_id, dataset_key, version_key, role, read_at, depth, min(write) as write
    from picked where write is not null
    group by run_id, dataset_key, version_key, role, read_at, depth
);

-- All rules together, of the same; one row per read.
create or replace macro store.bind(reads, links, linked_runs) as table (
    with asked as materialized (from query_table(reads)),
    found as (from store.bind_by_version('asked', links, linked_runs))
    select
        r.*,
        case
            when f.write.rank = 0 then case when f.write.late then 'version-late' else 'version' end
            when f.write.rank = 1 then 'content'
            when i.writer_run_id is not null then 'inferred'
            else 'unknown'
        end as how,
        coalesce(f.write.writer_run_id, i.writer_run_id) as writer_run_id,
        coalesce(f.write.version_key, i.version_key) as bound_version_key
    from asked r
    left join found f
        on f.run_id = r.run_id and f.dataset_key = r.dataset_key and f.role = r.role and f.version_key = r.version_key
    left join store.inferred_read i
        on r.version_key is null and i.run_id = r.run_id and i.dataset_key = r.dataset_key and i.role = r.role
);
