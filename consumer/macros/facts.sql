-- What is recorded of runs beside their inputs and outputs, for `why` (why.sql): what they were asked to do, with which
-- chance, and where they ran.

-- What the runs in `asked` (run_id) were asked to do and with which chance: one row a run.
create or replace macro store.asked_of(asked) as table (
    with wanted as materialized (select distinct run_id from query_table(asked) where run_id is not null),
    run as (select r.run_id, r.step_seq, r.seeds_seq, r.given from store.run r semi join wanted using (run_id)),
    step as (
        select f.run_id, min(f.body ->> ['$.operation', '$.code', '$.parameters', '$.callable', '$.servedFrom']) as said
        from store.facet f join run r on r.run_id = f.run_id and r.step_seq.event = f.event_digest
        where f.key = 'relineage_step' and store.location_rank(f.location) = r.step_seq.rank group by f.run_id
    ),
    seeds as (
        select f.run_id, min(f.body ->> ['$.entropy', '$.uncovered', '$.libraries']) as said
        from store.facet f join run r on r.run_id = f.run_id and r.seeds_seq.event = f.event_digest
        where f.key = 'relineage_seeds' and store.location_rank(f.location) = r.seeds_seq.rank group by f.run_id
    )
    select r.run_id, s.said[1] as operation, s.said[2] as code, s.said[3] as parameters, s.said[4] as callable, s.said[5] as served_from,
           d.said[1] as entropy, r.given, d.said[2] as uncovered, d.said[3] as libraries
    from run r left join step s using (run_id) left join seeds d using (run_id)
);

-- Whether a run has drawn from a generator that it was seeded for: its state has moved, or a seed of it was handed out.
-- Null where nothing is recorded of that.
create or replace macro store.has_drawn(libraries) as
    list_bool_or(list_transform(from_json(libraries, '[{"stateBefore": "VARCHAR", "stateAfter": "VARCHAR"}]'),
                                lambda l: l.stateBefore is null or l.stateAfter is null or l.stateBefore <> l.stateAfter));

-- Sources of chance that a run has used and no seed fixes; those that nobody looked for left out.
create or replace macro store.chance_used(uncovered) as
    list_filter(from_json(uncovered, '["VARCHAR"]'), lambda u: not starts_with(u, 'not observed: '));

-- Of these, whether all are of a kind that gives names more often than results.
create or replace macro store.only_names_things(used) as
    list_bool_and(list_transform(used, lambda u: regexp_matches(u, '^(uuid|secrets|os\.urandom|os\.getrandom)')));

-- A seed as people write it: in decimal where people may have written it, else hex.
create or replace macro store.entropy_text(entropy, given) as
    case when length(entropy) <= 16 then ('0x' || entropy)::ubigint::varchar else entropy end || case when given then '' else ' (drawn)' end;

-- Which state of the code: its snapshot where one was made, else the commit.
create or replace macro store.tree_text(snapshot, commit, dirty) as
    coalesce(snapshot, commit || case when dirty then ' (dirty)' else '' end);

-- What the runs in `asked` (run_id) say of where they ran, without what differs from one run to the next: (run_id, key, said).
create or replace macro store.settings_said(asked) as table (
    with wanted as materialized (select distinct run_id from query_table(asked) where run_id is not null),
    latest as (
        select f.run_id, f.key, arg_max(f.body, {rank: store.location_rank(f.location), time: f.event_time, event: f.event_digest}) as body
        from store.facet f semi join wanted using (run_id)
        where f.key in ('relineage_environment', 'processing_engine', 'environmentVariables', 'sourceCodeLocation', 'relineage_seeds')
            and store.location_rank(f.location) is not null
        group by f.run_id, f.key
    )
    select run_id, key,
           case key when 'relineage_environment' then body ->> ['$.python', '$.platform', '$.cpu', '$.gpus', '$.packages', '$.code.snapshot', '$.code.commit', '$.code.dirty']
                    when 'relineage_seeds' then body ->> ['$.switches']
                    when 'processing_engine' then body ->> ['$.name', '$.version']
                    when 'sourceCodeLocation' then body ->> ['$.version']
                    else body ->> ['$.environmentVariables'] end as said
    from latest
);

-- That, taken apart, for `told` (setting, key, said): (setting, what, key, value).
create or replace macro store.setting_items(told) as table (
    with item as (
        select setting, key as facet, unnest([
            {what: 'python', key: '', value: said[1]},
            {what: 'platform', key: '', value: said[2]},
            {what: 'cpu', key: '', value: said[3]},
            {what: 'gpu', key: '', value: nullif(array_to_string(from_json(said[4], '["VARCHAR"]'), ', '), '')},
            {what: 'commit', key: '', value: store.tree_text(said[6], said[7], try_cast(said[8] as boolean))}
        ]) as i from query_table(told) where key = 'relineage_environment'
        union all
        select setting, 'relineage_environment', {what: 'package', key: p.key, value: p.value}
        from (select setting, unnest(map_entries(from_json(said[5], '"MAP(VARCHAR, VARCHAR)"'))) as p from query_table(told) where key = 'relineage_environment')
        union all
        select setting, key, {what: 'engine', key: '', value: nullif(concat_ws(' ', said[1], said[2]), '')} from query_table(told) where key = 'processing_engine'
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
