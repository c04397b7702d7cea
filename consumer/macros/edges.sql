-- The inputs of two runs, side by side, for `why` (why.sql): which are counterparts, whether they hold the same, and
-- which runs wrote them.
--
-- The pairs are guessed (store.guessed_pairs), in shapes that are chosen for 1,000 steps one after the other: each join with
-- a large table is an inner join on one key, so that its hash table is built once. Then what all these have read is put side by side: where
-- there is nothing to choose in one pass (store.read_slots), else by all rules (store.chosen_reads), which also walk on from pair to pair
-- where the guess was wrong.

-- What versions hold, for `asked` (version_key): content {version_key, dataset_key, version, digest, digests, ranks}; `ranks` are those of the digests.
create or replace macro store.contents(asked) as table (
    with wanted as materialized (select version_key from query_table(asked) where version_key is not null),
    digest as materialized (
        select version_key, min({rank: rank, digest: digest}).digest as strongest, list(digest order by digest) as digests, list(rank order by digest) as ranks
        from (select version_key, digest, store.digest_rank(digest) as rank from store.version_digest semi join wanted using (version_key))
        group by version_key
    )
    select v.version_key,
           {version_key: v.version_key, dataset_key: coalesce(a.canonical_key, v.dataset_key), version: v.version,
            digest: g.strongest, digests: coalesce(g.digests, []), ranks: coalesce(g.ranks, [])} as content
    from store.version v semi join wanted using (version_key)
    left join store.dataset_alias a on a.dataset_key = v.dataset_key
    left join digest g on g.version_key = v.version_key
);

-- Whether two contents are the same: by the strongest kind of digest that both have; without digests by version, where the
-- dataset is one. Null where nothing is known to tell by: no version, or only a file's size and time.
create or replace macro store.same_content(one, two) as
    case
        when one.version_key = two.version_key or one.digest = two.digest then true
        when one.digest is not null and two.digest is not null then
            case when list_has_any(one.ranks, two.ranks) then
                list_has_any(list_filter(one.digests, lambda d, i: one.ranks[i] = list_min(list_intersect(one.ranks, two.ranks))), two.digests) end
        when one.digest is not null or two.digest is not null or one.version is null or two.version is null
            or starts_with(one.version, 'stat:') or starts_with(two.version, 'stat:') then null
        else one.dataset_key = two.dataset_key and one.version = two.version
    end;

-- Versions whose contents others may hold, too: (version_key, content), one number for what is the same as far as one digest tells. Of
-- all other versions their keys tell whether they are the same.
create or replace view store.twin as
select version_key, arg_min(hash(digest), store.digest_rank(digest)) as content from store.version_digest where shared group by version_key
union all
select version_key, hash(link) from store.version_link where rank = 0 and version_key not in (select version_key from store.version_digest where shared);
comment on view store.twin is 'Versions whose contents others may hold, too.';
comment on column store.twin.version_key is 'The version.';
comment on column store.twin.content is 'A number, the same for contents that are the same as far as their strongest digest tells.';

-- What was read, by `readings` (store.reads_of), of the versions in `twins` (store.twin), also where no version was declared: (run_id, version_key).
create or replace macro store.twins_read(readings, twins) as table (
    select run_id, version_key
    from (select run_id, version_key from query_table(readings)
          union all
          select i.run_id, i.version_key from store.inferred_read i
          semi join (select run_id from query_table(readings) where version_key is null) r using (run_id))
    semi join query_table(twins) t using (version_key)
);

-- Of `reads` (run_id, version_key) the versions for which several names or equal contents may decide which write was seen: (version_key). Of
-- all others another run has written just this version.
create or replace macro store.versions_unsure(reads) as table (
    select distinct r.version_key from query_table(reads) r
    anti join store.write w on w.version_key = r.version_key and w.run_id <> r.run_id and w.holds
    union
    select version_key from query_table(reads) semi join (from store.version_link where rank = 0) using (version_key)
);

-- Runs that were answered from a cache, each with the run that computed what they handed out, where it is known.
create or replace view store.served_run as
select r.run_id, r.served_from from store.run r semi join store.run o on o.run_id = r.served_from where r.served_from is not null;
comment on view store.served_run is 'Runs that were answered from a cache.';
comment on column store.served_run.run_id is 'The run.';
comment on column store.served_run.served_from is 'The run that computed what it handed out.';

-- What runs have read, with what it holds as one number (store.twin); and what runs have written, with who made it: for those that were
-- answered from a cache (store.served_run) the run that computed it.
create or replace macro store.read_contents(twins) as table (
    select r.*, coalesce(t.content, hash(r.version_key)) as content
    from store.read r left join query_table(twins) t on t.version_key = r.version_key where r.holds
);
create or replace macro store.write_makers(serving) as table (
    select o.*, coalesce(s.served_from, o.run_id) as writer
    from store.write o left join query_table(serving) s on s.run_id = o.run_id where o.holds
);

-- So many levels the command and Python follow in SQL: it takes as long as fetching what 100,000 runs have read (deep_pairs.py).
create or replace macro store.deepest_guess() as 2000;

-- Pairs of runs that look like counterparts, found quickly: (run_a, run_b, depth), no deeper than `deepest`, if given. Versions and their
-- `twins` (store.twin) alone decide here, one read a role, or a role and dataset, on each side; what several names or positions say is left
-- out. `why` checks the guess. There may be 1,000 steps one after the other, so each is two joins: with what the reads hold, and with the runs
-- that made it. What the two runs of a pair have read in a role comes as rows of one `slot`, which the recursion itself makes one row of: its
-- counterparts. deep_pairs.py does the same.
create or replace macro store.guessed_pairs(starts, twins, serving, deepest) as table (
    with recursive step(slot, run_a, run_b, role, depth, content_a, last_a, content_b, last_b, writer_a, writer_b, distance_a, distance_b)
        using key (slot, min(depth), min(content_a), max(last_a), min(content_b), max(last_b),
                   arg_min(writer_a, distance_a), arg_min(writer_b, distance_b), min(distance_a), min(distance_b)) as (
        select hash(run_a, run_b), null::uuid, null::uuid, null::ubigint, 0, 0::ubigint, 0::ubigint, 1::ubigint, 1::ubigint, run_a, run_b, 0::bigint, 0::bigint
        from query_table(starts)
        union
        select slot, run_a, run_b, role, depth, if(of_b, null, content), if(of_b, null, content), if(of_b, content, null), if(of_b, content, null),
               if(of_b, null, writer), if(of_b, writer, null), if(of_b, null, distance), if(of_b, distance, null)
        from (
            select p.run_a, p.run_b, p.depth, if(p.role is null, hash(r.role), null) as role, r.run_id <> p.run_a as of_b,
                   hash(p.run_a, p.run_b, r.role, if(p.role is null, null, r.dataset_key)) as slot,
                   r.content, o.writer, store.seen_distance(r.read_at, o.written_at, o.origin) as distance
            from (
                -- Where they are counterparts, on to the runs that wrote them; where there are several, once more by dataset.
                select writer_a as run_a, writer_b as run_b, depth + 1 as depth, null as role, unnest([writer_a, writer_b]) as run_id
                from step where content_a = last_a and content_b = last_b and content_a <> content_b and writer_a <> writer_b
                    and (deepest is null or depth < deepest)
                union all
                select run_a, run_b, depth, role, unnest([run_a, run_b]) from step where role is not null and (content_a <> last_a or content_b <> last_b)
            ) p
            join store.read_contents(twins) r on r.run_id = p.run_id
            join store.write_makers(serving) o on o.version_key = r.version_key
            where o.run_id <> r.run_id and (p.role is null or hash(r.role) = p.role)
        )
    )
    select writer_a as run_a, writer_b as run_b, min(depth) as depth
    from step where content_a = last_a and content_b = last_b and content_a <> content_b and writer_a <> writer_b group by writer_a, writer_b
);

-- What the runs in `pairs` (run_a, run_b, depth) have read, `of_b` on the second side. A read is known by its place in the table, as one
-- number: several pairs may have it.
create or replace macro store.reads_of(pairs) as table (
    select p.run_a, p.run_b, p.depth, r.run_id <> p.run_a as of_b, r.rowid as read, r.run_id, r.dataset_key, r.version_key, r.role, r.read_at
    from (select run_a, run_b, depth, unnest([run_a, run_b]) as run_id from query_table(pairs)) p
    join store.read r on r.run_id = p.run_id
    where r.holds
);

-- What pairs of runs have read, as rows of both sides, `bound`: side by side where role, part and place are the same: these, plain, and of each side
-- dataset, version, writer, out_role, out_dataset; what one side lacks is null there. `plain`: there is nothing to choose, as nearly
-- everywhere: one read on each side, of the same version, when nobody asks who has written it, or of versions that one other run at
-- most has written (rule R6).
create or replace macro store.in_slots(bound) as table (
    select run_a, run_b, depth, role, part, place,
           coalesce(min(read) filter (not of_b) = max(read) filter (not of_b) and min(read) filter (of_b) = max(read) filter (of_b), false)
           and (coalesce(any_value(version_key) filter (not of_b) = any_value(version_key) filter (of_b), false) or (count(*) = 2 and bool_and(sure))) as plain,
           any_value(dataset_key) filter (not of_b) as dataset_a, any_value(dataset_key) filter (of_b) as dataset_b,
           any_value(version_key) filter (not of_b) as version_a, any_value(version_key) filter (of_b) as version_b,
           any_value(writer) filter (not of_b) as writer_a, any_value(writer) filter (of_b) as writer_b,
           any_value(out_role) filter (not of_b) as out_role_a, any_value(out_role) filter (of_b) as out_role_b,
           any_value(out_dataset) filter (not of_b) as out_dataset_a, any_value(out_dataset) filter (of_b) as out_dataset_b
    from query_table(bound) group by run_a, run_b, depth, role, part, place
);

-- The slots (store.in_slots) of `readings` (store.reads_of), in each role, or `by_name` of each dataset in it. `links`: of versions of which
-- several names or equal contents may decide who has written them. `serving`: see above.
create or replace macro store.read_slots(readings, links, serving, by_name) as table (
    with bound as (
        select r.run_a, r.run_b, r.depth, r.role, if(by_name, r.dataset_key, null) as part, null::bigint as place, r.of_b, r.read, r.dataset_key, r.version_key,
               coalesce(s.served_from, o.run_id) as writer, o.role as out_role, o.dataset_key as out_dataset,
               r.version_key is not null and r.version_key not in (select version_key from query_table(links)) as sure
        from query_table(readings) r
        left join store.write o on o.version_key = r.version_key and o.run_id <> r.run_id and o.holds
        left join query_table(serving) s on s.run_id = o.run_id
    )
    from store.in_slots('bound')
);

-- Of `readings` (store.reads_of) those in `slots` (store.read_slots, `by_name` or not) that are not plain.
create or replace macro store.reads_left(readings, slots, by_name) as table (
    select r.* from query_table(readings) r
    semi join (from query_table(slots) where not plain) s on s.run_a = r.run_a and s.run_b = r.run_b and s.role = r.role and (not by_name or s.part = r.dataset_key)
);

-- What each of `readings` (store.reads_of) is bound to by rule R6, as in bind.sql, whose `links` and `linked_runs` these are, of the versions that
-- are unsure, and which are counterparts, as slots (store.in_slots): those of one dataset, in the order in which they were read; and those
-- of datasets that only one side has, in the order of their names, where there are equally many on both sides.
create or replace macro store.chosen_reads(readings, links, linked_runs, serving) as table (
    -- Where several names or equal contents may decide.
    with doubtful as (
        select distinct run_id, dataset_key, version_key, role, read_at, 0 as depth from query_table(readings)
        where version_key in (select version_key from query_table(links))
    ),
    candidate as (
        select r.read, r.version_key, {sure: true, forwarded: o.origin = 'forwarded', late: o.written_at > r.read_at, distance_us: abs(epoch_us(o.written_at) - epoch_us(r.read_at)),
                       run_id: o.run_id, role: o.role, dataset_key: o.dataset_key, version_key: o.version_key} as write
        from query_table(readings) r join store.write o on o.version_key = r.version_key where o.run_id <> r.run_id and o.holds
        union all
        select r.read, r.version_key, {sure: false, forwarded: false, late: false, distance_us: 0, run_id: r.writer, role: o.role, dataset_key: o.dataset_key, version_key: r.written}
        from (
            select r.read, r.version_key, i.writer_run_id as writer, i.version_key as written
            from query_table(readings) r join store.inferred_read i on i.run_id = r.run_id
            where r.version_key is null and i.dataset_key = r.dataset_key and i.role = r.role
            union all
            select r.read, r.version_key, b.write.writer_run_id, b.write.version_key
            from store.bind_by_version('doubtful', links, linked_runs) b
            join query_table(readings) r on r.run_id = b.run_id and r.dataset_key = b.dataset_key and r.version_key = b.version_key and r.role = b.role
        ) r
        left join store.write o on o.run_id = r.writer and o.version_key = r.written and o.holds
    ),
    seen as (select read, min(write) as write from candidate group by read),
    told as (
        select r.* exclude (version_key), coalesce(r.version_key, w.write.version_key) as version_key, true as sure,
               coalesce(s.served_from, w.write.run_id) as writer, w.write.role as out_role, w.write.dataset_key as out_dataset,
               case when bool_or(not of_b) over name and bool_or(of_b) over name then r.dataset_key end as part
        from query_table(readings) r left join seen w using (read) left join query_table(serving) s on s.run_id = w.write.run_id
        window name as (partition by r.run_a, r.run_b, r.role, r.dataset_key)
    ),
    placed as (
        select t.*, row_number() over (side order by d.namespace, d.name, t.read_at, t.version_key, t.writer, t.out_role, t.out_dataset) as place, count(*) over side as many
        from told t join store.dataset d using (dataset_key)
        window side as (partition by run_a, run_b, role, part, of_b)
    ),
    bound as (
        -- Of those left over nobody knows which belong together, where there are not equally many.
        select * replace (case when part is null and of_b and (count(*) over slot <> 2 * many) then -place else place end as place)
        from placed
        window slot as (partition by run_a, run_b, role, part)
    )
    from store.in_slots('bound')
);

-- Of slots (store.read_slots) by name and not by name the plain ones, and what was `chosen` (store.chosen_reads) of all others.
create or replace macro store.matched_reads(slots, slots_left, chosen) as table (
    from query_table(slots) where plain union all from query_table(slots_left) where plain union all from query_table(chosen)
);

-- The inputs of pairs of runs side by side, `matched` (store.matched_reads): (run_a, run_b, role, dataset_a, dataset_b, version_a, version_b,
-- writer_a, writer_b, same, followed, via). What one side lacks is null there. `followed`: it leads on to the pair of the two writers, by
-- `via` {depth, reader_a, reader_b, dataset_key}. `contents`: of twins (store.contents).
create or replace macro store.side_by_side(matched, contents) as table (
    -- Where outputs have one role and several names, it counts whether they are alone in it.
    with suspicious as (
        select unnest([writer_a, writer_b]) as run_id, out_role_a as role from query_table(matched)
        where out_role_a = out_role_b and out_dataset_a <> out_dataset_b
    ),
    crowd as (
        select run_id, role from store.write w semi join suspicious using (run_id, role)
        where holds group by run_id, role having count(*) > 1
    )
    select m.run_a, m.run_b, m.role, m.dataset_a, m.dataset_b, m.version_a, m.version_b, m.writer_a, m.writer_b,
           coalesce(m.version_a = m.version_b, false) or coalesce(store.same_content(t.content, u.content), false) as same,
           coalesce(m.writer_a <> m.writer_b and coalesce(m.out_role_a, '') = coalesce(m.out_role_b, '')
                    and (coalesce(m.out_dataset_a = m.out_dataset_b, true) or (c.run_id is null and d.run_id is null)), false) as followed,
           {depth: m.depth + 1, reader_a: m.run_a, reader_b: m.run_b, dataset_key: m.dataset_a} as via
    from query_table(matched) m
    left join crowd c on c.run_id = m.writer_a and c.role = m.out_role_a
    left join crowd d on d.run_id = m.writer_b and d.role = m.out_role_b
    left join query_table(contents) t on t.version_key = m.version_a
    left join query_table(contents) u on u.version_key = m.version_b
);
