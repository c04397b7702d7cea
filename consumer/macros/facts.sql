-- What is recorded of runs beside their inputs and outputs, for `why` (why.sql): what they were asked to do, with which
-- chance, and where they ran.

-- Whether a run has drawn from a generator that it was seeded for: its state has moved, or a seed of it was handed out.
-- Null where nothing is recorded of that.
create or replace macro store.has_drawn(libraries) as
    list_bool_or(list_transform(libraries, lambda l: l.stateBefore is null or l.stateAfter is null or l.stateBefore <> l.stateAfter));

-- Of sources of chance, whether all are of a kind that gives names more often than results.
create or replace macro store.only_names_things(used) as
    list_bool_and(list_transform(used, lambda u: regexp_matches(u, '^(uuid|secrets|os\.urandom|os\.getrandom)')));

-- What the runs in `asked` (run_id) were asked to do and with which chance: one row a run, or several equal ones where an
-- event was delivered more than once. Of those without relineage_step the parameters are what executionParameters says.
create or replace macro store.facts_of(asked) as table (
    -- Through a list, so that the planner takes it for the small side that it mostly is.
    with wanted as materialized (select unnest(list(distinct run_id)) as run_id from query_table(asked) where run_id is not null),
    run as materialized (select r.run_id, r.step_seq, r.seeds_seq, r.given from store.run r join wanted using (run_id)),
    body as (
        select f.run_id, f.key = 'relineage_step' as is_step, f.body
        from store.facet f join run r on r.run_id = f.run_id
        where f.key in ('relineage_step', 'relineage_seeds')
            and f.event_digest = case when f.key = 'relineage_step' then r.step_seq.event else r.seeds_seq.event end
            and store.location_rank(f.location) = case when f.key = 'relineage_step' then r.step_seq.rank else r.seeds_seq.rank end
    ),
    said as materialized (
        select run_id, is_step,
               case when is_step then from_json(body, '{"operation": "VARCHAR", "code": "VARCHAR", "parameters": "JSON", "callable": "VARCHAR"}') end as step,
               case when not is_step then store.seeds_told(body) end as seeds
        from body
    ),
    told as materialized (
        select f.run_id, arg_max(json_extract(f.body, '$.parameters'), {rank: store.location_rank(f.location), time: f.event_time, event: f.event_digest}) as parameters
        from store.facet f join (select run_id from run where step_seq is null) r on r.run_id = f.run_id
        where f.key = 'executionParameters' and store.location_rank(f.location) is not null group by f.run_id
    ),
    -- A run that was given no seed derives it from the run around it: that one's is the seed that people gave. Events of earlier
    -- versions do not say which one.
    outer_run as materialized (
        select run_id, any_value(outer_run_id) as outer_run_id from (
            select r.run_id, coalesce(o.root_run_id, o.parent_run_id) as outer_run_id
            from run r join store.run o on o.run_id = r.run_id join said s on s.run_id = r.run_id
            where not s.is_step and s.seeds.derivedFrom is null and length(s.seeds.entropy) > 16
        ) where outer_run_id <> run_id group by run_id
    ),
    outer_seed as materialized (
        select i.run_id, any_value(f.body ->> '$.entropy') as entropy, any_value(r.given) as given
        from outer_run i join store.run r on r.run_id = i.outer_run_id join store.facet f on f.run_id = i.outer_run_id
        where f.key = 'relineage_seeds' and f.event_digest = r.seeds_seq.event and store.location_rank(f.location) = r.seeds_seq.rank
        group by i.run_id
    )
    select r.run_id, s.step.operation as operation, s.step.code as code, coalesce(s.step.parameters, t.parameters)::varchar as parameters, s.step.callable as callable,
           d.seeds.entropy as entropy, coalesce(o.given, r.given) as given, store.chance_used(d.seeds.uncovered) as used, store.has_drawn(d.seeds.libraries) as drawn,
           coalesce(store.entropy_text(d.seeds.derivedFrom, r.given), store.entropy_text(o.entropy, o.given), store.entropy_text(d.seeds.entropy, r.given)) as seed_base,
           seed_base || case when coalesce(d.seeds.derivedFrom, o.entropy) is null then '' else ', derived ' || left(d.seeds.entropy, 8) end as seed
    from run r left join (from said where is_step) s on s.run_id = r.run_id
    left join (from said where not is_step) d on d.run_id = r.run_id left join told t on t.run_id = r.run_id
    left join outer_seed o on o.run_id = r.run_id
);

-- Which state of the code: its snapshot where one was made, else the commit.
create or replace macro store.tree_text(snapshot, commit, dirty) as
    coalesce(snapshot, commit || case when dirty then ' (dirty)' else '' end);

-- Files that a run had loaded and its snapshot does not hold, by the list `code.notCovered` of its relineage_environment, each with its
-- digest: {file, digest}; the digest is null where nobody knows it.
create or replace macro store.files_not_kept(not_covered) as
    list_transform(list_filter(from_json(not_covered, '["VARCHAR"]'), lambda one: contains(one, ': in use, ')),
                   lambda one: {file: split_part(one, ': in use, ', 1), digest: nullif(regexp_extract(one, '\((b3-bytes1:[0-9a-f]{64})\)$', 1), '')});

-- What of an argument may be a path: all of it, or what stands behind `=`, without dots before it; null if it does not look like one.
create or replace macro store.path_word(argument) as
    nullif(regexp_extract(argument, '^(?:-[^=]*=)?(?:\.{0,2}/)*(.*/.*|.*\.[A-Za-z]\w*)$', 1), '');

-- The arguments of a program, without its own name; null where there are none. Of `paths` it does not matter how they are called. Those of
-- a notebook's kernel name a new file each time.
create or replace macro store.arguments_text(argv, paths) as
    case when not regexp_matches(argv[1], 'ipykernel|kernel_launcher') then
        nullif(array_to_string(list_transform(argv[2:], lambda one:
            case when list_contains(paths, store.path_word(one)) then regexp_extract(one, '^-[^=]*=') || '…'
                 when one = '' or contains(one, ' ') then '''' || one || '''' else one end), ' '), '') end;

-- What the runs in `asked` (run_id) say of where they ran, without what differs from one run to the next: (run_id, key, said).
create or replace macro store.settings_said(asked) as table (
    with wanted as materialized (select unnest(list(distinct run_id)) as run_id from query_table(asked) where run_id is not null),
    place as materialized (
        select f.run_id, f.key, max({rank: store.location_rank(f.location), time: f.event_time, event: f.event_digest, row: f.rowid}).row as row
        from store.facet f join wanted on wanted.run_id = f.run_id
        where f.key in ('relineage_environment', 'processing_engine', 'environmentVariables', 'sourceCodeLocation', 'relineage_seeds')
            and store.location_rank(f.location) is not null
        group by f.run_id, f.key
    ),
    -- By their place in the table, so that only these bodies are read.
    latest as (select p.run_id, p.key, f.body from place p join store.facet f on f.rowid = p.row)
    select run_id, key,
           case key when 'relineage_environment' then body ->> ['$.python', '$.platform', '$.cpu', '$.gpus', '$.packages', '$.code.snapshot', '$.code.commit', '$.code.dirty', '$.code.notCovered', '$.argv']
                    when 'relineage_seeds' then body ->> ['$.switches']
                    when 'processing_engine' then body ->> ['$.name', '$.version']
                    when 'sourceCodeLocation' then body ->> ['$.version']
                    else body ->> ['$.environmentVariables'] end as said
    from latest
);

-- That, taken apart, for `told` (setting, key, said): (setting, what, key, value).
create or replace macro store.setting_items(told) as table (
    -- Files that are recorded count by what they hold: as inputs and outputs.
    with word as (
        select distinct store.path_word(unnest(from_json(said[10], '["VARCHAR"]')[2:])) as word from query_table(told) where key = 'relineage_environment'
    ),
    recorded_path as materialized (
        select list(word) as paths
        from word semi join (select name from store.dataset where namespace = 'file') d
            on split_part(d.name, '/', -1) = split_part(word.word, '/', -1) and ends_with(d.name, '/' || word.word)
    ),
    item as materialized (
        select setting, key as facet, unnest([
            {what: 'python', key: '', value: said[1]},
            {what: 'platform', key: '', value: said[2]},
            {what: 'cpu', key: '', value: said[3]},
            {what: 'gpu', key: '', value: nullif(array_to_string(from_json(said[4], '["VARCHAR"]'), ', '), '')},
            {what: 'commit', key: '', value: store.tree_text(said[6], said[7], try_cast(said[8] as boolean))},
            {what: 'command line', key: '', value: store.arguments_text(from_json(said[10], '["VARCHAR"]'), coalesce(paths, []))}
        ]) as i from query_table(told) cross join recorded_path where key = 'relineage_environment'
        union all
        select setting, 'relineage_environment', {what: 'package', key: p.key, value: p.value}
        from (select setting, unnest(map_entries(from_json(said[5], '"MAP(VARCHAR, VARCHAR)"'))) as p from query_table(told) where key = 'relineage_environment')
        union all
        select setting, 'relineage_environment', {what: 'code', key: f.file, value: f.digest}
        from (select setting, unnest(store.files_not_kept(said[9])) as f from query_table(told) where key = 'relineage_environment')
        where f.digest is not null
        union all
        -- That of a Python program is Python, which has its own line.
        select setting, key, {what: 'engine', key: '', value: nullif(concat_ws(' ', said[1], said[2]), '')}
        from (from query_table(told) where key = 'processing_engine') e
        anti join (select setting from query_table(told) where key = 'relineage_environment' and said[1] is not null) p
            on p.setting = e.setting and e.said[1] = 'python'
        union all
        select setting, 'environmentVariables', {what: 'variable', key: v.name, value: v.value}
        from (select setting, unnest(from_json(said[1], '[{"name": "VARCHAR", "value": "VARCHAR"}]')) as v from query_table(told) where key = 'environmentVariables')
        union all
        select setting, 'relineage_seeds', {what: 'switch', key: s.key, value: s.value ->> '$'}
        from (select setting, unnest(map_entries(store.members(null, said[1]))) as s from query_table(told) where key = 'relineage_seeds')
        union all
        -- Of other producers the commit is all that is known of the code.
        select setting, key, {what: 'commit', key: '', value: said[1]}
        from (from query_table(told) where key = 'sourceCodeLocation') c
        anti join (select setting from query_table(told) where key = 'relineage_environment' and coalesce(said[6], said[7]) is not null) e using (setting)
    )
    select setting, i.what as what, i.key as key, i.value as value from item where i.value is not null
);
