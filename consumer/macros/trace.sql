-- Where x comes from, and what came of it.

-- The versions that each of `things` (term and what store.resolve says of it) stands for, each with the write that is meant: of a run its
-- outputs (its inputs where it has none), of a dataset without version its latest write.
create or replace macro store.target_of(things) as table (
    with thing as (from query_table(things)),
    dataset_member as (
        select t.term, coalesce(a.dataset_key, t.dataset_key) as dataset_key
        from thing t left join store.dataset_alias a on a.canonical_key = t.dataset_key
        where t.dataset_key is not null
    ),
    wanted_version as (
        select t.term, v.version_key, v.dataset_key
        from store.version v join dataset_member m using (dataset_key) join thing t on t.term = m.term and t.kind = 'version' and v.version = t.version
        union
        select t.term, v.version_key, v.dataset_key
        from store.version_digest d join thing t on t.kind = 'digest' and d.digest = t.digest join store.version v using (version_key)
    ),
    of_run as (
        select t.term, w.dataset_key, w.version_key, w.role, w.run_id as writer_run_id
        from store.write w join thing t on t.kind in ('run', 'job') and w.run_id = t.run_id where w.holds
    ),
    run_reading as (
        select t.term, r.run_id, r.dataset_key, r.version_key, r.role, r.read_at, 0 as depth
        from store.read r join thing t on t.kind in ('run', 'job') and r.run_id = t.run_id
        where r.holds and t.term not in (select term from of_run)
    ),
    link as materialized (from store.links_around('run_reading')),
    linked_run as materialized (from store.linked_runs('link')),
    written as (
        select v.term, w.dataset_key, w.version_key, w.role, w.run_id, w.written_at, w.origin
        from store.write w join wanted_version v using (version_key) where w.holds
        union all
        select t.term, w.dataset_key, w.version_key, w.role, w.run_id, w.written_at, w.origin
        from store.write w join dataset_member m using (dataset_key) join thing t on t.term = m.term and t.kind = 'dataset' where w.holds
    ),
    latest as (
        select term, min({age: -epoch_us(written_at), writer_run_id: run_id, version_key: version_key, dataset_key: dataset_key, role: role}) as w
        from (select *, origin = 'forwarded' and bool_or(origin <> 'forwarded') over (partition by term, version_key) as outer_run from written)
        where not outer_run group by term
    ),
    unwritten as (
        select term, dataset_key, version_key from wanted_version
        union all
        -- Of a dataset that nobody wrote: the version last read.
        select t.term, min({age: -epoch_us(r.read_at), version_key: r.version_key, dataset_key: r.dataset_key}).dataset_key,
               min({age: -epoch_us(r.read_at), version_key: r.version_key, dataset_key: r.dataset_key}).version_key
        from store.read r join dataset_member m using (dataset_key) join thing t on t.term = m.term and t.kind = 'dataset' where r.holds group by t.term
        union all
        select term, dataset_key, null from thing where kind = 'dataset'
    )
    select term, dataset_key, version_key, role, writer_run_id from of_run
    union all
    select term, dataset_key, coalesce(version_key, bound_version_key), role, writer_run_id from store.bind('run_reading', 'link', 'linked_run')
    union all
    select term, w.dataset_key, w.version_key, w.role, w.writer_run_id from latest
    union all
    (select term, dataset_key, version_key, '', null from unwritten where term not in (select term from written)
     qualify row_number() over (partition by term order by version_key nulls last) = 1)
);

-- The same of x.
create or replace macro store.target(x) as table (
    with asked as (select x::varchar as term),
    resolved as materialized (from store.resolve_each('asked'))
    select dataset_key, version_key, role, writer_run_id from store.target_of('resolved')
);

-- Who wrote the versions in `versions` (version_key), or the same versions and contents under other names.
create or replace macro store.writers(versions, links) as table (
    with wanted_version as (select distinct version_key from query_table(versions) where version_key is not null),
    same as (
        select version_key, version_key as same_key from wanted_version
        union
        select v.version_key, other.version_key
        from wanted_version v
        join query_table(links) mine on mine.version_key = v.version_key
        join query_table(links) other on other.link = mine.link and other.rank = mine.rank
    )
    select distinct s.version_key, w.run_id as writer_run_id
    from same s join store.write w on w.version_key = s.same_key where w.holds
);

-- Names, digests and writers for rows of (start, depth, dataset_key, version_key, role, how, writer_run_id, reader_run_id).
create or replace macro store.described(found, links) as table (
    with asked as materialized (from query_table(found)),
    wanted as (select distinct version_key from asked where version_key is not null),
    digest as (
        select version_key, min({rank: store.digest_rank(digest), digest: digest}).digest as digest
        from store.version_digest semi join wanted using (version_key) group by version_key
    ),
    run as (
        select run_id, job_namespace, job_name, state from runs
        semi join (select distinct writer_run_id::varchar as run_id from asked where writer_run_id is not null) using (run_id)
    ),
    also as (
        select version_key, list(writer_run_id::varchar order by writer_run_id::varchar) as writers
        from store.writers('wanted', links) group by version_key
    )
    select
        a.start, a.depth, d.namespace as dataset_namespace, d.name as dataset_name, v.version, g.digest, a.role, a.how,
        a.writer_run_id::varchar as writer_run_id, r.job_namespace as writer_job_namespace, r.job_name as writer_job_name,
        r.state as writer_state, a.reader_run_id::varchar as reader_run_id,
        list_filter(also.writers, lambda w: w is distinct from a.writer_run_id::varchar) as also_written_by
    from asked a
    left join store.dataset d using (dataset_key)
    left join (from store.version semi join wanted using (version_key)) v on v.version_key = a.version_key
    left join digest g on g.version_key = a.version_key
    left join run r on r.run_id = a.writer_run_id::varchar
    left join also on also.version_key = a.version_key
);

-- Where a read may lead besides the write of the version that it names (store.cone): (node, onward). The nodes are runs, what links
-- versions, and, with `all_producers`, versions: so that what many have read and many have written is no pair of each two of them.
create or replace macro store.detours(links, all_producers) as table (
    with linked as (select version_key, rank, md5(rank || link)::uuid as node from query_table(links)),
    linked_write as materialized (select w.version_key, w.run_id, l.node from store.write w join linked l using (version_key) where w.holds),
    linked_read as materialized (select r.version_key, r.run_id, l.node, l.rank from store.read r join linked l using (version_key) where r.holds)
    select run_id as node, writer_run_id as onward from store.inferred_read
    union all
    select run_id, node from linked_read where rank = 0 or all_producers
    union all
    -- Only what no other run has written under this very name is bound by its content.
    select r.run_id, r.node from linked_read r anti join linked_write w on w.version_key = r.version_key and w.run_id <> r.run_id where r.rank = 1
    union all
    select node, run_id from linked_write
    union all
    select run_id, version_key from store.read where all_producers and holds
    union all
    select run_id, version_key from store.inferred_read where all_producers
    union all
    select version_key, run_id from store.write where all_producers and holds
    union all
    select version_key, md5(rank || link)::uuid from query_table(links) where all_producers
);

-- The least is the write that was seen, of those of the version that was read.
create or replace macro store.nearness(w, r) as {distance: store.seen_distance(r.read_at, w.written_at, w.origin), run_id: w.run_id};

-- All runs that may be upstream of the runs in `starts` (writer_run_id), and few others. There may be 1,000 steps one after the other, so a step is
-- two joins with large tables, whose hash tables are built once: of the versions that were read the writes by rule R6 but for several
-- names and equal contents, for which `detours` (store.detours) take whatever may have been seen. What was, is decided for all reads at once.
create or replace macro store.cone(starts, detours) as table (
    with recursive cone(node) as (
        select distinct writer_run_id from query_table(starts) where writer_run_id is not null
        union
        (
            select min(store.nearness(w, r)).run_id
            from cone c join store.read r on r.run_id = c.node join store.write w on w.version_key = r.version_key
            where r.holds and w.holds and w.run_id <> r.run_id
            group by r.rowid
            union all
            select d.onward from cone c join query_table(detours) d on d.node = c.node
        )
    )
    select node as run_id from cone
);

-- Where x comes from, in no order. With `all_producers`, whoever else wrote what was read is followed too; such a row's `how` is `also`.
-- With `served`, a step that was answered from the cache leads on to the run that computed what it handed out: there a walk begins anew,
-- at depth 0, and `start` says which: of x itself round 0, of those that runs of one round were served from the next, the latest first, as
-- earlier ones are often upstream of it. A run belongs to the first start that leads to it.
create or replace macro store.upstream_from_starts(x, all_producers, served) as table (
    with recursive link as materialized (from store.version_link),
    linked_run as materialized (from store.linked_runs('link')),
    serving as materialized (
        select run_id, served_from, dense_rank() over (order by served_from desc) as place from store.run where served and served_from is not null
    ),
    detour as materialized (from store.detours('link', all_producers) union all select run_id, served_from from serving),
    meant as materialized (from store.target(x)),
    start as materialized (
        select dataset_key, version_key, role, null::varchar as how, writer_run_id from meant
        union all
        select m.dataset_key, m.version_key, m.role, 'also', w.writer_run_id
        from meant m join store.writers('meant', 'link') w on w.version_key = m.version_key and w.writer_run_id is distinct from m.writer_run_id
        where all_producers
    ),
    reading as materialized (
        select r.run_id, r.dataset_key, r.version_key, r.role, r.read_at, 0 as depth
        from store.cone('start', 'detour') c join store.read r on r.run_id = c.run_id where r.holds
    ),
    bound as materialized (
        select dataset_key, coalesce(version_key, bound_version_key) as version_key, role, how, writer_run_id, run_id as reader_run_id
        from store.bind('reading', 'link', 'linked_run')
    ),
    step as materialized (
        from bound
        union all
        select b.dataset_key, b.version_key, b.role, 'also', w.writer_run_id, b.reader_run_id
        from bound b join store.writers('bound', 'link') w
            on w.version_key = b.version_key and w.writer_run_id is distinct from b.writer_run_id and w.writer_run_id <> b.reader_run_id
        where all_producers
    ),
    onward as (
        select reader_run_id as run_id, writer_run_id as onward, 0 as place from step where writer_run_id is not null
        union all
        select run_id, served_from, place from serving
    ),
    -- Every run found, once, at its least depth from its start: the depth at which it is a writer.
    walk(run_id, way) using key (run_id, min(way)) as (
        select distinct writer_run_id, {start: {round: 0, place: 0}, depth: 0} from start where writer_run_id is not null
        union
        select o.onward, case when o.place = 0 then {start: w.way.start, depth: w.way.depth + 1} else {start: {round: w.way.start.round + 1, place: o.place}, depth: 0} end
        from walk w join onward o using (run_id)
    ),
    found as (
        select {round: 0, place: 0} as start, 0 as depth, dataset_key, version_key, role, how, writer_run_id, null::uuid as reader_run_id from start
        union all
        select w.way.start, w.way.depth + 1, s.dataset_key, s.version_key, s.role, s.how, s.writer_run_id, s.reader_run_id
        from step s join walk w on w.run_id = s.reader_run_id
        union all
        select w.way.start, 0, o.dataset_key, o.version_key, o.role, null, w.run_id, null
        from walk w left join store.write o on o.run_id = w.run_id and o.holds where served and w.way.start.round > 0 and w.way.depth = 0
    )
    select * from store.described('found', 'link')
);

create or replace macro upstream(x, all_producers := false, served := false) as table (
    select * exclude (start) from store.upstream_from_starts(x, all_producers, served)
    order by start, depth, dataset_namespace, store.natural(dataset_name), store.natural(role), version, reader_run_id, coalesce(how, '') = 'also', writer_run_id
);

-- All runs that may be downstream of the runs in `starts` (run_id), and few others; `back`: store.detours the other way round.
create or replace macro store.cone_below(starts, back) as table (
    with recursive cone(node) as (
        select distinct run_id from query_table(starts)
        union
        (
            select r.run_id
            from cone c join store.write o on o.run_id = c.node join store.read r on r.version_key = o.version_key join store.write w on w.version_key = r.version_key
            where o.holds and r.holds and w.holds and w.run_id <> r.run_id
            group by r.rowid, r.run_id, c.node
            having min(store.nearness(w, r)).run_id = c.node
            union all
            select b.onward from cone c join query_table(back) b on b.node = c.node
        )
    )
    select node as run_id from cone
);

-- Who read the writes in `written` (run_id, dataset_key, version_key): the reads bound to just these.
create or replace macro store.readers(written, links, linked_runs) as table (
    with wanted as (
        select unnest([w.version_key, other.version_key]) as version_key
        from query_table(written) w
        left join query_table(links) mine on mine.version_key = w.version_key
        left join query_table(links) other on other.link = mine.link and other.rank = mine.rank and other.version_key <> w.version_key
    ),
    candidate as (
        select distinct r.run_id, r.dataset_key, r.version_key, r.role, r.read_at, 0 as depth
        from wanted w join store.read r on r.version_key = w.version_key where r.holds
    )
    select run_id, dataset_key, version_key, role, read_at, write.writer_run_id as writer_run_id,
           write.version_key as bound_version_key, case when write.rank = 1 then 'content' else case when write.late then 'version-late' else 'version' end end as how
    from store.bind_by_version('candidate', links, linked_runs)
);

create or replace macro downstream(x) as table (
    with recursive link as materialized (from store.version_link),
    linked_run as materialized (from store.linked_runs('link')),
    thing as materialized (from store.resolve(x)),
    start as materialized (from store.target(x)),
    -- x of a run means that run's writes; x of a version or content means whoever wrote it.
    own as (select distinct s.* from start s join thing t on t.kind in ('run', 'job', 'dataset') or s.writer_run_id is null),
    meant_version as (
        select v.version_key, s.dataset_key, s.role
        from start s join thing t on t.kind = 'version'
        left join store.dataset_alias a on a.dataset_key = s.dataset_key
        left join store.dataset_alias o on o.canonical_key = a.canonical_key
        join store.version v on v.dataset_key = coalesce(o.dataset_key, s.dataset_key) and v.version = t.version
        union
        select d.version_key, s.dataset_key, s.role
        from start s join thing t on t.kind = 'digest' join store.version_digest d on d.digest = t.digest
    ),
    -- All reads that may have seen x, with their bindings.
    maybe as (
        select r.run_id, r.dataset_key, r.version_key, r.role, r.read_at, 0 as depth
        from store.read r
        where r.holds and (
            r.version_key in (select other.version_key from (select version_key from meant_version union select version_key from start) m
                              join link mine on mine.version_key = m.version_key join link other on other.link = mine.link and other.rank = mine.rank
                              union select version_key from meant_version union select version_key from start where version_key is not null)
            or (r.run_id, r.dataset_key, r.role) in (
                select (i.run_id, i.dataset_key, i.role) from store.inferred_read i
                where i.version_key in (select version_key from meant_version)
                    or i.writer_run_id in (select writer_run_id from start where writer_run_id is not null))
            -- A dataset that nobody wrote and that has no versions.
            or (r.version_key is null and r.dataset_key in (
                select coalesce(o.dataset_key, s.dataset_key) from start s
                left join store.dataset_alias a on a.dataset_key = s.dataset_key
                left join store.dataset_alias o on o.canonical_key = a.canonical_key
                where s.writer_run_id is null and s.version_key is null)))
    ),
    bound as materialized (from store.bind('maybe', 'link', 'linked_run')),
    first_reader as (
        -- Of a version or content: whatever was declared to be it, or is bound to it.
        select b.*, m.dataset_key as x_dataset_key, b.version_key as x_version_key
        from bound b join meant_version m on m.version_key in (b.version_key, b.bound_version_key)
        union
        select b.*, o.dataset_key, coalesce(o.version_key, b.bound_version_key)
        from bound b join own o on
            (o.writer_run_id = b.writer_run_id and (o.version_key is not distinct from b.bound_version_key))
            or (o.writer_run_id is null and b.writer_run_id is null
                and (o.version_key = b.version_key or (o.version_key is null and b.version_key is null)))
    ),
    back as materialized (select onward as node, node as onward from store.detours('link', false)),
    below as materialized (from store.cone_below('first_reader', 'back')),
    output as materialized (
        select w.run_id, w.dataset_key, w.version_key, w.role from below b join store.write w on w.run_id = b.run_id where w.holds
    ),
    read_on as materialized (
        select writer_run_id, bound_version_key as version_key, null::uuid as dataset_key, run_id, how
        from store.readers('output', 'link', 'linked_run')
        union
        select i.writer_run_id, i.version_key, case when i.version_key is null then coalesce(a.canonical_key, i.dataset_key) end, i.run_id, 'inferred'
        from store.inferred_read i semi join below on below.run_id = i.writer_run_id
        left join store.dataset_alias a using (dataset_key)
    ),
    walk(run_id, depth) using key (run_id, min(depth)) as (
        select distinct run_id, 0 from first_reader
        union
        select r.run_id, w.depth + 1 from walk w join read_on r on r.writer_run_id = w.run_id
    ),
    found as (
        select null as start, 0 as depth, x_dataset_key as dataset_key, coalesce(x_version_key, bound_version_key) as version_key, role, how,
               writer_run_id, run_id as reader_run_id
        from first_reader
        union all
        select null, 0, dataset_key, version_key, role, null::varchar, writer_run_id, null::uuid from start where not exists (from first_reader)
        union all
        select null, w.depth + 1, o.dataset_key, o.version_key, o.role, r.how, o.run_id, r.run_id
        from output o join walk w on w.run_id = o.run_id
        left join store.dataset_alias a on a.dataset_key = o.dataset_key
        left join read_on r on r.writer_run_id = o.run_id and (
            r.version_key = o.version_key
            or (r.version_key is null and o.version_key is null and r.dataset_key = coalesce(a.canonical_key, o.dataset_key)))
    )
    select * exclude (start) from store.described('found', 'link')
    order by depth, dataset_namespace, store.natural(dataset_name), store.natural(role), version, reader_run_id
);
