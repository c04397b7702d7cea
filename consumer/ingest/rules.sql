-- The two rules that ingest and the truth views share, over any relation with the right columns.

-- Rule R5: statements about reads and writes (of events, or already combined) become one row each.
-- `part`: side, run_id, dataset_key, version_key, role, origin, exact, first_at, last_at, first_declared,
-- last_declared, in_first, in_last. Kept are the versions of the earliest and of the latest declaring event.
create or replace macro store.combine_accesses(part) as table (
    with spoken as (
        select *, bool_or(exact) over (partition by side, run_id, dataset_key) as any_exact from query_table(part)
    ),
    bounded as (
        select
            side, run_id, dataset_key, version_key, role, exact, in_first as was_first, in_last as was_last,
            first_declared as own_first, last_declared as own_last,
            min(origin) over statement as origin,
            min(first_at) over statement as first_at, max(last_at) over statement as last_at,
            min(first_declared) over statement as first_declared, max(last_declared) over statement as last_declared
        from spoken
        where exact = any_exact
        window statement as (partition by side, run_id, dataset_key, role, case when exact then version_key end)
    )
    select
        side, run_id, dataset_key, version_key, role, origin, exact, first_at, last_at, first_declared, last_declared,
        exact or coalesce(bool_or(was_first and own_first = first_declared), false) as in_first,
        exact or coalesce(bool_or(was_last and own_last = last_declared), false) as in_last
    from bounded
    group by side, run_id, dataset_key, version_key, role, origin, exact, first_at, last_at, first_declared, last_declared
    having exact or (version_key is null and first_declared is null)
        or bool_or(was_first and own_first = first_declared) or bool_or(was_last and own_last = last_declared)
);

-- Rule R6, `inferred`: the latest write to the dataset at or before a read, of another run; ties go to the least run
-- id, then the least version. `reading`: run_id, dataset_key, role, read_at, canonical_key.
-- A forwarded write counts only where its version has no other write.
create or replace macro store.infer(reading) as table (
    with written as (
        select coalesce(a.canonical_key, w.dataset_key) as canonical_key, w.written_at, w.run_id, w.version_key, v.version, w.origin
        from store.write w
        left join store.dataset_alias a using (dataset_key)
        left join store.version v using (version_key)
        where w.holds and coalesce(a.canonical_key, w.dataset_key) in (select canonical_key from query_table(reading))
    ),
    judged as (
        select *, min(run_id) filter (where origin <> 'forwarded') over same as least_proper,
               max(run_id) filter (where origin <> 'forwarded') over same as greatest_proper
        from written window same as (partition by canonical_key, version)
    ),
    by_run as (
        select canonical_key, written_at, run_id, arg_min(version_key, version) as version_key
        from judged where origin <> 'forwarded' or least_proper is null group by all
    ),
    ranked as (
        select *, row_number() over (partition by canonical_key, written_at order by run_id) as place from by_run
    ),
    -- One row per instant: the least run, and the next one for readers that are the least run themselves.
    instant as (
        select canonical_key, written_at,
               any_value({written_at: written_at, run: run_id, version: version_key}) filter (where place = 1) as one,
               any_value({written_at: written_at, run: run_id, version: version_key}) filter (where place = 2) as two
        from ranked where place <= 2 group by all
    ),
    -- A stretch of instants where one run alone wrote: that run, reading, looks at the instant before the stretch.
    stretched as (
        select *, lag({one: one, two: two}) over dataset as before,
               coalesce(two is null and lag(two) over dataset is null and lag(one.run) over dataset = one.run, false) as goes_on
        from instant window dataset as (partition by canonical_key order by written_at)
    ),
    looking_back as (
        select canonical_key, written_at, one, two,
               last_value(case when goes_on then null else {it: before} end ignore nulls) over (partition by canonical_key order by written_at) as back
        from stretched
    ),
    found as (
        select r.run_id, r.dataset_key, r.role, r.read_at,
               case
                   when w.one.run <> r.run_id then w.one
                   when w.two is not null then w.two
                   when w.back.it.one.run <> r.run_id then w.back.it.one
                   else w.back.it.two
               end as write
        from query_table(reading) r
        asof join looking_back w on w.canonical_key = r.canonical_key and w.written_at <= r.read_at
    ),
    -- For the one run that wrote a version itself, what others forward of it counts.
    candidate as (
        select run_id, dataset_key, role, read_at, write from found where write is not null and write.run is not null
        union all
        select r.run_id, r.dataset_key, r.role, r.read_at, {written_at: f.written_at, run: f.run_id, version: f.version_key}
        from judged f
        join query_table(reading) r on r.canonical_key = f.canonical_key and r.run_id = f.least_proper and f.written_at <= r.read_at
        where f.origin = 'forwarded' and f.least_proper = f.greatest_proper and f.run_id <> r.run_id
    )
    select c.run_id, c.dataset_key, c.role, c.read_at, c.write.run as writer_run_id, c.write.version as version_key
    from candidate c left join store.version v on v.version_key = c.write.version
    qualify row_number() over (
        partition by c.run_id, c.dataset_key, c.role order by c.write.written_at desc, c.write.run, v.version nulls last) = 1
);
