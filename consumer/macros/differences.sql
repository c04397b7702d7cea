-- What `why` (why.sql) compares of two runs or versions, one macro each. They are many because DuckDB plans a query with
-- n common table expressions in one list in about n³: sixty in a row take seconds, in groups of ten they take none.

-- In which leaves a column differs, of both sides' leaves in hex: 32 bytes for each 65,536 rows. A leaf that has more rows on
-- one side is left out. Null where they are not known.
create or replace macro store.differing_leaves(a, rows_a, b, rows_b) as
    list_filter(range(least(length(a) // 64, length(b) // 64,
                            case when rows_a is null or rows_b is null then 0
                                 when rows_a = rows_b then (rows_a + 65535) // 65536 else least(rows_a, rows_b) // 65536 end)),
                lambda i: substr(a, 64 * i + 1, 64) <> substr(b, 64 * i + 1, 64));

-- Which rows these are, as text; null where there are none.
create or replace macro store.row_ranges(leaves, last_row) as
    nullif(array_to_string(list_transform(
        list_zip(list_filter(leaves, lambda i: not list_contains(leaves, i - 1)), list_filter(leaves, lambda i: not list_contains(leaves, i + 1))),
        lambda r: (65536 * r[1]) || ' to ' || least(65536 * r[2] + 65535, last_row)), ', '), '');

-- Columns and tensors of the versions in `asked` (version_key): version_key, kind, name, content {digest, type, leaves, rows}.
create or replace macro store.insides(asked) as table (
    with wanted as materialized (
        select v.version_key, v.dataset_key, v.version
        from (select unnest(list(distinct version_key)) as version_key from query_table(asked)) a join store.version v using (version_key)
    ),
    -- A run says what it has read or written in its own events; where several do, two of them are heard.
    speaker as materialized (
        select version_key, unnest([min(run_id), max(run_id)]) as run_id
        from (select version_key, run_id from store.read semi join wanted using (version_key)
              union all select version_key, run_id from store.write semi join wanted using (version_key))
        group by version_key
    ),
    heard as materialized (select unnest(list(distinct run_id)) as run_id from speaker),
    said as materialized (
        select f.event_digest, f.location, f.ordinal, f.dataset_key, f.key, f.body
        from store.facet f join heard on heard.run_id = f.run_id
        where f.key in ('version', 'relineage_content', 'relineage_model') and f.location in ('inputs', 'outputs')
        union all
        select f.event_digest, f.location, f.ordinal, f.dataset_key, f.key, f.body
        from store.facet f where f.location = 'dataset' and f.key in ('version', 'relineage_content', 'relineage_model')
    ),
    -- As in store.version_facet, but of these events only.
    entry as materialized (
        select event_digest, location, ordinal, dataset_key,
               any_value(body) filter (where key = 'version') as version_body,
               any_value(body) filter (where key = 'relineage_content') as content_body,
               any_value(body) filter (where key = 'relineage_model') as model_body
        from said semi join wanted using (dataset_key)
        group by event_digest, location, ordinal, dataset_key
    ),
    body as materialized (
        select distinct w.version_key, unnest([{key: 'relineage_content', body: e.content_body}, {key: 'relineage_model', body: e.model_body}], recursive := true)
        from entry e join wanted w on w.dataset_key = e.dataset_key and w.version = store.declared_version(e.version_body, e.content_body)
    ),
    member as materialized (
        select version_key, 'column' as kind, c.name as name, {digest: c.digest, type: c.type, leaves: c.leaves, rows: rows} as content
        from (select version_key, try_cast(body ->> '$.rows' as bigint) as rows,
                     unnest(from_json(json_extract(body, '$.columns'), '[{"name": "VARCHAR", "type": "VARCHAR", "digest": "VARCHAR", "leaves": "VARCHAR"}]')) as c
              from body where key = 'relineage_content')
        union all
        select version_key, 'tensor', t.name, {digest: t.digest, type: t.dtype || t.shape::varchar, leaves: null, rows: null}
        from (select version_key, unnest(from_json(json_extract(body, '$.tensorDigests'), '[{"name": "VARCHAR", "dtype": "VARCHAR", "shape": "JSON", "digest": "VARCHAR"}]')) as t
              from body where key = 'relineage_model')
    )
    select version_key, kind, name, min(content) as content from member group by version_key, kind, name
);

-- Of columns or tensors that differ each is named, unless there are too many to be read.
create or replace macro store.most_named() as 20;

-- The results that a and b are, side by side: (run_a, run_b, slot, name, dataset_key, version_a, version_b, content_a, content_b,
-- same, bare). Two runs without outputs stand for themselves: `bare`.
create or replace macro store.targets_of(a, b) as table (
    with asked as materialized (select unnest([{side: 'a', term: a::varchar}, {side: 'b', term: b::varchar}], recursive := true)),
    named_once as (select unnest(list_distinct([a::varchar, b::varchar])) as term),
    resolved as materialized (from store.resolve_each('named_once')),
    thing as (select a.side, r.run_id from asked a join resolved r using (term)),
    found as materialized (select a.side, t.* exclude (term) from asked a join store.target_of('resolved') t using (term)),
    writer as materialized (select writer_run_id as run_id from found group by writer_run_id having count(*) > 1),
    part as materialized (select *, true as is_part from store.parts_written('writer')),
    -- Of a run each output as a whole: what is a part of one counts where it is what was asked for.
    told as materialized (
        select f.* from found f left join part p on p.run_id = f.writer_run_id and p.dataset_key = f.dataset_key and p.role = f.role
        qualify p.is_part is null or bool_and(p.is_part is not null) over (partition by side)
    ),
    bare as materialized (
        select x.run_id as run_a, y.run_id as run_b from thing x join thing y on x.side = 'a' and y.side = 'b'
        where x.run_id is not null and y.run_id is not null
            and (select count(*) from store.write w where w.holds and w.run_id in (select run_id from thing)) = 0
    ),
    -- What an outer run has handed on, an inner one has made: it is that write, or one with the same content by a run within.
    made_within as materialized (
        select f.run_id, f.version_key, f.role, min({distance_us: abs(epoch_us(o.written_at) - epoch_us(f.written_at)), run_id: o.run_id}).run_id as inner_run
        from told t join store.write f on f.run_id = t.writer_run_id and f.version_key = t.version_key and f.role = t.role and f.holds
        join (
            select version_key, version_key as same_key from told
            union
            select t.version_key, o.version_key from told t
            join store.version_digest m on m.version_key = t.version_key and m.shared join store.version_digest o on o.digest = m.digest and o.shared
        ) s on s.version_key = f.version_key
        join store.write o on o.version_key = s.same_key and o.holds and o.origin <> 'forwarded' and o.run_id <> f.run_id
        join store.run r on r.run_id = o.run_id
        where (f.origin = 'forwarded' and s.same_key = f.version_key) or r.parent_run_id = f.run_id
        group by f.run_id, f.version_key, f.role
    ),
    target as materialized (
        select t.side, t.dataset_key, t.version_key, t.role, coalesce(s.served_from, i.inner_run, t.writer_run_id) as writer
        from told t left join made_within i on i.run_id = t.writer_run_id and i.version_key = t.version_key and i.role = t.role
        left join store.served_run s on s.run_id = coalesce(i.inner_run, t.writer_run_id)
    ),
    named as (
        select t.*, d.name, c.content, count(*) over (partition by side) as outputs,
               case when t.role = '' then d.name when count(*) over (partition by side, t.role) > 1 then t.role || ' ' || d.name else t.role end as slot
        from target t join store.dataset d using (dataset_key) left join store.contents('target') c on c.version_key = t.version_key
    )
    select x.writer as run_a, y.writer as run_b, x.slot, x.name, x.dataset_key, x.version_key as version_a, y.version_key as version_b,
           coalesce(x.content.digest, x.content.version) as content_a, coalesce(y.content.digest, y.content.version) as content_b,
           store.same_content(x.content, y.content) as same, false as bare
    from named x join named y on x.side = 'a' and y.side = 'b' and (x.slot = y.slot or (x.outputs = 1 and y.outputs = 1))
    where not exists (from bare)
    union all
    select run_a, run_b, null, null, null, null, null, null, null, null, true from bare
);

-- Which of the pairs that have read the same are known to have written something else, by `sides` as above. Where no
-- digest is known, it may have been the same.
create or replace macro store.pairs_known_to_differ(levels, sides) as table (
    with led_to as materialized (
        select m.writer_a as run_a, m.writer_b as run_b, m.version_a, m.version_b
        from query_table(sides) m join query_table(levels) j on j.run_a = m.writer_a and j.run_b = m.writer_b
        where not m.same and m.followed
    ),
    version as materialized (select version_a as version_key from led_to union select version_b from led_to),
    content as materialized (from store.contents('version'))
    select distinct l.run_a, l.run_b
    from led_to l join content x on x.version_key = l.version_a join content y on y.version_key = l.version_b
    where not store.same_content(x.content, y.content)
);

-- What differs between two lists of parameters, for `lists` (one, other): each two are compared once, however many runs had them.
-- (one, other, name, value_a, value_b).
create or replace macro store.parameter_differences(lists) as table (
    with parameter as (
        select one, other, side, coalesce(p.name, p.key) as name, concat_ws(': ', p.type, p.value) as value
        from (
            select one, other, side, unnest(from_json(body, '[{"name": "VARCHAR", "key": "VARCHAR", "type": "VARCHAR", "value": "VARCHAR"}]')) as p
            from (select one, other, 'a' as side, one as body from query_table(lists) union all select one, other, 'b', other from query_table(lists))
        )
    )
    select one, other, name, max(value) filter (where side = 'a') as value_a, max(value) filter (where side = 'b') as value_b
    from parameter group by one, other, name having value_a is distinct from value_b
);

-- Of `pairs` (run_a, run_b; `levels`: those that have read the same) those whose facets are to be taken apart: (run_a, run_b, asked_a, asked_b, level, asked, chance),
-- by what is kept of each run: what it was asked for, which chance it used. Of most of 100,000 pairs there is nothing to be said.
create or replace macro store.doubtful_pairs(pairs, levels) as table (
    with glance as materialized (
        select r.run_id, r.asked, r.chance, coalesce(r.unfixed, r.seeds_seq is not null) as unfixed, r.seeds_seq is not null as has_seeds
        from store.run r
        semi join (select run_a as run_id from query_table(pairs) union all select run_b from query_table(pairs)) p using (run_id)
    )
    select * from (
        select p.run_a, p.run_b, x.asked as asked_a, y.asked as asked_b, l.run_a is not null as level, coalesce(x.asked <> y.asked, true) as asked,
               (x.has_seeds and y.has_seeds and coalesce(x.chance <> y.chance, true)) or x.unfixed or y.unfixed as chance
        from query_table(pairs) p join glance x on x.run_id = p.run_a join glance y on y.run_id = p.run_b
        left join query_table(levels) l on l.run_a = p.run_a and l.run_b = p.run_b
    ) where level or asked or chance
);

-- By type and value, as parameter_differences has them (emitter/stand_ins.py).
create or replace macro store.is_generator(parameter) as regexp_matches(parameter, '^(numpy\.random\.|random\.Random: |torch\.Generator: )');
create or replace macro store.is_callable(parameter) as regexp_matches(parameter, '^(function|class|functools\.partial): ');

-- What the runs in `doubtful` (store.doubtful_pairs) were asked for and what chance they used, where that differs: (run_a, run_b, what,
-- key, value_a, value_b, base_a, base_b, kind, drawn). By `base` two differences are one change. Kinds:
--   asked: parameter, code, operation, a seed that was given · renamed: what comes with another difference, if there is one: an operation that is
--   called as its job, a generator with the seed, the code with the function that was passed in, the derived seed with what made it another call's
--   chance: a seed that was drawn; `drawn` says whether something was drawn from it · used: chance that no seed fixes; `drawn`
--   is false where it is of a kind that gives names more often than results
--   recorded, covered: differ in nothing, of those that have read the same: it is known what was asked for, and the code of all that was called
create or replace macro store.asked_differences(doubtful) as table (
    -- Where it is not chance, one run speaks for all that were asked for the same.
    with speaker as materialized (
        select asked, min(run_id) as run_id
        from (select asked_a as asked, run_a as run_id from query_table(doubtful) union all select asked_b, run_b from query_table(doubtful)) where asked is not null group by asked
    ),
    pair as materialized (
        select d.run_a, d.run_b, d.level, d.asked, d.chance,
               case when d.chance then d.run_a else coalesce(x.run_id, d.run_a) end as from_a, case when d.chance then d.run_b else coalesce(y.run_id, d.run_b) end as from_b
        from query_table(doubtful) d left join speaker x on x.asked = d.asked_a left join speaker y on y.asked = d.asked_b
    ),
    paired as materialized (select from_a as run_id from pair union select from_b from pair),
    fact as materialized (select distinct * from store.facts_of('paired')),
    -- Each two of them are looked at once, for all pairs of which the same is to be told.
    alike as materialized (
        select from_a, from_b, level, chance, row_number() over () as number from (select distinct from_a, from_b, level, chance from pair)
    ),
    two as materialized (
        select p.number, x, y, p.level, p.chance from alike p join fact x on x.run_id = p.from_a join fact y on y.run_id = p.from_b
        where p.level or x.code <> y.code or x.operation <> y.operation or x.parameters <> y.parameters
            or (p.chance and (x.entropy <> y.entropy or x.used is not null or y.used is not null))
    ),
    list_pair as materialized (select distinct x.parameters as one, y.parameters as other from two where x.parameters <> y.parameters),
    changed as materialized (from store.parameter_differences('list_pair')),
    difference as materialized (
        -- A generator that was passed in is in another state, and the code of a function that was passed in is another, because of what is told already.
        select t.number, 'parameter' as what, c.name as key, c.value_a, c.value_b, c.value_a as base_a, c.value_b as base_b,
               case when t.chance and t.x.entropy <> t.y.entropy and (t.x.given or t.y.given) and store.is_generator(c.value_a) and store.is_generator(c.value_b)
                    then 'renamed' else 'asked' end as kind, null::boolean as drawn
        from two t join changed c on c.one = t.x.parameters and c.other = t.y.parameters
        union all
        select t.number, 'code', '', t.x.code, t.y.code, t.x.code, t.y.code, case when h.one is null then 'asked' else 'renamed' end, null
        from two t left join (select distinct one, other from changed where store.is_callable(value_a) or store.is_callable(value_b)) h
            on h.one = t.x.parameters and h.other = t.y.parameters
        where t.x.code <> t.y.code
        union all
        select number, 'operation', '', x.operation, y.operation, x.operation, y.operation, 'asked', null from two where x.operation <> y.operation
        union all
        -- Seeds that were drawn always differ: they count where something was drawn from them. Those that are derived from one seed belong
        -- to another call each: which one it was is decided by what goes before, not by the seed.
        select number, case when x.seed_base = y.seed_base then 'order of calls' else 'seed' end, '', x.seed, y.seed, x.seed_base, y.seed_base,
               case when x.seed_base = y.seed_base then 'renamed' when x.given or y.given then 'asked' else 'chance' end, x.drawn or y.drawn
        from two where chance and x.entropy <> y.entropy
            and (coalesce(x.drawn or y.drawn, true) or ((x.given or y.given) and x.seed_base <> y.seed_base))
        union all
        select number, 'non-determinism', '', array_to_string(x.used, '; '), array_to_string(y.used, '; '), null, null, 'used',
               not store.only_names_things(coalesce(x.used, []) || coalesce(y.used, []))
        from two where chance and (len(x.used) > 0 or len(y.used) > 0)
        union all
        select number, null, null, null, null, null, null, 'recorded', null from two where level and x.operation is not null and y.operation is not null
        union all
        select number, null, null, null, null, null, null, 'covered', null from two where level and x.callable is not null and y.callable is not null
    ),
    told as (
        select p.run_a, p.run_b, d.* exclude (number)
        from pair p join alike k on k.from_a = p.from_a and k.from_b = p.from_b and k.level = p.level and k.chance = p.chance join difference d on d.number = k.number
    ),
    name as materialized (
        select r.run_id, j.name as job_name from store.run r join store.job j using (job_key)
        where r.run_id in (select unnest([run_a, run_b]) from told where what = 'operation')
    )
    select t.* replace (case when t.what = 'operation' and t.value_a = i.job_name and t.value_b = j.job_name then 'renamed' else t.kind end as kind)
    from told t left join name i on i.run_id = t.run_a left join name j on j.run_id = t.run_b
);

-- In which parameters the runs around those in `pairs` (run_a, run_b) differ, their parents and roots; in the columns of `differences`, the
-- above: what these tell already of the runs around is not told again.
create or replace macro store.outer_differences(pairs, differences) as table (
    with outer_pair as materialized (
        select distinct p.run_a, p.run_b, unnest([
            {outer_a: x.parent_run_id, outer_b: y.parent_run_id},
            {outer_a: coalesce(x.root_run_id, x.parent_run_id), outer_b: coalesce(y.root_run_id, y.parent_run_id)}], recursive := true)
        from query_table(pairs) p join store.run x on x.run_id = p.run_a join store.run y on y.run_id = p.run_b
    ),
    around as materialized (select outer_a as run_id from outer_pair where outer_a <> outer_b union select outer_b from outer_pair where outer_a <> outer_b),
    fact as materialized (from store.facts_of('around')),
    two as materialized (
        select distinct o.run_a, o.run_b, x.parameters as one, y.parameters as other
        from outer_pair o join fact x on x.run_id = o.outer_a join fact y on y.run_id = o.outer_b
        anti join (select run_a, run_b from query_table(differences) where what = 'parameter') k on k.run_a = o.outer_a and k.run_b = o.outer_b
        where x.parameters <> y.parameters
    ),
    list_pair as materialized (select distinct one, other from two)
    select distinct t.run_a, t.run_b, 'parameter' as what, d.name || ' of the parent run' as key, d.value_a, d.value_b, d.value_a as base_a, d.value_b as base_b,
           'asked' as kind, null::boolean as drawn
    from two t join store.parameter_differences('list_pair') d on d.one = t.one and d.other = t.other
);

-- Where the runs in `pairs` (run_a, run_b) ran, as far as it differs: (run_a, run_b, what, key, value_a, value_b).
create or replace macro store.setting_differences(pairs) as table (
    with run as materialized (select run_a as run_id from query_table(pairs) union select run_b from query_table(pairs)),
    said as materialized (from store.settings_said('run')),
    -- Most runs of one process say the same: each setting is taken apart once.
    setting_of as materialized (select run_id, hash(list(hash(key, said) order by key)) as setting from said group by run_id),
    setting as materialized (
        select distinct o.setting, s.key, s.said from said s join (select setting, min(run_id) as run_id from setting_of group by setting) o using (run_id)
    ),
    item as materialized (from store.setting_items('setting')),
    other as materialized (
        select l.run_a, l.run_b, x.setting as setting_a, y.setting as setting_b
        from query_table(pairs) l join setting_of x on x.run_id = l.run_a join setting_of y on y.run_id = l.run_b where x.setting <> y.setting
    ),
    differing as (
        select setting_a, setting_b, what, key, max(value) filter (where side = 'a') as value_a, max(value) filter (where side = 'b') as value_b
        from (select c.setting_a, c.setting_b, i.what, i.key, i.value, 'a' as side from (select distinct setting_a, setting_b from other) c join item i on i.setting = c.setting_a
              union all
              select c.setting_a, c.setting_b, i.what, i.key, i.value, 'b' from (select distinct setting_a, setting_b from other) c join item i on i.setting = c.setting_b)
        group by all having value_a is distinct from value_b
    )
    select o.run_a, o.run_b, d.what, d.key, d.value_a, d.value_b from other o join differing d using (setting_a, setting_b)
    -- Some variables are switches too. A file that only one of them tells of may be in the other one's snapshot.
    where case d.what when 'variable' then d.key not in (select key from item where what = 'switch')
                      when 'code' then value_a is not null and value_b is not null else true end
);

-- What may have differed between the runs in `pairs` (run_a, run_b) without a trace: files that one of them had loaded and its snapshot does not
-- hold, where nobody can say whether they were the same; parameters of which only the type is recorded; and, `within` them, the first runs
-- that came to something else. (run_a, run_b, files, parameters, within).
create or replace macro store.not_recorded(pairs) as table (
    with run as materialized (select run_a as run_id from query_table(pairs) union select run_b from query_table(pairs)),
    loaded as (
        select run_id, unnest(store.files_not_kept(json_extract(body, '$.code.notCovered')), recursive := true)
        from store.last_said('run', ['relineage_environment'])
    ),
    unsure as (
        select p.run_a, p.run_b, l.file from query_table(pairs) p join loaded l on l.run_id in (p.run_a, p.run_b)
        group by p.run_a, p.run_b, l.file having count(l.digest) < 2
    ),
    formless as (
        select p.run_a, p.run_b, unnest(store.formless_parameters(s.body)) as parameter
        from query_table(pairs) p join store.last_said('run', ['relineage_step']) s on s.run_id in (p.run_a, p.run_b)
    ),
    -- Those of one job are counterparts in the order in which they began.
    inner_run as (
        select p.run_a, p.run_b, p.of_b, r.run_id, r.job_key, r.outcome, r.first_at,
               row_number() over (partition by p.run_a, p.run_b, p.of_b, r.job_key order by r.first_at, r.run_id) as place
        from (select run_a, run_b, run_a as parent_run_id, false as of_b from query_table(pairs) union all select run_a, run_b, run_b, true from query_table(pairs)) p
        join store.run r using (parent_run_id)
    ),
    inner_pair as (
        select run_a, run_b, job_key, min(first_at) filter (not of_b) as began,
               any_value(run_id) filter (not of_b)::varchar as inner_a, any_value(run_id) filter (of_b)::varchar as inner_b
        from inner_run group by run_a, run_b, job_key, place
        having any_value(outcome) filter (not of_b) <> any_value(outcome) filter (of_b)
    ),
    first_apart as (
        select run_a, run_b, min({began: began, inner_a: inner_a, inner_b: inner_b, job_key: job_key}) as p from inner_pair group by run_a, run_b
    ),
    lost as (
        select run_a, run_b, file, null as parameter, null as within from unsure
        union all select run_a, run_b, null, parameter, null from formless
        union all
        select run_a, run_b, null, null, j.name || ' within it came to something else: relineage why ' || p.inner_a || ' ' || p.inner_b
        from first_apart join store.job j on j.job_key = p.job_key
    )
    select run_a, run_b, string_agg(distinct file, ', ' order by file) as files, string_agg(distinct parameter, ', ' order by parameter) as parameters,
           any_value(within) as within
    from lost group by run_a, run_b
);

-- What an input is called: by its role, by its name too where the role is not its alone.
create or replace macro store.slot_text(role, crowded, name) as
    case when role = '' then name when crowded then role || ' ' || name else role end;

-- Of `runs` (run_id) the roles in which they have several inputs: (run_id, role).
create or replace macro store.crowded_roles(runs) as table (
    select run_id, role from store.read where holds and run_id in (select run_id from query_table(runs)) group by run_id, role having count(*) > 1
);

-- What differs and leads to no other pair: raw data, an input more or less, another thing that was read; and of `targets`
-- what nobody is known to have written. (run_a, run_b, slot, name, in_a, in_b,
-- content_a, content_b, same, wired, version_a, version_b); `wired`: both were written by runs that are known, and one took another
-- one's output: then these are the datasets' names.
create or replace macro store.loose_ends(sides, targets) as table (
    with loose as materialized (
        select *, writer_a is not null and writer_b is not null as wired from query_table(sides) where not same and not followed
    ),
    version as materialized (select version_a as version_key from loose union select version_b from loose),
    content as materialized (from store.contents('version')),
    reader as (select run_a as run_id from loose union all select run_b from loose),
    crowd as materialized (from store.crowded_roles('reader'))
    select l.run_a, l.run_b, store.slot_text(l.role, w.run_id is not null, coalesce(x.name, y.name)) as slot,
           coalesce(x.name, y.name) as name, l.dataset_a is not null as in_a, l.dataset_b is not null as in_b,
           case when wired and x.dataset_key <> y.dataset_key then store.dataset_text(x.namespace, x.name) else coalesce(c.content.digest, c.content.version) end as content_a,
           case when wired and x.dataset_key <> y.dataset_key then store.dataset_text(y.namespace, y.name) else coalesce(d.content.digest, d.content.version) end as content_b,
           store.same_content(c.content, d.content) as same, wired, l.version_a, l.version_b
    from loose l
    left join store.dataset x on x.dataset_key = l.dataset_a left join store.dataset y on y.dataset_key = l.dataset_b
    left join content c on c.version_key = l.version_a left join content d on d.version_key = l.version_b
    left join crowd w on w.run_id = case when x.dataset_key is null then l.run_b else l.run_a end and w.role = l.role
    union all
    select null, null, slot, name, true, true, content_a, content_b, same, false, version_a, version_b
    from query_table(targets) where same is not true and not bare and (run_a is null or run_b is null)
);

-- Whether something is known by its bytes alone, by its digest.
create or replace macro store.is_bytes(digest) as regexp_matches(digest, '^b3-(bytes|folder)1:');

-- Which columns, rows and tensors differ, of `ends` (above): of the data itself, else (a file known by its bytes) of the table that was
-- made of it and of nothing else, as by a step that loads it: what else a reader made, such as a model of a configuration, is not what is in
-- the file. (run_a, run_b, slot, what, value_a, value_b): types where these differ, else digests.
create or replace macro store.inside_differences(ends) as table (
    with raw as materialized (
        select run_a, run_b, slot, version_a, version_b, store.is_bytes(content_a) and store.is_bytes(content_b) as bytes_only
        from query_table(ends) where in_a and in_b and not same and not wired
    ),
    reader as materialized (select unnest(list(distinct run_a) || list(distinct run_b)) as run_id from raw where run_a is not null and bytes_only),
    loader as materialized (
        select run_id from store.read semi join reader using (run_id) where holds group by run_id having count(*) = 1
    ),
    made as materialized (
        select w.run_id, w.role, w.dataset_key, w.version_key, hash(w.run_id, w.role, w.dataset_key) as output
        from store.write w join loader using (run_id) where w.holds
    ),
    compared as materialized (
        select run_a, run_b, slot, version_a, version_b, true as itself from raw
        union
        select r.run_a, r.run_b, r.slot, x.version_key, y.version_key, false
        from raw r join made x on x.run_id = r.run_a join made y on y.output = hash(r.run_b, x.role, x.dataset_key)
        where r.bytes_only and x.version_key is distinct from y.version_key
    ),
    version as materialized (select version_a as version_key from compared union select version_b from compared),
    inside as materialized (from store.insides('version')),
    differing as materialized (
        select run_a, run_b, slot, itself, kind, name, min(content) filter (where side = 'a') as one, min(content) filter (where side = 'b') as other
        from (select c.*, i.kind, i.name, i.content, 'a' as side from compared c join inside i on i.version_key = c.version_a
              where c.version_b in (select version_key from inside)
              union all
              select c.*, i.kind, i.name, i.content, 'b' from compared c join inside i on i.version_key = c.version_b
              where c.version_a in (select version_key from inside))
        group by run_a, run_b, slot, itself, kind, name
    ),
    -- One after the other, as each is used several times.
    leafed as (
        select *, hex(try(from_base64(one.leaves))) as leaves_a, hex(try(from_base64(other.leaves))) as leaves_b, least(one.rows, other.rows) as least_rows
        from differing where one.digest is distinct from other.digest or one.type is distinct from other.type
    ),
    apart as (select *, store.differing_leaves(leaves_a, one.rows, leaves_b, other.rows) as leaves from leafed),
    ranged as (select *, store.row_ranges(leaves, least_rows - 1) as row_text from apart),
    -- `longer`: as far as can be told it is the same in the rows that both have, and one of the two has more of them.
    -- Of a label of a time zone only the type tells, since the values are the same.
    told as materialized (
        select *, count(*) over (partition by run_a, run_b, slot, kind, longer) as many
        from (
            select *, bool_or(itself) over (partition by run_a, run_b, slot) as known,
                   coalesce(one.type = other.type and one.rows <> other.rows and least_rows >= 0
                            and (least_rows < 65536 or (least(length(leaves_a), length(leaves_b)) // 64 >= least_rows // 65536 and row_text is null)), false) as longer
            from ranged
        )
        where itself or (not known and kind = 'column')
    )
    select run_a, run_b, slot, kind || ' ' || name || coalesce(', rows ' || row_text, '') as what,
           case when one.type <> other.type then one.type else one.digest end as value_a,
           case when one.type <> other.type then other.type else other.digest end as value_b
    from told where many <= store.most_named() and not longer
    union all
    select run_a, run_b, slot, count(*) || ' ' || kind || 's', null, null from told where many > store.most_named() and not longer group by run_a, run_b, slot, kind
    union all
    select distinct run_a, run_b, slot,
           case when abs(one.rows - other.rows) = 1 then 'row ' || least_rows
                else 'rows ' || least_rows || ' to ' || greatest(one.rows, other.rows) - 1 end,
           one.rows || ' rows', other.rows || ' rows'
    from told where longer
);

-- Tables that the runs in `pairs` (run_a, run_b) have read side by side, the same but for the order of their columns, which is no part of
-- a table's digest: (run_a, run_b, slot, value_a, value_b), the values from the first column that stands elsewhere.
create or replace macro store.order_differences(pairs, sides) as table (
    with same as materialized (
        select s.run_a, s.run_b, s.dataset_a, s.dataset_b, s.role, d.name
        from query_table(sides) s semi join query_table(pairs) p on p.run_a = s.run_a and p.run_b = s.run_b
        join store.dataset d on d.dataset_key = s.dataset_a
        where s.same
    ),
    run as materialized (select distinct unnest([run_a, run_b]) as run_id from same),
    -- Each run has said it of what it read; one that has read two orders under one name says nothing.
    said as materialized (
        select run_id, dataset_key, any_value(names) as names
        from (
            select f.run_id, f.dataset_key, list_transform(from_json(json_extract(f.body, '$.columns'), '[{"name": "VARCHAR"}]'), lambda c: c.name) as names
            from store.facet f join run on run.run_id = f.run_id
            where f.key = 'relineage_content' and f.location = 'inputs'
        )
        group by run_id, dataset_key having count(distinct names) = 1
    ),
    place as (
        select s.run_a, s.run_b, s.role, s.name, x.names as one, y.names as other,
               list_min(list_filter(range(1, len(x.names) + 1), lambda i: x.names[i] is distinct from y.names[i])) as i
        from same s join said x on x.run_id = s.run_a and x.dataset_key = s.dataset_a join said y on y.run_id = s.run_b and y.dataset_key = s.dataset_b
        where x.names <> y.names and list_sort(x.names) = list_sort(y.names)
    )
    select p.run_a, p.run_b, store.slot_text(p.role, c.run_id is not null, p.name) as slot,
           array_to_string(one[i:i + 4], ', ') || case when len(one) > i + 4 then ', …' else '' end as value_a,
           array_to_string(other[i:i + 4], ', ') || case when len(other) > i + 4 then ', …' else '' end as value_b
    from place p left join store.crowded_roles('run') c on c.run_id = p.run_a and c.role = p.role
);

-- So many steps of a long way are told, those next to the result.
create or replace macro store.steps_told() as 6;

-- The ways to the result of the pairs in `begins` (run_a, run_b, at_a, at_b), that are climbed from the pair (at_a, at_b) on each.
create or replace macro store.ways_from(begins, pairs) as table (
    -- Where the climb is, and the last steps of it.
    with recursive climb as (
        select run_a, run_b, at_a, at_b, null::uuid[] as keys from query_table(begins)
        union all
        select c.run_a, c.run_b, p.via.reader_a, p.via.reader_b,
               case when p.via.depth <= store.steps_told() then list_filter([p.via.reader_a, p.via.dataset_key], lambda k: k is not null) || coalesce(c.keys, []) end
        from climb c join query_table(pairs) p on p.run_a = c.at_a and p.run_b = c.at_b
    ),
    head as materialized (
        select c.run_a, c.run_b, c.keys, p.via from climb c join query_table(pairs) p on p.run_a = c.run_a and p.run_b = c.run_b
        where c.at_a is null and c.keys is not null
    ),
    step as materialized (select keys, unnest(keys) as key, generate_subscripts(keys, 1) as place from (select distinct keys from head)),
    -- What these are called, whether they are datasets or the runs of jobs.
    called as materialized (
        with wanted as (select key from step union all select via.dataset_key from head union all select via.reader_a from head)
        select dataset_key as key, name from store.dataset where dataset_key in (from wanted)
        union all
        select r.run_id, j.name from (select run_id, job_key from store.run where run_id in (from wanted)) r join store.job j using (job_key)
    ),
    text as (
        select keys, array_to_string(list(name order by place), ' ← ') as text from step left join called using (key) group by keys
    )
    select h.run_a, h.run_b, h.via.depth as depth,
           t.text || case when h.via.depth <= store.steps_told() then '' else
               case when h.via.depth > store.steps_told() + 1 then ' ← … ' || (h.via.depth - store.steps_told() - 1) || ' more …' else '' end || ' ← ' || j.name || ' ← ' || d.name end as text
    from head h left join text t on t.keys = h.keys
    left join called j on j.key = h.via.reader_a left join called d on d.key = h.via.dataset_key
);

-- The way from each of `asked` (run_a, run_b) to the result, over `pairs` (run_a, run_b, via), by the names of datasets and runs; of a
-- long one the middle is left out, which it says.
create or replace macro store.ways(asked, pairs) as table (
    with begin as (select run_a, run_b, run_a as at_a, run_b as at_b from query_table(asked))
    from store.ways_from('begin', pairs)
);

-- The same where there may be 100,000 steps to climb: to the last ones in leaps, each twice as far as the one before.
create or replace macro store.far_ways(asked, pairs) as table (
    with recursive leap(run_a, run_b, at_a, at_b) using key (run_a, run_b) as (
        select run_a, run_b, via.reader_a, via.reader_b from query_table(pairs) where via.depth > store.steps_told()
        union
        select l.run_a, l.run_b, n.at_a, n.at_b from leap l join recurring.leap n on n.run_a = l.at_a and n.run_b = l.at_b
    ),
    begin as (
        select run_a, run_b, coalesce(at_a, run_a) as at_a, coalesce(at_b, run_b) as at_b
        from query_table(asked) left join leap using (run_a, run_b)
    )
    from store.ways_from('begin', pairs)
);
