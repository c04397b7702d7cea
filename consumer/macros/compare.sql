-- Can it be made again, what differs between two runs, and why two results differ.

-- A seed as people write it, where it is short enough to have been written by people.
create or replace macro store.seed_text(seeds_body) as
    case when length(seeds_body ->> '$.entropy') <= 16 then ('0x' || (seeds_body ->> '$.entropy'))::ubigint::varchar else seeds_body ->> '$.entropy' end
    || case when try_cast(seeds_body ->> '$.given' as boolean) then '' else ' (drawn)' end;

-- What is known of a run beside its inputs and outputs: (run_id, what, key, value, setting). `setting` tells where it ran
-- from what it did.
create or replace view store.run_fact as
with step as (from store.run_facet('relineage_step')),
seeds as (from store.run_facet('relineage_seeds')),
variables as (
    select run_id, unnest(from_json(json_extract(body, '$.environmentVariables'), '[{"name": "VARCHAR", "value": "VARCHAR"}]')) as v
    from store.run_facet('environmentVariables')
)
select run_id::varchar as run_id, 'operation' as what, '' as key, body ->> '$.operation' as value, false as setting from step
union all
select run_id::varchar, 'code', '', body ->> '$.code', false from step
union all
select run_id, 'parameter', name, concat_ws(': ', type, value), false from parameters
union all
select s.run_id::varchar, 'seed', '',
       -- A run without a seed of its own derives it from the run around it: that one's is the seed that people gave.
       case when o.run_id is null or length(s.body ->> '$.entropy') <= 16 then store.seed_text(s.body)
            else store.seed_text(o.body) || ', derived ' || left(s.body ->> '$.entropy', 8) end, false
from seeds s
left join runs r on r.run_id = s.run_id::varchar
left join seeds o on o.run_id::varchar = r.root_run_id and o.run_id <> s.run_id
union all
select run_id::varchar, 'switch', s.key, s.value ->> '$', true
from (select run_id, unnest(map_entries(store.members(null, json_extract(body, '$.switches')))) as s from seeds)
union all
select run_id, 'commit', '', commit || case when dirty then ' (dirty)' else '' end, true from environments
union all
select run_id, 'python', '', python, true from environments
union all
select run_id, 'platform', '', platform, true from environments
union all
select run_id, 'cpu', '', cpu, true from environments
union all
select run_id, 'engine', '', concat_ws(' ', engine, engine_version), true from environments
union all
select run_id, 'package', p.key, p.value, true from (select run_id, unnest(map_entries(packages)) as p from environments)
union all
select run_id::varchar, 'variable', v.name, v.value, true from variables;
comment on view store.run_fact is 'What is known of a run beside its inputs and outputs.';
comment on column store.run_fact.run_id is 'The run.';
comment on column store.run_fact.what is 'operation, code, parameter, seed, switch, commit, python, platform, cpu, engine, package or variable.';
comment on column store.run_fact.key is 'Name of the parameter, package, switch or variable.';
comment on column store.run_fact.value is 'Its value, as text.';
comment on column store.run_fact.setting is 'Whether it says where the run ran rather than what it did.';

-- The run that x stands for: itself, the latest of a job, or the writer of a dataset version or content.
create or replace macro store.run_of(x) as table (
    with thing as materialized (from store.resolve(x)),
    writer as (select min(writer_run_id) as run_id from store.target(x))
    select case when coalesce(t.run_id, w.run_id) is null then error('unknown: no run is known that wrote ' || x::varchar)
                else coalesce(t.run_id, w.run_id)::varchar end as run_id
    from thing t cross join writer w
);

create or replace macro run_diff(a, b) as table (
    with one as materialized (from store.run_of(a)), two as materialized (from store.run_of(b)),
    fact as materialized (
        select f.run_id, f.what, f.key, f.value from store.run_fact f where f.run_id in (from one union from two)
        union all
        select run_id, 'argv', '', array_to_string(argv, ' ') from environments where run_id in (from one union from two)
        union all
        select run_id, 'state', '', state from runs where run_id in (from one union from two)
        union all
        select run_id, 'job', '', job_namespace || '/' || job_name from runs where run_id in (from one union from two)
        union all
        select run_id, 'metric', name || coalesce(' at step ' || step, ''), value::varchar from metrics where run_id in (from one union from two)
        union all
        select run_id, 'input', concat_ws(' ', nullif(role, ''), dataset_namespace || '/' || dataset_name), coalesce(digest, version)
        from inputs where run_id in (from one union from two)
        union all
        select run_id, 'output', concat_ws(' ', nullif(role, ''), dataset_namespace || '/' || dataset_name), coalesce(digest, version)
        from outputs where run_id in (from one union from two)
    ),
    listed as (select run_id, what, key, string_agg(value, ', ' order by value) as value from fact group by all)
    select coalesce(f.what, g.what) as what, coalesce(f.key, g.key) as key, f.value as a, g.value as b
    from (from listed where run_id = (from one)) f
    full join (from listed where run_id = (from two)) g on g.what = f.what and g.key = f.key
    where f.value is distinct from g.value
    order by what, key
);

-- The switches of libraries without which one seed may give several results, as they should not be.
create or replace macro store.switches_off(seeds_body) as
    list_transform(
        list_filter([
            {name: 'torch.are_deterministic_algorithms_enabled', wrong: 'False'}, {name: 'torch.backends.cudnn.benchmark', wrong: 'True'},
            {name: 'tensorflow.is_op_determinism_enabled', wrong: 'False'}],
            lambda s: (seeds_body ->> ('/switches/' || s.name)) = s.wrong),
        lambda s: s.name);

create or replace macro reproducibility(x) as table (
    with up as materialized (from upstream(x)),
    involved as (
        select writer_run_id as run_id, min(depth) as depth from up where writer_run_id is not null group by writer_run_id
        union all
        -- A run without outputs stands for itself.
        select run_id::varchar, 0 from store.resolve(x) where run_id is not null and run_id::varchar not in (select writer_run_id from up where writer_run_id is not null)
    ),
    reading as (
        select reader_run_id as run_id,
               case when role = '' then '' else role || ' ' end || store.dataset_text(dataset_namespace, dataset_name) as input,
               version, digest, how, writer_run_id, store.version_key(dataset_namespace, dataset_name, version) as version_key
        from up where reader_run_id is not null
    ),
    model_version as (
        select distinct version_key from store.version_facet
        where key = 'relineage_model' or (key = 'datasetType' and upper(body ->> '$.datasetType') = 'MODEL')
    ),
    read_of as (
        select run_id,
               list(distinct input order by input) filter (where version is null) as nameless,
               list(distinct input order by input) filter (where how = 'inferred' and version is not null) as inferred,
               list(distinct input order by input) filter (where how <> 'inferred' and starts_with(version, 'stat:')) as only_stat,
               count(*) as inputs,
               list(distinct input order by input) filter (where version_key in (from model_version)) as models,
               list(distinct input order by input) filter (where version_key in (from model_version) and digest is null) as models_without_digest
        from reading group by run_id
    ),
    known as (
        select i.run_id, i.depth, r.job_name, q.* exclude (run_id), e.commit, e.dirty, e.snapshot, e.not_covered, e.python, e.packages, e.engine,
               list_filter(e.not_covered, lambda u: contains(u, ': in use, ')) as lacking,
               s.body as seeds, p.body as step,
               from_json(json_extract(s.body, '$.uncovered'), '["VARCHAR"]') as uncovered,
               -- What may have been used but nobody looked does not fail the check.
               list_filter(from_json(json_extract(s.body, '$.uncovered'), '["VARCHAR"]'), lambda u: not starts_with(u, 'not observed: ')) as used,
               store.switches_off(s.body) as off
        from involved i
        join runs r on r.run_id = i.run_id
        left join read_of q on q.run_id = i.run_id
        left join environments e on e.run_id = i.run_id
        left join store.run_facet('relineage_seeds') s on s.run_id::varchar = i.run_id
        left join store.run_facet('relineage_step') p on p.run_id::varchar = i.run_id
    ),
    judged as (
        select run_id, job_name, depth, unnest([
            {place: 1, check_name: 'inputs_known',
             status: case when len(nameless) > 0 then 'failed' when len(inferred) > 0 or len(only_stat) > 0 then 'unknown' else 'passed' end,
             reason: case
                 when len(nameless) > 0 then 'no version is known of ' || array_to_string(nameless, ', ')
                 when len(inferred) > 0 then 'no version was declared of ' || array_to_string(inferred, ', ') || '; the latest write before is taken'
                 when len(only_stat) > 0 then 'only size and time are known of ' || array_to_string(only_stat, ', ')
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
                         else '; not covered: ' || array_to_string(not_covered, '; ') end},
            {place: 5, check_name: 'code_reachable', status: 'unknown',
             reason: case when coalesce(snapshot, commit) is null then 'no commit is known' else 'needs the repository: relineage verify looks' end},
            {place: 6, check_name: 'seeds_complete',
             status: case when seeds is null then 'unknown' when len(used) > 0 then 'failed'
                          when len(uncovered) > 0 or len(off) > 0 then 'unknown' else 'passed' end,
             reason: case
                 when seeds is null then 'no seed is recorded'
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
    select run_id, job_name, checked.check_name as check_name, checked.status as status, checked.reason as reason
    from judged
    order by depth, job_name, run_id, checked.place
);

-- The rows in which a column differs, as text: its leaves are 32 bytes for each 65,536 rows, in base64. A leaf that has
-- more rows on one side is left out. Null where the leaves are not known or none differs.
create or replace macro store.differing_leaves(a, rows_a, b, rows_b) as
    list_filter(range(least(length(a) // 64, length(b) // 64,
                            case when rows_a is null or rows_b is null then 0
                                 when rows_a = rows_b then (rows_a + 65535) // 65536 else least(rows_a, rows_b) // 65536 end)),
                lambda i: substr(a, 64 * i + 1, 64) <> substr(b, 64 * i + 1, 64));

create or replace macro store.row_ranges(leaves, last_row) as
    nullif(array_to_string(list_transform(
        list_zip(list_filter(leaves, lambda i: not list_contains(leaves, i - 1)), list_filter(leaves, lambda i: not list_contains(leaves, i + 1))),
        lambda r: (65536 * r[1]) || ' to ' || least(65536 * r[2] + 65535, last_row)), ', '), '');

create or replace macro store.differing_rows(leaves_a, rows_a, leaves_b, rows_b) as
    store.row_ranges(store.differing_leaves(hex(try(from_base64(leaves_a))), rows_a, hex(try(from_base64(leaves_b))), rows_b),
                     least(rows_a, rows_b) - 1);

-- The two upstreams are walked in step, by the role of each input, and no further than to equal contents.
create or replace macro why(a, b) as table (
    with recursive up_a as materialized (from upstream(a)),
    up_b as materialized (from upstream(b)),
    edge as materialized (
        select *,
               -- What an input is called: its role where that is its alone, else its name.
               case when role is null or role = '' then dataset_name
                    when count(*) over (partition by side, reader_run_id, role) > 1 then role || ' ' || dataset_name
                    else role end as slot,
               coalesce(digest, version) as content
        from (select 'a' as side, * from up_a union all select 'b', * from up_b)
    ),
    target_pair as (
        select x.writer_run_id as run_a, y.writer_run_id as run_b, x.slot, x.dataset_name,
               x.content as content_a, y.content as content_b, x.version as version_a, y.version as version_b,
               x.dataset_namespace as namespace_a, y.dataset_namespace as namespace_b, x.dataset_name as name_a, y.dataset_name as name_b
        from edge x join edge y on x.side = 'a' and y.side = 'b' and x.reader_run_id is null and y.reader_run_id is null
            and (x.slot = y.slot or ((select count(*) from edge where side = 'a' and reader_run_id is null) = 1
                                     and (select count(*) from edge where side = 'b' and reader_run_id is null) = 1))
        where x.depth = 0 and y.depth = 0
    ),
    pair(run_a, run_b, depth, path) using key (run_a, run_b) as (
        select run_a, run_b, 0, min(dataset_name)
        from target_pair
        where (content_a is distinct from content_b or content_a is null) and run_a is not null and run_b is not null and run_a <> run_b
        group by run_a, run_b
        union
        select x.writer_run_id, y.writer_run_id, min(p.depth) + 1, min(p.path || ' ← ' || job.job_name || ' ← ' || x.dataset_name)
        from pair p
        join edge x on x.side = 'a' and x.reader_run_id = p.run_a
        join edge y on y.side = 'b' and y.reader_run_id = p.run_b and y.slot = x.slot
        join runs job on job.run_id = p.run_a
        left join recurring.pair known on known.run_a = x.writer_run_id and known.run_b = y.writer_run_id
        where (x.content is distinct from y.content or x.content is null) and x.writer_run_id is not null and y.writer_run_id is not null
            and x.writer_run_id <> y.writer_run_id and known.run_a is null
        group by x.writer_run_id, y.writer_run_id
    ),
    -- The inputs of each pair, side by side.
    input as materialized (
        select p.run_a, p.run_b, p.depth, p.path, coalesce(x.slot, y.slot) as slot,
               x.content as content_a, y.content as content_b, x.writer_run_id as writer_a, y.writer_run_id as writer_b,
               x.slot is not null as in_a, y.slot is not null as in_b,
               x.dataset_namespace as namespace_a, y.dataset_namespace as namespace_b, x.dataset_name as name_a, y.dataset_name as name_b,
               x.version as version_a, y.version as version_b
        from pair p
        join (select p.run_a, p.run_b, e.slot from pair p join edge e on (e.side = 'a' and e.reader_run_id = p.run_a) or (e.side = 'b' and e.reader_run_id = p.run_b)
              group by all) s using (run_a, run_b)
        left join edge x on x.side = 'a' and x.reader_run_id = p.run_a and x.slot = s.slot
        left join edge y on y.side = 'b' and y.reader_run_id = p.run_b and y.slot = s.slot
    ),
    same_inputs as (
        select p.run_a, p.run_b, coalesce(bool_and(i.content_a is not distinct from i.content_b and i.content_a is not null), true) as same
        from pair p left join input i using (run_a, run_b) group by all
    ),
    fact as materialized (
        select f.run_id, f.what, f.key, any_value(f.setting) as setting, string_agg(f.value, ', ' order by f.value) as value
        from store.run_fact f semi join (select run_a as run_id from pair union select run_b from pair) using (run_id)
        group by all
    ),
    own as (
        select p.run_a, p.run_b, p.depth, p.path, s.same, k.what, k.key, k.setting, fa.value as value_a, fb.value as value_b
        from pair p join same_inputs s using (run_a, run_b)
        join (select distinct p.run_a, p.run_b, f.what, f.key, f.setting from pair p join fact f on f.run_id in (p.run_a, p.run_b)) k using (run_a, run_b)
        left join fact fa on fa.run_id = p.run_a and fa.what = k.what and fa.key = k.key
        left join fact fb on fb.run_id = p.run_b and fb.what = k.what and fb.key = k.key
        where fa.value is distinct from fb.value and (not k.setting or s.same)
    ),
    -- Data that differs and that nobody is known to have written, on one side at least.
    raw as (
        select run_a, run_b, depth + 1 as depth, slot, content_a, content_b, in_a, in_b,
               path || ' ← ' || (select job_name from runs where run_id = run_a) || ' ← ' || coalesce(name_a, name_b) as path,
               store.version_key(namespace_a, name_a, version_a) as key_a, store.version_key(namespace_b, name_b, version_b) as key_b
        from input
        where (content_a is distinct from content_b or content_a is null) and (writer_a is null or writer_b is null)
        union all
        select null, null, 0, slot, content_a, content_b, true, true, dataset_name,
               store.version_key(namespace_a, name_a, version_a), store.version_key(namespace_b, name_b, version_b)
        from target_pair where content_a is distinct from content_b and (run_a is null or run_b is null)
    ),
    -- Which columns differ: of the data itself, else (a file known by its bytes) of what its reader made of it.
    compared as (
        select run_a, run_b, depth, path, slot, key_a, key_b, true as itself from raw where in_a and in_b
        union
        select r.run_a, r.run_b, r.depth, r.path, x.role,
               store.version_key(x.dataset_namespace, x.dataset_name, x.version), store.version_key(y.dataset_namespace, y.dataset_name, y.version), false
        from raw r
        join outputs x on x.run_id = r.run_a
        join outputs y on y.run_id = r.run_b and y.role = x.role and y.dataset_name = x.dataset_name
        where x.version is distinct from y.version
    ),
    column_of as materialized (
        select version_key, c.name as name, min({digest: c.digest, leaves: c.leaves, rows: rows}) as content
        from (select version_key, try_cast(body ->> '$.rows' as bigint) as rows,
                     unnest(from_json(json_extract(body, '$.columns'), '[{"name": "VARCHAR", "digest": "VARCHAR", "leaves": "VARCHAR"}]')) as c
              from store.version_facet
              where key = 'relineage_content' and version_key in (select key_a from compared union select key_b from compared))
        group by version_key, c.name
    ),
    differing_column as (
        select c.run_a, c.run_b, c.depth, c.path, c.slot, c.itself, n.name, x.content.digest as digest_a, y.content.digest as digest_b,
               store.differing_rows(x.content.leaves, x.content.rows, y.content.leaves, y.content.rows) as differing_rows
        from compared c
        join (select distinct c.key_a, c.key_b, o.name from compared c join column_of o on o.version_key in (c.key_a, c.key_b)) n using (key_a, key_b)
        left join column_of x on x.version_key = c.key_a and x.name = n.name
        left join column_of y on y.version_key = c.key_b and y.name = n.name
        where x.content.digest is distinct from y.content.digest
            and exists (from column_of o where o.version_key = c.key_a) and exists (from column_of o where o.version_key = c.key_b)
    ),
    cause as (
        select 0 as grade, depth, 1 as weight, run_a, slot as role, 'column ' || name || coalesce(', rows ' || differing_rows, '') as what, digest_a as a, digest_b as b, path
        from differing_column d
        where itself or not exists (from differing_column e where e.itself and e.path = d.path)
        union all
        select 0, depth, 2, run_a, slot,
               case when not in_b then 'input only in a' when not in_a then 'input only in b' else 'input' end, content_a, content_b, path
        from raw
        union all
        select 0, i.depth, 2, i.run_a, i.slot, case when i.in_a then 'input only in a' else 'input only in b' end, i.content_a, i.content_b, i.path || ' ← ' || r.job_name
        from input i join runs r on r.run_id = i.run_a
        where (not i.in_a and i.writer_b is not null) or (not i.in_b and i.writer_a is not null)
        union all
        -- With equal inputs the cause is in this run; else what differs here comes on top.
        select case when same then case when setting then 1 else 0 end else 2 end, depth,
               case what when 'seed' then 3 when 'parameter' then 4 when 'code' then 5 when 'operation' then 6 else 7 end,
               run_a, null, concat_ws(' ', what, nullif(key, '')), value_a, value_b, path
        from own
        union all
        select 0, p.depth, 9, p.run_a, null, 'non-determinism', p.run_a, p.run_b, p.path
        from pair p join same_inputs s using (run_a, run_b)
        where s.same and not exists (from own o where o.run_a = p.run_a and o.run_b = p.run_b)
        union all
        -- Without anything to compare, no answer would read as if nothing differed.
        select 0, 0, 0, null, null,
               error('unknown: nothing of ' || a::varchar || ' can be compared with ' || b::varchar || ': name one output of each'),
               null, null, null
        from (select count(*) as pairs from target_pair) where pairs = 0
    )
    select row_number() over (order by c.grade, c.depth desc, c.weight, c.what, c.role, c.path) as rank,
           r.job_name, c.role, c.what, c.a, c.b, c.path
    from cause c left join runs r on r.run_id = c.run_a
    order by rank
);

comment on macro table upstream is 'Where x comes from: depth by depth what each run read and which write that was.';
comment on macro table downstream is 'What came of x: depth by depth who read it, and what they made.';
comment on macro table reproducibility is 'Whether x can be made again: each check for each run of its upstream, with the reason.';
comment on macro table run_diff is 'What differs between two runs.';
comment on macro table why is 'Why two results differ: first causes, ranked.';
