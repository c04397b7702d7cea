-- The two upstreams that `why` walks in step (why.sql): who read what of whom, under which keys inputs are counterparts, and
-- when two contents are the same.
--
-- The shapes are chosen for lineages of 100,000 runs and of 1,000 steps one after the other: what is repeated at each
-- step is few joins, each on one key, over narrow rows; names, contents and facts come afterwards, for all runs at once and
-- only for those of which something is to be said.

-- What the runs upstream of `starts` (run_id) have read: (reader, dataset_key, version_key, role, read_at, writer, and the
-- role and dataset under which that wrote it, and whether it wrote nothing else in that role). Bound by rule R6, as in bind.sql; on the way, where several names or equal
-- contents may decide, a few more runs are followed than will turn out to be right.
create or replace macro store.reads_upstream(starts) as table (
    with recursive link as materialized (from store.version_link),
    linked_run as materialized (from store.linked_run),
    walk(reader, dataset_key, version_key, role, picked) as (
        select null::uuid, null::uuid, null::uuid, null::varchar,
               {forwarded: false, late: false, distance_us: 0::bigint, run_id: run_id, role: null::varchar, dataset_key: null::uuid}
        from query_table(starts) where run_id is not null
        union
        (
            select r.run_id, r.dataset_key, r.version_key, r.role,
                   min({forwarded: o.origin = 'forwarded', late: o.written_at > r.read_at,
                        distance_us: abs(epoch_us(o.written_at) - epoch_us(r.read_at)), run_id: o.run_id, role: o.role, dataset_key: o.dataset_key})
            from walk f join store.read r on r.run_id = f.picked.run_id join store.write o on o.version_key = r.version_key
            where r.holds and o.holds and o.run_id <> r.run_id
            group by r.run_id, r.dataset_key, r.version_key, r.role
            union all
            select null, null, null, null,
                   {forwarded: false, late: false, distance_us: 0::bigint, run_id: c.run_id, role: null::varchar, dataset_key: null::uuid}
            from (
                select min({late: o.written_at > r.read_at, other_root: other.rank = 1 and reader.root_run_id is distinct from writer.root_run_id,
                            other_namespace: other.rank = 1 and reader.namespace is distinct from writer.namespace,
                            distance_us: abs(epoch_us(o.written_at) - epoch_us(r.read_at)), run_id: o.run_id}).run_id as run_id
                from walk f join store.read r on r.run_id = f.picked.run_id
                join link mine on mine.version_key = r.version_key
                join link other on other.link = mine.link and other.rank = mine.rank and other.version_key <> mine.version_key
                join store.write o on o.version_key = other.version_key
                left join linked_run reader on reader.run_id = r.run_id
                left join linked_run writer on writer.run_id = o.run_id
                where r.holds and o.holds and o.run_id <> r.run_id and (other.rank = 0 or o.written_at <= r.read_at)
                group by r.run_id, r.dataset_key, r.version_key, r.role, other.version_key, o.origin = 'forwarded'
                union all
                select i.writer_run_id from walk f join store.inferred_read i on i.run_id = f.picked.run_id
            ) c
        )
    ),
    run as materialized (select distinct picked.run_id as run_id from walk),
    linked as materialized (select distinct version_key from link),
    reading as materialized (
        select r.run_id, r.dataset_key, r.version_key, r.role, r.read_at, 0 as depth,
               r.version_key is null or l.version_key is not null as doubtful
        from store.read r semi join run using (run_id) left join linked l on l.version_key = r.version_key
        where r.holds
    ),
    -- Outputs of one role among several.
    crowd as materialized (
        select w.run_id, w.role from store.write w semi join run using (run_id) where w.holds group by w.run_id, w.role having count(*) > 1
    ),
    weighed as materialized (select * exclude (doubtful) from reading where doubtful),
    bound as materialized (
        select b.run_id, b.dataset_key, b.role, b.version_key, b.bound_version_key, b.writer_run_id,
               min({role: w.role, dataset_key: w.dataset_key}) as o
        from store.bind('weighed') b
        left join store.write w on w.run_id = b.writer_run_id and w.version_key = b.bound_version_key and w.holds
        group by all
    )
    select e.*, c.run_id is null as out_alone
    from (
    select r.run_id as reader, r.dataset_key, r.version_key, r.role, r.read_at, w.picked.run_id as writer,
           w.picked.role as out_role, w.picked.dataset_key as out_dataset_key
    from reading r
    left join walk w on w.reader = r.run_id and w.dataset_key = r.dataset_key and w.version_key = r.version_key and w.role = r.role
    where not doubtful
    union all
    select r.run_id, r.dataset_key, coalesce(r.version_key, b.bound_version_key), r.role, r.read_at, b.writer_run_id, b.o.role, b.o.dataset_key
    from reading r
    left join bound b on b.run_id = r.run_id and b.dataset_key = r.dataset_key and b.role = r.role and b.version_key is not distinct from r.version_key
    where doubtful
    ) e left join crowd c on c.run_id = e.writer and c.role = e.out_role
);

-- What versions hold, for `asked` (version_key): content {version_key, dataset_key, version, rank, digest, digests}.
create or replace macro store.contents(asked) as table (
    with wanted as materialized (select distinct version_key from query_table(asked) where version_key is not null),
    digest as materialized (
        select version_key, min({rank: store.digest_rank(digest), digest: digest}) as least, list(digest order by digest) as digests
        from store.version_digest semi join wanted using (version_key) group by version_key
    )
    select v.version_key,
           {version_key: v.version_key, dataset_key: coalesce(a.canonical_key, v.dataset_key), version: v.version,
            rank: g.least.rank, digest: g.least.digest, digests: coalesce(g.digests, [])} as content
    from store.version v semi join wanted using (version_key)
    left join store.dataset_alias a on a.dataset_key = v.dataset_key
    left join digest g on g.version_key = v.version_key
);

create or replace macro store.common_rank(one, two) as
    list_min(list_intersect(list_transform(one, lambda d: store.digest_rank(d)), list_transform(two, lambda d: store.digest_rank(d))));

-- Whether two contents are the same: by the strongest kind of digest that both have; without digests by version, where the
-- dataset is one. Null where nothing is known to tell by: no version, or only a file's size and time.
create or replace macro store.same_content(one, two) as
    case
        when one.version_key = two.version_key or one.digest = two.digest then true
        when one.digest is not null and two.digest is not null then
            list_has_any(list_filter(one.digests, lambda d: store.digest_rank(d) = store.common_rank(one.digests, two.digests)), two.digests)
            or case when store.common_rank(one.digests, two.digests) is null then null else false end
        when one.digest is not null or two.digest is not null or one.version is null or two.version is null
            or starts_with(one.version, 'stat:') or starts_with(two.version, 'stat:') then null
        else one.dataset_key = two.dataset_key and one.version = two.version
    end;

-- The edges, each under the keys by which it may have a counterpart in the other upstream. An input that is alone in its
-- role stands for the role. Of several in one role: those of one dataset belong together, in the order in which they were
-- read; those that have no counterpart by dataset, by their position in the role (not of more than 100, whose names would
-- have to be carried along).
create or replace macro store.keyed_edges(edges) as table (
    -- What a version holds is needed here only where another one may hold the same.
    with twin as materialized (
        select distinct version_key from store.version_digest where shared
        union
        select version_key from store.version_link where rank = 0
    ),
    twin_read as materialized (select distinct e.version_key from query_table(edges) e semi join twin using (version_key)),
    numbered as materialized (
        select row_number() over () as edge, e.*, c.content
        from query_table(edges) e left join store.contents('twin_read') c on c.version_key = e.version_key
    ),
    crowd as materialized (select reader, role from numbered group by reader, role having count(*) > 1),
    crowded_role as materialized (select distinct role from crowd),
    alone as materialized (select *, false as crowded, false as by_position, null::uuid[] as datasets from numbered anti join crowd using (reader, role)),
    placed as materialized (
        select *, row_number() over (partition by reader, role, dataset_key order by read_at, version_key) as n,
               row_number() over (partition by reader, role order by dataset_key, read_at, version_key) as position,
               count(*) over (partition by reader, role) as alike
        from numbered semi join crowd using (reader, role)
    ),
    names as materialized (select reader, role, list(dataset_key) as datasets from placed where alike <= 100 group by reader, role),
    keyed as materialized (
        select *, hash(role, 'alone') as match from alone
        union all
        select *, hash(role, dataset_key, 1::bigint) from alone semi join crowded_role using (role)
        union all
        select * exclude (n, position, alike), true, false, null, hash(role, dataset_key, n) from placed
        union all
        select p.* exclude (n, position, alike), true, true, n.datasets, hash(role, alike, p.position, 'of')
        from placed p join names n using (reader, role)
    )
    select *, hash(reader, match) as place from keyed
);

-- Whether two keyed edges of one key are counterparts.
create or replace macro store.counterparts(x_by_position, x_dataset, x_datasets, y_dataset, y_datasets) as
    not x_by_position or not (list_contains(y_datasets, x_dataset) or list_contains(x_datasets, y_dataset));

-- Whether two writes made the same output of their runs, so that it is the runs that must be compared; else somebody has
-- read something else. In a form that the planner does not take for a join.
create or replace macro store.same_output(x_role, x_dataset, x_alone, y_role, y_dataset, y_alone) as
    list_contains([coalesce(x_role, '')], coalesce(y_role, ''))
    and ((x_alone and y_alone) or list_contains([x_dataset], y_dataset) or x_dataset is null or y_dataset is null);
