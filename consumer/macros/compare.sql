-- Can it be made again, what differs between two runs, and why two results differ.

-- A seed as people write it: in decimal where people may have written it, else hex; what is no number as it is.
create or replace macro store.entropy_text(entropy, given) as
    case when length(entropy) <= 16 then coalesce(try_cast('0x' || entropy as ubigint)::varchar, entropy) else entropy end || case when given then '' else ' (drawn)' end;

-- That of a run's relineage_seeds.
create or replace macro store.seed_text(seeds_body) as
    store.entropy_text(seeds_body ->> '$.entropy', coalesce(try_cast(seeds_body ->> '$.given' as boolean), false));

-- Of a run's relineage_step the parameters of which only the type is recorded, as they are no plain values: two of them may differ unseen.
create or replace macro store.formless_parameters(step_body) as
    regexp_extract_all(step_body ->> '$.missing', 'parameter ''([^'']*)'': ', 1);

-- What is known of the runs in `asked` (run_id), each once, beside their inputs and outputs: (run_id, what, key, value, setting).
-- `setting` tells where they ran from what they did.
create or replace macro store.run_facts_of(asked) as table (
    with said as materialized (
        from store.last_said(asked, ['relineage_step', 'executionParameters', 'relineage_seeds', 'relineage_environment', 'processing_engine', 'sourceCodeLocation', 'environmentVariables'])
    ),
    seeds as (from said where key = 'relineage_seeds'),
    outer_run as materialized (
        select a.run_id, r.root_run_id::uuid as outer_run_id from query_table(asked) a join runs r on r.run_id = a.run_id::varchar where r.root_run_id <> r.run_id
    ),
    outermost as materialized (select unnest(list(distinct outer_run_id)) as run_id from outer_run),
    outer_seed as (select o.run_id, s.body from outer_run o join store.last_said('outermost', ['relineage_seeds']) s on s.run_id = o.outer_run_id)
    select run_id::varchar as run_id, s.what as what, '' as key, s.value as value, false as setting
    from (select run_id, unnest([{what: 'operation', value: body ->> '$.operation'}, {what: 'code', value: body ->> '$.code'}]) as s
          from said where key = 'relineage_step')
    union all
    select run_id, 'parameter', name, concat_ws(': ', type, value), false from store.parameters_of('said')
    union all
    select s.run_id::varchar, 'seed', '',
           -- A run without a seed of its own derives it from the run around it: that one's is the seed that people gave.
           case when s.body ->> '$.derivedFrom' is null and (o.body is null or length(s.body ->> '$.entropy') <= 16) then store.seed_text(s.body)
                else coalesce(store.entropy_text(s.body ->> '$.derivedFrom', coalesce(try_cast(s.body ->> '$.given' as boolean), false)), store.seed_text(o.body)) || ', derived ' || left(s.body ->> '$.entropy', 8) end, false
    from seeds s left join outer_seed o on o.run_id = s.run_id
    union all
    select run_id::varchar, 'switch', s.key, s.value ->> '$', true
    from (select run_id, unnest(map_entries(store.members(null, json_extract(body, '$.switches')))) as s from seeds)
    union all
    select run_id, e.what, e.key, e.value, true
    from (
        select run_id, unnest([
            {what: 'commit', key: '', value: commit || case when dirty then ' (dirty)' else '' end},
            {what: 'python', key: '', value: python},
            {what: 'platform', key: '', value: platform},
            {what: 'cpu', key: '', value: cpu},
            {what: 'engine', key: '', value: case when engine is not null and (engine <> 'python' or python is null) then concat_ws(' ', engine, engine_version) end}
        ] || coalesce(list_transform(map_entries(packages), lambda p: {what: 'package', key: p.key, value: p.value}), [])) as e from store.environments_of('said')
    )
    union all
    select run_id::varchar, 'variable', v.name, v.value, true
    from (select run_id, unnest(from_json(json_extract(body, '$.environmentVariables'), '[{"name": "VARCHAR", "value": "VARCHAR"}]')) as v
          from said where key = 'environmentVariables')
);

-- The run that x stands for: itself, the latest of a job, or the writer of a dataset version or content.
create or replace macro store.run_of(x) as table (
    with thing as materialized (from store.resolve(x)),
    writer as (select min(writer_run_id) as run_id from store.target(x))
    select case when coalesce(t.run_id, w.run_id) is null then error('unknown: no run is known that wrote ' || x::varchar)
                else coalesce(t.run_id, w.run_id)::varchar end as run_id
    from thing t cross join writer w
);

-- What the runs in `asked` (run_id) wrote as a part of another of their outputs, such as an array of a state, and told only since somebody
-- used it by itself: (run_id, dataset_key, role). Between results it makes no difference, as the whole has it.
create or replace macro store.parts_written(asked) as table (
    -- Through a list, so that the planner takes it for the small side that it is; of no run at all it would look into every facet.
    with run as (select unnest(coalesce(list(distinct run_id), ['00000000-0000-0000-0000-000000000000'::uuid])) as run_id from query_table(asked))
    select distinct f.run_id, f.dataset_key, f.body ->> '$.role' as role
    from store.facet f join run on run.run_id = f.run_id
    where f.key = 'relineage_io' and f.location = 'outputFacets' and contains(f.body, '"partOf"') and f.body ->> '$.partOf' is not null
);

create or replace macro run_diff(a, b) as table (
    with one as materialized (from store.run_of(a)), two as materialized (from store.run_of(b)),
    asked as materialized (select unnest(list(distinct run_id::uuid)) as run_id from (from one union all from two)),
    reading as (select r.*, 0 as depth from store.read r join asked using (run_id) where r.holds),
    part as materialized (from store.parts_written('asked')),
    ran as materialized (from store.last_said('asked', ['relineage_environment'])),
    measured as materialized (from store.last_said('asked', ['relineage_metrics'])),
    known as (select r.* from runs r join asked on r.run_id = asked.run_id::varchar),
    fact as materialized (
        select run_id, what, key, value from store.run_facts_of('asked')
        union all
        select run_id, 'argv', '', array_to_string(argv, ' ') from store.environments_of('ran')
        union all
        select run_id, 'state', '', state from known
        union all
        select run_id, 'job', '', job_namespace || '/' || job_name from known
        union all
        select run_id, 'metric', name || coalesce(' at step ' || step, ''), value::varchar from store.metrics_of('measured')
        union all
        select run_id, 'input', concat_ws(' ', nullif(role, ''), dataset_namespace || '/' || dataset_name), coalesce(digest, version)
        from store.inputs_of('reading')
        union all
        select o.run_id, 'output', concat_ws(' ', nullif(o.role, ''), o.dataset_namespace || '/' || o.dataset_name), coalesce(o.digest, o.version)
        from outputs o join asked on o.run_id = asked.run_id::varchar
        where (o.run_id::uuid, store.name_key(o.dataset_namespace, o.dataset_name), o.role) not in (select (run_id, dataset_key, role) from part)
    ),
    listed as (select run_id, what, key, string_agg(value, ', ' order by value) as value from fact group by all)
    select coalesce(f.what, g.what) as what, coalesce(f.key, g.key) as key, f.value as a, g.value as b
    from (from listed where run_id = (from one)) f
    full join (from listed where run_id = (from two)) g on g.what = f.what and g.key = f.key
    where f.value is distinct from g.value
    order by what, store.natural(coalesce(f.key, g.key))
);

-- The switches of libraries without which one seed may give several results, as they should not be.
create or replace macro store.switches_off(seeds_body) as
    list_transform(
        list_filter([
            {name: 'torch.are_deterministic_algorithms_enabled', wrong: 'False'}, {name: 'torch.backends.cudnn.benchmark', wrong: 'True'},
            {name: 'tensorflow.is_op_determinism_enabled', wrong: 'False'}],
            lambda s: (seeds_body ->> ('/switches/' || s.name)) = s.wrong),
        lambda s: s.name);

-- Which of `versions` (version_key) are models: those that are said to be, and files with the name of one: of what a pickle holds, nothing is
-- said. (version_key).
create or replace macro store.models_among(versions) as table (
    -- Through lists, so that the planner takes them for the small sides that they mostly are.
    with wanted as (select unnest(list(distinct version_key)) as version_key from query_table(versions)),
    named as materialized (select v.version_key, d.dataset_key, d.name from store.version v join wanted using (version_key) join store.dataset d using (dataset_key)),
    named_dataset as materialized (select unnest(list(distinct dataset_key)) as dataset_key from named),
    said as materialized (
        select f.event_digest, f.location, f.ordinal
        from store.facet f join named_dataset using (dataset_key)
        where f.location in ('inputs', 'outputs', 'dataset')
            and (f.key = 'relineage_model' or (f.key = 'datasetType' and upper(f.body ->> '$.datasetType') = 'MODEL'))
    )
    select version_key from named semi join store.versions_told('said') t using (version_key)
    union
    select version_key from named where regexp_matches(name, '\.(joblib|pkl|pickle|pt|pth|ckpt|onnx|h5|keras|gguf|cbm|ubj)$', 'i')
);

-- With `served` also those that computed what runs were served with from the cache of steps, of which nothing may be known.
create or replace macro reproducibility(x, served := false) as table (
    with up as materialized (from store.upstream_from_starts(x, false, served)),
    involved as (
        select writer_run_id as run_id, min({start: start, depth: depth}) as way from up where writer_run_id is not null group by writer_run_id
        union all
        -- A run without outputs stands for itself.
        select run_id::varchar, {start: {round: 0, place: 0}, depth: 0} from store.resolve(x) where run_id is not null and run_id::varchar not in (select writer_run_id from up where writer_run_id is not null)
    ),
    reading as (
        select reader_run_id as run_id,
               case when role = '' then '' else role || ' ' end || store.dataset_text(dataset_namespace, dataset_name) as input,
               version, digest, how, writer_run_id, store.version_key(dataset_namespace, dataset_name, version) as version_key
        from up where reader_run_id is not null
    ),
    model_version as materialized (from store.models_among('reading')),
    read_of as (
        select run_id,
               store.in_natural_order(list(distinct input) filter (where version is null)) as nameless,
               store.in_natural_order(list(distinct input) filter (where how = 'inferred' and version is not null)) as inferred,
               store.in_natural_order(list(distinct input) filter (where how <> 'inferred' and starts_with(version, 'stat:'))) as only_stat,
               count(*) as inputs,
               store.in_natural_order(list(distinct input) filter (where version_key in (from model_version))) as models,
               store.in_natural_order(list(distinct input) filter (where version_key in (from model_version) and digest is null)) as models_without_digest
        from reading group by run_id
    ),
    -- What a run has written of its own, besides handing on, may be made of whatever runs within it have made.
    wrote as (
        select distinct writer_run_id::uuid as run_id, store.version_key(dataset_namespace, dataset_name, version) as version_key
        from up where writer_run_id is not null
    ),
    within as materialized (
        select c.parent_run_id as run_id, c.run_id as inner_run, j.name as job_name, w.version_key
        from (select run_id::uuid as run_id from involved) i join store.run c on c.parent_run_id = i.run_id
        join store.write w on w.run_id = c.run_id join store.job j on j.job_key = c.job_key where w.holds
    ),
    -- Only what leads on to the run that made it is known to come from there.
    made as (from within where inner_run::varchar in (select run_id from involved)),
    handed_on as (
        select run_id, version_key from made
        union
        select m.run_id, other.version_key from made m
        join store.version_digest mine on mine.version_key = m.version_key and mine.shared join store.version_digest other on other.digest = mine.digest and other.shared
    ),
    left_out as (
        select run_id::varchar as run_id, store.in_natural_order(list(distinct job_name)) as left_out
        from within semi join (from wrote anti join handed_on using (run_id, version_key)) o using (run_id)
        where inner_run::varchar not in (select run_id from involved) group by run_id
    ),
    asked as materialized (select unnest(list(run_id::uuid)) as run_id from involved),
    said as materialized (from store.last_said('asked', ['relineage_environment', 'processing_engine', 'sourceCodeLocation', 'relineage_seeds', 'relineage_step'])),
    job as (select r.run_id::varchar as run_id, j.name as job_name from store.run r join asked using (run_id) join store.job j using (job_key)),
    known as (
        select i.run_id, i.way, f.left_out, r.job_name, i.way.start.round > 0 and r.job_name is null as lost, q.* exclude (run_id), e.commit, e.dirty, e.snapshot, e.not_covered, e.python, e.packages, e.engine,
               list_transform(list_filter(e.not_covered, lambda u: contains(u, ': in use, ')), lambda u: regexp_replace(u, ' \(b3-bytes1:[0-9a-f]{64}\)$', '')) as lacking,
               s.body as seeds, p.body as step,
               store.formless_parameters(p.body) as objects,
               from_json(json_extract(s.body, '$.uncovered'), '["VARCHAR"]') as uncovered, nullif(json_type(s.body, '$.uncovered'), 'NULL') as uncovered_type,
               -- What may have been used but nobody looked does not fail the check.
               list_filter(from_json(json_extract(s.body, '$.uncovered'), '["VARCHAR"]'), lambda u: not starts_with(u, 'not observed: ')) as used,
               store.switches_off(s.body) as off
        from involved i
        left join job r on r.run_id = i.run_id
        left join read_of q on q.run_id = i.run_id
        left join left_out f on f.run_id = i.run_id
        left join store.environments_of('said') e on e.run_id = i.run_id
        left join (from said where key = 'relineage_seeds') s on s.run_id::varchar = i.run_id
        left join (from said where key = 'relineage_step') p on p.run_id::varchar = i.run_id
    ),
    judged as (
        select run_id, job_name, way, lost, unnest([
            {place: 1, check_name: 'inputs_known',
             status: case when len(nameless) > 0 then 'failed' when len(inferred) > 0 or len(only_stat) > 0 or len(objects) > 0 or len(left_out) > 0 then 'unknown' else 'passed' end,
             reason: case
                 when len(nameless) > 0 then 'no version is known of ' || array_to_string(nameless, ', ')
                 when len(inferred) > 0 then 'no version was declared of ' || array_to_string(inferred, ', ') || '; the latest write before is taken'
                 when len(only_stat) > 0 then 'only size and time are known of ' || array_to_string(only_stat, ', ')
                 when len(objects) > 0 then 'only the type is known of parameter ' || array_to_string(objects, ', ')
                 when len(left_out) > 0 then 'it may be made of what ' || array_to_string(left_out[:5], ', ') || case when len(left_out) > 5 then ', …' else '' end
                     || ' made within, which it did not declare (run.input)'
                 when coalesce(inputs, 0) = 0 then 'it declared no inputs'
                 else 'each of ' || inputs || ' inputs has a version' end},
            {place: 2, check_name: 'inputs_unchanged',
             status: case when coalesce(inputs, 0) = 0 then 'passed' else 'unknown' end,
             reason: case when coalesce(inputs, 0) = 0 then 'it declared no inputs' else 'needs the data: relineage verify looks' end},
            {place: 3, check_name: 'nothing_unrecorded', status: 'unknown',
             reason: 'inputs were declared, not observed'},
            {place: 4, check_name: 'code_recorded',
             status: case when len(lacking) > 0 then 'failed'
                          when snapshot is not null then 'passed'
                          when commit is not null and dirty is null and not_covered is not null then 'unknown'
                          when commit is not null and dirty is not true then 'passed'
                          when commit is not null or (step ->> '$.code') is not null then 'failed' else 'unknown' end,
             reason: case
                 when len(lacking) > 0 then 'not kept: ' || array_to_string(lacking, '; ')
                 when snapshot is not null then 'snapshot ' || snapshot
                 when commit is not null and dirty is true then 'the working tree differed from commit ' || left(commit, 12) || ', and no snapshot was made'
                 when commit is not null and dirty is null and not_covered is not null then 'the working tree may have differed from commit ' || left(commit, 12)
                 when commit is not null then 'commit ' || left(commit, 12)
                 when (step ->> '$.code') is not null then 'only the digest of its source is known: it was under no version control'
                 else 'nothing is known of its code' end
                 || case when len(lacking) > 0 or coalesce(len(not_covered), 0) = 0 then ''
                         else '; not covered: ' || array_to_string(not_covered, '; ') end
                 || coalesce('; not in the digest of its code: '
                             || array_to_string(from_json(json_extract(step, '$.codeNotCovered'), '["VARCHAR"]'), '; '), '')},
            {place: 5, check_name: 'code_reachable', status: 'unknown',
             reason: case when coalesce(snapshot, commit) is null then 'no commit is known' else 'needs the repository: relineage verify looks' end},
            {place: 6, check_name: 'seeds_complete',
             status: case when coalesce(seeds ->> '$.entropy', '') = '' then 'unknown' when len(used) > 0 then 'failed'
                          when len(uncovered) > 0 or len(off) > 0 or uncovered_type <> 'ARRAY' then 'unknown' else 'passed' end,
             reason: case
                 when coalesce(seeds ->> '$.entropy', '') = '' then 'no seed is recorded'
                 when uncovered_type <> 'ARRAY' then 'what no seed covers is told in no known form'
                 when len(used) > 0 then 'not covered: ' || array_to_string(used, '; ')
                 else case when try_cast(seeds ->> '$.given' as boolean) then 'seed was given' else 'seed was drawn and recorded' end
                      || coalesce('; ' || nullif(array_to_string(uncovered, '; '), ''), '')
                      || coalesce('; switched off: ' || nullif(array_to_string(off, ', '), ''), '') end},
            {place: 7, check_name: 'setting_recorded',
             status: case when python is not null and packages is not null then 'passed' else 'unknown' end,
             reason: case
                 when python is not null and packages is not null then 'Python ' || python || ', ' || len(map_keys(packages)) || ' packages'
                 when engine is not null then 'only its engine is known: ' || engine
                 else 'nothing is known of where it ran' end},
            {place: 8, check_name: 'weights_known',
             status: case when len(models_without_digest) > 0 then 'failed' else 'passed' end,
             reason: case
                 when len(models_without_digest) > 0 then 'no digest is known of ' || array_to_string(models_without_digest, ', ')
                 when len(models) > 0 then 'a digest is known of ' || array_to_string(models, ', ')
                 else 'it used no model' end}
        ]) as checked
        from known
    )
    select run_id, job_name, checked.check_name as check_name, case when lost then 'unknown' else checked.status end as status,
           case when lost then 'it computed what a step was served with from the cache, and nothing is known of it' else checked.reason end as reason
    from judged
    order by way, job_name, run_id, checked.place
);

comment on macro table upstream is 'Where x comes from: depth by depth what each run read and which write that was.';
comment on macro table downstream is 'What came of x: depth by depth who read it, and what they made.';
comment on macro table reproducibility is 'Whether x can be made again: each check for each run of its upstream, with the reason.';
comment on macro table run_diff is 'What differs between two runs.';
