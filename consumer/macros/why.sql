-- Why two results differ: docs/why.md says how causes are found and graded.
--
-- Each step is a macro over the answers of earlier ones. `why` takes them all in one query, for SQL; queries/why_steps.sql takes them one by
-- one, for the command and Python, and leaves out what cannot say anything: half of the time goes into planning.

-- The pairs of runs that wrote what a and b are, of `targets` (store.targets_of): (run_a, run_b, via, known). `via`: how far from the result (`depth`), and the
-- readers through which a pair was reached. `known`: that they differ.
create or replace macro store.first_pairs(targets) as table (
    select run_a, run_b, {depth: 0, reader_a: null::uuid, reader_b: null::uuid, dataset_key: min(dataset_key)} as via, bool_or(not same) as known
    from query_table(targets) where same is not true and run_a <> run_b group by run_a, run_b
);

-- The runs to compare, where they cannot be guessed (store.guessed_pairs): (run_a, run_b, depth).
create or replace macro store.walked_pairs(starts, links, linked_runs, contents, serving) as table (
    with recursive walk(run_a, run_b, depth) using key (run_a, run_b, min(depth)) as (
        select run_a, run_b, 0 from query_table(starts)
        union
        select writer_a, writer_b, via.depth
        from (
            with reading as (from store.reads_of('walk')),
            chosen as (from store.chosen_reads('reading', links, linked_runs, serving))
            from store.side_by_side('chosen', contents)
        )
        where followed and not same
    )
    from walk
);

-- The pairs that are reached from those of which `sides` are the inputs (store.side_by_side), each by its shortest way: (run_a, run_b, via).
create or replace macro store.reached_pairs(starts, sides) as table (
    select run_a, run_b, min(via) as via
    from (select run_a, run_b, via from query_table(starts)
          union all select writer_a, writer_b, via from query_table(sides) where followed and not same)
    group by run_a, run_b
);

-- Where a guess is wrong, by what is reached from it: it is right if that is just its own pairs, each as far from the result; else it is not used.
create or replace macro store.misguesses(guess, reached) as table (
    select g.run_a, g.run_b, p.run_a as other_a, p.run_b as other_b
    from query_table(guess) g full join query_table(reached) p on p.run_a = g.run_a and p.run_b = g.run_b
    where g.depth is distinct from p.via.depth
);

-- Where a pair has read the same, what differs arose there: `level`. (run_a, run_b, depth, level).
create or replace macro store.judged_pairs(pairs, sides) as table (
    select p.run_a, p.run_b, p.via.depth as depth, u.run_a is null as level
    from query_table(pairs) p
    left join (select distinct run_a, run_b from query_table(sides) where not same) u on u.run_a = p.run_a and u.run_b = p.run_b
);

-- Pairs that have read the same and were themselves asked for the same: it may have been the run around them that was not.
create or replace macro store.silent_pairs(levels, differences) as table (
    select run_a, run_b from query_table(levels)
    anti join (select run_a, run_b from query_table(differences) where kind = 'asked') s using (run_a, run_b)
);

-- Pairs that were asked for the same and of which only one has read what some run made, or an input more, or another output, or an object
-- without a name of its own: what was handed to them was decided by the run around them. (run_a, run_b).
create or replace macro store.rewired_pairs(sides, differences) as table (
    with loose as (
        select * from query_table(sides)
        anti join (select run_a, run_b from query_table(differences) where kind = 'asked') s using (run_a, run_b)
        where not same and not followed
    )
    select run_a, run_b from loose where dataset_a is null or dataset_b is null or writer_a is not null or writer_b is not null
    union
    -- Rule R8 calls it by its reader's job.
    select l.run_a, l.run_b from loose l
    join store.dataset d on d.dataset_key = l.dataset_a join store.run r on r.run_id = l.run_a join store.job j on j.job_key = r.job_key
    where d.namespace = j.namespace and d.name = j.name || '/' || l.role
);

-- Pairs whose settings may have had an effect besides what they were asked for.
create or replace macro store.pairs_besides(judgements, differences) as table (
    select run_a, run_b, depth from query_table(judgements)
    semi join (select run_a, run_b from query_table(differences) where kind = 'asked') a using (run_a, run_b) where level or depth = 0
);

-- Where they ran is compared where it may be the cause, or is worth a word: not for each of 100,000 runs.
create or replace macro store.pairs_looked_at(judgements, besides, differences, sides) as table (
    select run_a, run_b from query_table(judgements)
    anti join (select run_a, run_b from query_table(differences) where kind = 'asked') a using (run_a, run_b) where level
    union
    (select run_a, run_b from query_table(besides) order by depth = 0 desc, depth desc, run_a, run_b limit 100)
    union
    select run_a, run_b from query_table(judgements) where depth = 0
    union
    select run_a, run_b from query_table(sides) where not same and not followed
);

-- Per pair of which there is something to be said: which explanations there are.
create or replace macro store.explanations(starts, judgements, levels, silents, sides, differences, reorders, settings) as table (
    with spoken as materialized (
        select run_a, run_b from query_table(levels) union select run_a, run_b from query_table(differences) union select run_a, run_b from query_table(settings)
    )
    select run_a, run_b, max(depth) as depth, bool_or(level) as level, bool_or(known) as known, bool_or(asked) as asked, bool_or(chance) as chance,
           bool_or(other) as other, bool_or(slight) as slight, bool_or(place) or (bool_or(loose) and not bool_or(covered)) as place,
           bool_or(moved) as moved, bool_or(covered) as covered, bool_or(recorded) as recorded
    from (
        select run_a, run_b, depth, level, false as known, false as asked, false as chance, false as other, false as slight, false as place,
               false as loose, false as moved, false as covered, false as recorded from query_table(judgements) semi join spoken using (run_a, run_b)
        union all by name
        -- Of those that were asked for different things it does not matter.
        select run_a, run_b, true as known from store.pairs_known_to_differ(silents, sides)
        union all by name
        select run_a, run_b, true as known from query_table(starts) semi join spoken using (run_a, run_b) where known
        union all by name
        select run_a, run_b, kind = 'asked' as asked, kind in ('chance', 'used') and coalesce(drawn, false) as chance,
               kind in ('asked', 'renamed', 'chance') as other, kind = 'used' as slight, kind = 'covered' as covered, kind = 'recorded' as recorded
        from query_table(differences)
        union all by name
        -- What was read was not quite the same.
        select run_a, run_b, true as asked, true as other from query_table(reorders)
        union all by name
        -- Code that no snapshot holds, and code that was committed: the digest of a step's code is the better evidence.
        select run_a, run_b, what not in ('code', 'commit') as place, what = 'code' as loose, what = 'commit' as moved from query_table(settings)
    )
    group by run_a, run_b
);

-- Pairs of which nothing that is recorded explains that they differ.
create or replace macro store.unexplained_pairs(explanations) as table (
    select run_a, run_b, depth, known, recorded, covered from query_table(explanations)
    where level and not (other or chance or slight or place or (moved and not covered))
);

-- What is told: (grade, weight, run_a, run_b, depth, role, what, value_a, value_b, tail), in the order of the grades and weights.
create or replace macro store.causes(a, b, targets, ends, insides, reorders, differences, settings, besides, explanations, unexplained, lost) as table (
    select 0 as grade, 1 as weight, i.run_a, i.run_b, null as depth, i.slot as role, i.what, i.value_a, i.value_b, r.name as tail
    from query_table(insides) i join query_table(ends) r on r.run_a is not distinct from i.run_a and r.run_b is not distinct from i.run_b and r.slot = i.slot
    union all
    select case when r.in_a and r.in_b and r.same is null then 1 when i.slot is not null then 2 else 0 end, 2, r.run_a, r.run_b, null, r.slot,
           case when not r.in_b then 'input only in a' when not r.in_a then 'input only in b' when r.same is null then 'unknown input' else 'input' end,
           r.content_a, r.content_b, r.name
    from query_table(ends) r left join (select distinct run_a, run_b, slot from query_table(insides)) i
        on i.run_a is not distinct from r.run_a and i.run_b is not distinct from r.run_b and i.slot = r.slot
    union all
    select 0, 2, run_a, run_b, null, slot, 'order of columns', value_a, value_b, null from query_table(reorders)
    union all
    -- One change that came with several runs, such as one seed for all of them, is one cause: where it is sure to have had
    -- an effect, else where something was drawn, else where it came first. A seed from which a run drew nothing is not sure to have had one
    -- where the run was asked for something else besides (`idle`).
    select case when case when kind = 'renamed' then g.level and not g.asked and not g.chance
                          when kind = 'chance' then coalesce(drawn, g.level and not g.asked)
                          else (g.level and not o.idle) or (not bool_or(g.level and not o.idle) over change
                                           and row_number() over (change order by coalesce(o.drawn, false) desc, g.depth desc, o.run_a, o.run_b) = 1) end
                then 0 else 2 end,
           case what when 'seed' then 3 when 'parameter' then 4 when 'code' then 5 else 6 end,
           o.run_a, o.run_b, g.depth, null, concat_ws(' ', what, nullif(key, '')), value_a, value_b, null
    from (
        select d.*, d.what = 'seed' and not coalesce(d.drawn, true) and i.run_a is not null as idle
        from query_table(differences) d left join (
            select distinct run_a, run_b from query_table(differences) semi join (from query_table(differences) where what = 'seed' and not drawn) s using (run_a, run_b)
            where kind = 'asked' and what <> 'seed'
        ) i on i.run_a = d.run_a and i.run_b = d.run_b
    ) o join query_table(explanations) g using (run_a, run_b) left join store.run r on r.run_id = o.run_a
    where kind in ('asked', 'renamed', 'chance')
    window change as (partition by o.what, o.key, o.base_a, o.base_b, case when o.what = 'parameter' then r.job_key end)
    qualify o.what <> 'order of calls' or (g.level and not g.asked and not g.chance) or row_number() over (change order by g.depth desc, o.run_a, o.run_b) = 1
    union all
    select case when g.level and g.known and not g.asked and not g.chance and case p.what when 'commit' then not (g.place or g.slight or g.covered) when 'code' then not g.covered else true end then 0 else 2 end,
           -- What only one of them had is the less likely.
           case when p.value_a is null or p.value_b is null then 8 else 7 end,
           run_a, run_b, g.depth, null, concat_ws(' ', p.what, nullif(p.key, '')), p.value_a, p.value_b, null
    from query_table(settings) p join query_table(explanations) g using (run_a, run_b)
    union all
    -- Not all of them were compared.
    select 2, 11, null, null, 0, null, 'setting', 'compared for 100 of ' || pairs || ' runs, those furthest from the result', null, null
    from (select count(*) as pairs from query_table(besides)) where pairs > 100
    union all
    -- Sources of chance that were seen to be used.
    select case when o.drawn or (g.level and g.known and not g.asked and not g.chance) then 0 else 2 end,
           9, run_a, run_b, g.depth, null, o.what, o.value_a, o.value_b, null
    from query_table(differences) o join query_table(explanations) g using (run_a, run_b) where o.kind = 'used'
    union all
    -- Nothing that is recorded differs.
    select case when missing is null then 0 else 1 end, 10, run_a, run_b, depth, null, case when missing is null then 'non-determinism' else 'unknown' end,
           coalesce(missing, run_a::varchar), case when missing is null then run_b::varchar end, null
    from (
        select u.*, case when not known then 'no digest of what it wrote' when not recorded then 'nothing is recorded of its parameters and code'
                         else coalesce(l.within, case when not covered then 'code in use was not kept: ' || l.files end, 'only the type is known of parameter ' || l.parameters) end as missing
        from query_table(unexplained) u left join query_table(lost) l on l.run_a = u.run_a and l.run_b = u.run_b
    )
    union all
    select 0, 2, run_a, run_b, 0, slot, 'output', content_a, content_b, name from query_table(targets) where same is not true and run_a = run_b
    union all
    -- Without anything to compare, no answer would read as if nothing differed.
    select 0, 0, null, null, 0, null,
           error('unknown: nothing of ' || a::varchar || ' can be compared with ' || b::varchar || ': name one output of each'), null, null, null
    from (select count(*) as pairs from query_table(targets)) where pairs = 0
);

-- The same of several runs of a job is told once, of those furthest from the result.
create or replace macro store.told_causes(causes, pairs) as table (
    select c.grade, c.weight, j.name as job_name, c.role, c.what, c.value_a, c.value_b, c.tail, count(distinct (c.run_a, c.run_b)) as runs,
           min({nearness: -coalesce(c.depth, p.via.depth + 1, 0), run_a: c.run_a, run_b: c.run_b}) as first
    from query_table(causes) c left join query_table(pairs) p on p.run_a = c.run_a and p.run_b = c.run_b
    left join store.run r on r.run_id = c.run_a left join store.job j on j.job_key = r.job_key
    group by c.grade, c.weight, j.name, c.role, c.what, c.value_a, c.value_b, c.tail
);

-- The pairs in which they arose.
create or replace macro store.pairs_shown(told) as table (select distinct first.run_a as run_a, first.run_b as run_b from query_table(told));

-- And ranked, each with the way from it to the result, of `ways` (store.ways).
create or replace macro store.ranked_causes(told, ways) as table (
    select row_number() over (order by t.grade, t.first.nearness, t.weight, store.natural(t.what), store.natural(t.role), w.text, t.first, t.value_a, t.value_b, t.tail) as rank,
           t.job_name, t.role, t.what, t.value_a as a, t.value_b as b,
           case when t.tail is null then w.text when w.run_a is null then t.tail else concat_ws(' ← ', w.text, t.job_name, t.tail) end as path,
           ['cause', 'unknown', 'also'][t.grade + 1] as grade, t.first.run_a::varchar as run_a, t.first.run_b::varchar as run_b, t.runs
    from query_table(told) t left join query_table(ways) w on w.run_a = t.first.run_a and w.run_b = t.first.run_b
    order by rank
);

-- The two upstreams are walked in step, by the role of each input, and no further than to equal contents.
create or replace macro why(a, b) as table (
    with target as materialized (from store.targets_of(a, b)),
    start as materialized (from store.first_pairs('target')),
    serving as materialized (from store.served_run),
    twin as materialized (from store.twin),
    several as materialized (from store.role_of_several),
    place_of_several as materialized (from store.slots_of_several('several')),
    writing as (from store.write_spans('store.version')),
    known as materialized (from store.slotted_reads('store.held_read', 'writing', 'several', 'place_of_several', 'twin', 'serving')),
    again as materialized (from store.read_again('known')),
    read as materialized (from known anti join again using (read)),
    guess as materialized (from store.guessed_pairs('start', 'read', null)),
    twin_read as materialized (from store.twins_read('guess', 'twin')),
    unsure as materialized (from store.versions_unsure('twin_read')),
    link as materialized (from store.links_around('unsure')),
    linked_run as materialized (from store.linked_runs('link')),
    content as materialized (from store.contents('twin_read')),
    plain as materialized (from store.plain_reads('guess', 'read', 'link')),
    remaining as materialized (from store.reads_left('guess', 'plain')),
    chosen as materialized (from store.chosen_reads('remaining', 'link', 'linked_run', 'serving')),
    matched as materialized (from store.matched_reads('plain', 'chosen')),
    looked_up as materialized (from store.side_by_side('matched', 'content')),
    reached as materialized (from store.reached_pairs('start', 'looked_up')),
    misguess as materialized (from store.misguesses('guess', 'reached')),
    unguessed as (from start where exists (from misguess)),
    every_link as materialized (from store.version_link),
    every_linked_run as materialized (from store.linked_runs('every_link')),
    every_content as materialized (from store.contents('twin')),
    walk as materialized (from store.walked_pairs('unguessed', 'every_link', 'every_linked_run', 'every_content', 'serving')),
    walked as materialized (from store.reads_of('walk')),
    walked_chosen as materialized (from store.chosen_reads('walked', 'every_link', 'every_linked_run', 'serving')),
    side as materialized (from looked_up where not exists (from misguess) union all from store.side_by_side('walked_chosen', 'every_content')),
    pair as materialized (from store.reached_pairs('start', 'side')),
    judged as materialized (from store.judged_pairs('pair', 'side')),
    level as materialized (select run_a, run_b from judged where level),
    doubtful as materialized (from store.doubtful_pairs('pair', 'level')),
    said as materialized (from store.asked_differences('doubtful')),
    silent as materialized (from store.silent_pairs('level', 'said')),
    rewired as materialized (from store.rewired_pairs('side', 'said')),
    around as materialized (from silent union from rewired),
    own as materialized (from said union all by name from store.outer_differences('around', 'said')),
    besides as materialized (from store.pairs_besides('judged', 'own')),
    looked as materialized (from store.pairs_looked_at('judged', 'besides', 'own', 'side')),
    place as materialized (from store.setting_differences('looked')),
    reordered as materialized (from store.order_differences('silent', 'side')),
    raw as materialized (from store.loose_ends('side', 'target')),
    inside as materialized (from store.inside_differences('raw')),
    ground as materialized (from store.explanations('start', 'judged', 'level', 'silent', 'side', 'own', 'reordered', 'place')),
    unexplained as materialized (from store.unexplained_pairs('ground')),
    lost as materialized (from store.not_recorded('unexplained')),
    cause as materialized (
        from store.causes(a, b, 'target', 'raw', 'inside', 'reordered', 'own', 'place', 'besides', 'ground', 'unexplained', 'lost')
    ),
    told as materialized (from store.told_causes('cause', 'pair')),
    shown as materialized (from store.pairs_shown('told')),
    way as materialized (from store.ways('shown', 'pair'))
    from store.ranked_causes('told', 'way')
);

comment on macro table why is 'Why two results differ: first causes, ranked, and what else differs.';
