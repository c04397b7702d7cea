-- The inputs of two runs, side by side, for `why` (why.sql): which are counterparts, whether they hold the same, and
-- which runs wrote them.
--
-- First all reads of all runs are bound to those that have written what they saw (store.slotted_reads), by versions alone. Over these the pairs are
-- guessed (store.guessed_pairs), in shapes that are chosen for 1,000 steps one after the other: each join with a large table is an inner join on
-- one key, so that its hash table is built once. Then what all pairs have read is put side by side: where there is nothing to choose in one
-- join (store.plain_reads), else by all rules (store.chosen_reads), which also walk on from pair to pair where the guess was wrong.

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

-- What the runs in `pairs` have read of the versions in `twins` (store.twin), also where no version was declared: (run_id, version_key).
create or replace macro store.twins_read(pairs, twins) as table (
    with run as materialized (select run_a as run_id from query_table(pairs) union select run_b from query_table(pairs))
    select run_id, version_key
    from (select run_id, version_key from store.read where holds union all select run_id, version_key from store.inferred_read)
    semi join query_table(twins) t using (version_key) semi join run using (run_id)
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

-- Writes of `versions` (version_key) with the times of the reads that have seen them by rule `version` (bind.sql): (version_key, run_id, role, from_at, until_at,
-- sure, alone). Not `sure`: where another run has written it at the same time, as then the least run decides. `alone`: there is no other write.
create or replace macro store.write_spans(versions) as table (
    with held as (from store.write semi join query_table(versions) v using (version_key) where holds),
    written as (
        from held where origin <> 'forwarded'
        union all
        -- What was forwarded counts only where there is nothing else.
        from held where origin = 'forwarded' and version_key not in (select version_key from held where origin <> 'forwarded')
    )
    select version_key, run_id, role, if(lag(written_at) over span is null, '-infinity', written_at) as from_at, lead(written_at, 1, 'infinity') over span as until_at,
           lag(written_at) over span is distinct from written_at as sure, false as alone
    from written window span as (partition by version_key order by written_at, run_id, role)
);

-- The same of versions that were written once, which is sooner.
create or replace view store.only_write as
select version_key, any_value(run_id) as run_id, any_value(role) as role, '-infinity'::timestamp as from_at, 'infinity'::timestamp as until_at,
       true as sure, true as alone
from store.write where holds and version_key is not null group by version_key having count(*) = 1;
comment on view store.only_write is 'Writes of versions that were written once, as of all times.';
comment on column store.only_write.version_key is 'The version.';
comment on column store.only_write.run_id is 'The run that wrote it.';
comment on column store.only_write.role is 'What it wrote it as.';
comment on column store.only_write.from_at is 'Since when a read sees it.';
comment on column store.only_write.until_at is 'And until when.';
comment on column store.only_write.sure is 'Whether that is so for late reads, too.';
comment on column store.only_write.alone is 'There is no other write.';

-- What was read, by its place in the table.
create or replace view store.held_read as select rowid as read, run_id, dataset_key, version_key, role, read_at from store.read where holds;
comment on view store.held_read is 'What was read, by its place in the table.';
comment on column store.held_read.read is 'The place.';
comment on column store.held_read.run_id is 'The run.';
comment on column store.held_read.dataset_key is 'The dataset, as named.';
comment on column store.held_read.version_key is 'The declared version; null for none.';
comment on column store.held_read.role is 'What the run used it as; empty when not said.';
comment on column store.held_read.read_at is 'When.';

-- Roles in which some run has read several things: (role).
create or replace view store.role_of_several as
select distinct role from (select any_value(role) as role from store.held_read group by hash(run_id, role) having count(*) > 1);
comment on view store.role_of_several is 'Roles in which some run has read several things.';
comment on column store.role_of_several.role is 'The role.';

-- Where the counterparts of reads in `roles` of several are to be found: (read, slot, by_role), for what is alone of its dataset in its role, for as
-- many versions of one dataset in the order in which they were read, and for what is alone in the role.
create or replace macro store.slots_of_several(roles) as table (
    with mine as (from store.held_read semi join query_table(roles) r using (role)),
    of_dataset as (
        select any_value(read) as read, hash(any_value(role), any_value(dataset_key)) as slot, hash(run_id, role, dataset_key) as place, count(*) as many from mine group by place
    ),
    crowd as (select place from of_dataset where many > 1),
    crowded as (
        select m.*, m.version_key is not null and w.run_id is null as plain
        from (from mine where hash(run_id, role, dataset_key) in (from crowd)) m
        left join (select distinct run_id, version_key from store.write where holds) w on w.run_id = m.run_id and w.version_key = m.version_key
    )
    select read, slot, false as by_role from of_dataset where many = 1
    union all
    select read, hash(role, dataset_key, row_number() over (side order by read_at, version_key), count(*) over side), false
    from crowded window side as (partition by run_id, role, dataset_key) qualify bool_and(plain) over side
    union all
    select any_value(read), hash(any_value(role)), true from mine group by hash(run_id, role) having count(*) = 1
);

-- Of `reads` (as store.held_read) those of which there is nothing to choose, by versions alone, each with the run that has written what it saw, of `writes`
-- (store.write_spans), if any: (read, run_id, dataset_key, version_key, role, slot, key, by_role, content, writer, out_role, alone). `slot`: where its counterpart
-- is to be found, `slots` (store.slots_of_several) for the `roles` of several, else the role; `key`: the same of this run. `content`: what it
-- holds, as one number (store.twin). `writer`: of what was handed out from a cache (store.served_run) the run that computed it.
create or replace macro store.slotted_reads(reads, writes, roles, slots, twins, serving) as table (
    select r.read, r.run_id, r.dataset_key, r.version_key, r.role, coalesce(l.slot, hash(r.role)) as slot, hash(r.run_id, coalesce(l.slot, hash(r.role))) as key, coalesce(l.by_role, false) as by_role,
           coalesce(t.content, hash(r.version_key)) as content, if(w.run_id = r.run_id, null, coalesce(s.served_from, w.run_id)) as writer, w.role as out_role, coalesce(w.alone, false) as alone
    from query_table(reads) r
    left join query_table(writes) w on w.version_key = r.version_key and r.read_at >= w.from_at and r.read_at < w.until_at
    left join query_table(slots) l on l.read = r.read
    left join query_table(twins) t on t.version_key = r.version_key
    left join query_table(serving) s on s.run_id = w.run_id
    where r.version_key is not null and (l.read is not null or r.role not in (from query_table(roles)))
        and (w.role is null or w.alone or (w.sure and w.run_id <> r.run_id))
);

-- So many levels the command and Python follow in SQL, 0.02 ms each with few runs; more of them are sooner in Python (deep_pairs.py).
create or replace macro store.deepest_guess() as 2000;

-- Pairs of runs that look like counterparts, found quickly: (run_a, run_b, depth), no deeper than `deepest`, if given. Versions and their
-- twins alone decide here, by what was `read` of what others have written (store.slotted_reads). `why` checks the guess. There may be 1,000
-- steps one after the other, so each is two joins. deep_pairs.py does the same.
create or replace macro store.guessed_pairs(starts, reads, deepest) as table (
    with recursive walk(run_a, run_b, depth) using key (run_a, run_b, min(depth)) as (
        select run_a, run_b, 0 from query_table(starts)
        union
        select x.writer, y.writer, w.depth + 1
        from walk w join query_table(reads) x on x.run_id = w.run_a join query_table(reads) y on y.key = hash(w.run_b, x.slot)
        where x.content <> y.content and x.writer <> y.writer and (not x.by_role or x.dataset_key <> y.dataset_key) and (deepest is null or w.depth < deepest)
    )
    from walk
);

-- What the runs in `pairs` (run_a, run_b, depth) have read, as store.held_read.
create or replace macro store.held_by(pairs) as table (
    from store.held_read semi join (select run_a as run_id from query_table(pairs) union all select run_b from query_table(pairs)) using (run_id)
);

-- Of `reads` (store.slotted_reads) what the run had written itself before: that is no input of it.
create or replace macro store.read_again(reads) as table (
    select distinct s.read from query_table(reads) s join store.read r on r.rowid = s.read
    join store.write w on w.run_id = s.run_id and w.version_key = s.version_key and w.written_at < r.read_at
    where w.holds and (s.writer is null or not s.alone)
);

-- Versions of which it decides something in `pairs` which of several runs has written them, where `reads` (store.slotted_reads) do not know it, with
-- all others that were written as many times, and of which `writes` (store.write_spans) do not tell: (version_key). After the first time with all that
-- were written up to twice as often, so that it is asked for a few times, however differently often the steps of a pipeline were done.
create or replace macro store.versions_undecided(pairs, reads, writes) as table (
    with silent as (from query_table(reads) where out_role is null and version_key in (select version_key from store.write where holds)),
    undecided as (
        select x.version_key from query_table(pairs) p join silent x on x.run_id = p.run_a join query_table(reads) y on y.key = hash(p.run_b, x.slot) where x.version_key <> y.version_key
        union
        select y.version_key from query_table(pairs) p join silent y on y.run_id = p.run_b join query_table(reads) x on x.key = hash(p.run_a, y.slot) where x.version_key <> y.version_key
    ),
    often as (select distinct times from (select count(*) as times from store.write semi join undecided using (version_key) where holds group by version_key)),
    most as (select if(bool_or(not alone), 2 * (select max(times) from often), 0) as times from query_table(writes))
    select version_key from store.write anti join query_table(writes) w using (version_key)
    where holds and version_key is not null group by version_key having count(*) in (from often) or count(*) <= (from most)
);

-- What pairs of runs (run_a, run_b, depth) have read, `of_b` on the second side, but not what they had written themselves. A read is known by its
-- place in the table, as one number: several pairs may have it.
create or replace macro store.reads_of(pairs) as table (
    select p.run_a, p.run_b, p.depth, r.run_id <> p.run_a as of_b, r.rowid as read, r.run_id, r.dataset_key, r.version_key, r.role, r.read_at
    from (select run_a, run_b, depth, unnest([run_a, run_b]) as run_id from query_table(pairs)) p
    join store.read r on r.run_id = p.run_id
    where r.holds and not exists (
        from store.write w where w.run_id = r.run_id and w.version_key = r.version_key and w.written_at < r.read_at and w.holds
    )
);

-- Reads of counterparts of which there is nothing to choose, side by side, as nearly everywhere: `reads` (store.slotted_reads) of both runs in `pairs`
-- (run_a, run_b, depth), if they are of the same version, when nobody asks who has written it, or of versions without `links`, of which several
-- names or equal contents may decide who has. Of each side read, dataset, version, writer, out_role.
create or replace macro store.plain_reads(pairs, reads, links) as table (
    select p.run_a, p.run_b, p.depth, x.role, x.read as read_a, y.read as read_b, x.dataset_key as dataset_a, y.dataset_key as dataset_b, x.version_key as version_a,
           y.version_key as version_b, x.writer as writer_a, y.writer as writer_b, x.out_role as out_role_a, y.out_role as out_role_b
    from query_table(pairs) p join query_table(reads) x on x.run_id = p.run_a join query_table(reads) y on y.key = hash(p.run_b, x.slot)
    where (x.version_key = y.version_key or (x.version_key not in (select version_key from query_table(links)) and y.version_key not in (select version_key from query_table(links))))
        and (not x.by_role or x.dataset_key <> y.dataset_key)
);

-- How many reads of `pairs` are not `plain` (store.plain_reads): one row, if any.
create or replace macro store.reads_missing(pairs, plain) as table (
    select reads from (
        select count(*) - 2 * (select count(*) from query_table(plain)) as reads
        from (select unnest([run_a, run_b]) as run_id from query_table(pairs)) p join store.held_read r on r.run_id = p.run_id
    )
    where reads > 0
);

-- These, as store.reads_of.
create or replace macro store.reads_left(pairs, plain) as table (
    with counted as materialized (select run_id, count(*) as reads from store.held_by(pairs) group by run_id),
    matched as (select run_a, run_b, count(*) as reads from query_table(plain) group by run_a, run_b),
    incomplete as materialized (
        select p.* from query_table(pairs) p left join counted x on x.run_id = p.run_a left join counted y on y.run_id = p.run_b
        left join matched m on m.run_a = p.run_a and m.run_b = p.run_b
        where coalesce(x.reads, 0) <> coalesce(m.reads, 0) or coalesce(y.reads, 0) <> coalesce(m.reads, 0)
    ),
    known as (select run_a, run_b, unnest([read_a, read_b]) as read from query_table(plain) semi join incomplete using (run_a, run_b))
    from store.reads_of('incomplete') anti join known using (run_a, run_b, read)
);

-- What each of `readings` (store.reads_of) is bound to by rule R6, as in bind.sql, whose `links` and `linked_runs` these are, of the versions that
-- are unsure, and which are counterparts, side by side as store.plain_reads, where what one side lacks is null: those of one dataset, in the order in which
-- they were read; and those of datasets that only one side has, in the order of their names, where there are equally many on both sides.
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
        select r.* exclude (version_key), coalesce(r.version_key, w.write.version_key) as version_key,
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
    select run_a, run_b, depth, role,
           any_value(dataset_key) filter (not of_b) as dataset_a, any_value(dataset_key) filter (of_b) as dataset_b,
           any_value(version_key) filter (not of_b) as version_a, any_value(version_key) filter (of_b) as version_b,
           any_value(writer) filter (not of_b) as writer_a, any_value(writer) filter (of_b) as writer_b,
           any_value(out_role) filter (not of_b) as out_role_a, any_value(out_role) filter (of_b) as out_role_b,
           any_value(out_dataset) filter (not of_b) as out_dataset_a, any_value(out_dataset) filter (of_b) as out_dataset_b
    from bound group by run_a, run_b, depth, role, part, place
);

-- Those that are plain (store.plain_reads), and what was `chosen` (store.chosen_reads) of all others.
create or replace macro store.matched_reads(plain, chosen) as table (
    select * exclude (read_a, read_b), dataset_a as out_dataset_a, dataset_b as out_dataset_b from query_table(plain) union all by name from query_table(chosen)
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
