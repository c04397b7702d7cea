-- Why two results differ: docs/why.md says how causes are found and graded.

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

-- Columns and tensors of the versions in `asked` (version_key): version_key, kind, name, type, digest, leaves, rows.
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
    ),
    one as materialized (select version_key, kind, name, min(content) as content from member group by version_key, kind, name)
    select version_key, kind, name, content.type as type, content.digest as digest, content.leaves as leaves, content.rows as rows from one
);

-- Of columns or tensors that differ each is named, unless there are too many to be read.
create or replace macro store.most_named() as 20;

-- The two upstreams are walked in step, by the role of each input, and no further than to equal contents.
create or replace macro why(a, b) as table (
    with recursive thing as materialized (select 'a' as side, run_id from store.resolve(a) union all select 'b', run_id from store.resolve(b)),
    told as materialized (select 'a' as side, * from store.target(a) union all select 'b', * from store.target(b)),
    -- A run without outputs stands for itself.
    bare as materialized (select side, run_id from thing t where run_id is not null and not exists (from store.write w where w.run_id = t.run_id and w.holds)),
    bare_pair as materialized (select x.run_id as run_a, y.run_id as run_b from bare x join bare y on x.side = 'a' and y.side = 'b'),
    -- What an outer run has handed on, an inner one has made.
    target as materialized (
        select t.side, t.dataset_key, t.version_key, t.role,
               coalesce(min({distance_us: abs(epoch_us(o.written_at) - epoch_us(f.written_at)), run_id: o.run_id}).run_id, t.writer_run_id) as writer
        from told t
        left join store.write f on f.run_id = t.writer_run_id and f.version_key = t.version_key and f.role = t.role and f.holds and f.origin = 'forwarded'
        left join store.write o on o.version_key = f.version_key and o.holds and o.origin <> 'forwarded' and o.run_id <> f.run_id
        where not exists (from bare_pair)
        group by t.side, t.dataset_key, t.version_key, t.role, t.writer_run_id
    ),
    named_target as materialized (
        select t.*, d.name, c.content, count(*) over (partition by side) as outputs,
               case when t.role = '' then d.name when count(*) over (partition by side, t.role) > 1 then t.role || ' ' || d.name else t.role end as slot
        from target t join store.dataset d using (dataset_key) left join store.contents('target') c on c.version_key = t.version_key
    ),
    target_pair as materialized (
        select x.writer as run_a, y.writer as run_b, x.slot, x.name, x.dataset_key, x.version_key as version_a, y.version_key as version_b,
               coalesce(x.content.digest, x.content.version) as content_a, coalesce(y.content.digest, y.content.version) as content_b,
               store.same_content(x.content, y.content) as same
        from named_target x join named_target y on x.side = 'a' and y.side = 'b' and (x.slot = y.slot or (x.outputs = 1 and y.outputs = 1))
    ),
    start as materialized (
        select run_a, run_b, min(dataset_key) as dataset_key, bool_or(not same) as known
        from target_pair where same is not true and run_a <> run_b group by run_a, run_b
        union all
        select run_a, run_b, null, null from bare_pair where run_a <> run_b
    ),
    starting as materialized (select run_a as run_id from start union select run_b from start),
    edge as materialized (from store.reads_upstream('starting')),
    keyed as materialized (from store.keyed_edges('edge')),
    -- The runs to compare. `via`: how far from the result; the readers through which it was reached, and what they read;
    -- `head`: these of the first steps, run and dataset in turn.
    pair(run_a, run_b, via) using key (run_a, run_b, min(via)) as (
        select run_a, run_b, {depth: 0, reader_a: null::uuid, reader_b: null::uuid, dataset_key: dataset_key, head: list_filter([dataset_key], lambda k: k is not null)} from start
        union
        select x.writer, y.writer,
               {depth: p.via.depth + 1, reader_a: p.run_a, reader_b: p.run_b, dataset_key: x.dataset_key,
                head: case when p.via.depth < 6 then p.via.head || [p.run_a, x.dataset_key] else p.via.head end}
        from pair p join keyed x on x.reader = p.run_a join keyed y on y.place = hash(p.run_b, x.match)
        where x.version_key is distinct from y.version_key and x.writer <> y.writer
            and store.counterparts(x.by_position, x.dataset_key, x.datasets, y.dataset_key, y.datasets)
            and store.same_output(x.out_role, x.out_dataset_key, x.out_alone, y.out_role, y.out_dataset_key, y.out_alone)
            and store.same_content(x.content, y.content) is not true
    ),
    -- Their inputs, side by side.
    matched as materialized (
        select p.run_a, p.run_b, x.edge as edge_a, y.edge as edge_b, x.version_key as version_a, y.version_key as version_b,
               x.writer as writer_a, y.writer as writer_b,
               coalesce(x.version_key = y.version_key, false) or coalesce(store.same_content(x.content, y.content), false) as same,
               coalesce(x.writer <> y.writer
                        and store.same_output(x.out_role, x.out_dataset_key, x.out_alone, y.out_role, y.out_dataset_key, y.out_alone), false) as followed
        from pair p join keyed x on x.reader = p.run_a join keyed y on y.place = hash(p.run_b, x.match)
        where store.counterparts(x.by_position, x.dataset_key, x.datasets, y.dataset_key, y.datasets)
    ),
    edge_id as materialized (select distinct edge, reader, version_key from keyed),
    lonely as materialized (
        select p.run_a, p.run_b, x.edge as edge_a, null::bigint as edge_b, x.version_key as version_a, null::uuid as version_b
        from pair p join edge_id x on x.reader = p.run_a
        anti join matched m on m.run_a = p.run_a and m.run_b = p.run_b and m.edge_a = x.edge
        union all
        select p.run_a, p.run_b, null, y.edge, null, y.version_key
        from pair p join edge_id y on y.reader = p.run_b
        anti join matched m on m.run_a = p.run_a and m.run_b = p.run_b and m.edge_b = y.edge
    ),
    -- What differs and leads to no other pair: raw data, an input more or less, another thing that was read.
    loose as materialized (
        select run_a, run_b, edge_a, edge_b, version_a, version_b from matched where not same and not followed
        union all
        from lonely
    ),
    uneven as materialized (
        select run_a, run_b from matched where not same union select run_a, run_b from lonely
    ),
    -- Where they have read the same, what differs arose there.
    judged as materialized (
        select p.run_a, p.run_b, p.via.depth as depth, u.run_a is null as level, p.via as via
        from pair p left join uneven u on u.run_a = p.run_a and u.run_b = p.run_b
    ),
    -- Whether what they wrote is known to differ; where its digests are not known it may be the same.
    led_to as materialized (
        select m.writer_a as run_a, m.writer_b as run_b, m.version_a, m.version_b from matched m
        join judged j on j.level and j.run_a = m.writer_a and j.run_b = m.writer_b where not m.same and m.followed
    ),
    led_to_version as materialized (select version_a as version_key from led_to union select version_b from led_to),
    known as materialized (
        select l.run_a, l.run_b
        from led_to l
        left join store.contents('led_to_version') x on x.version_key = l.version_a left join store.contents('led_to_version') y on y.version_key = l.version_b
        where not store.same_content(x.content, y.content)
        union
        select run_a, run_b from start where known
    ),
    paired as materialized (select run_a as run_id from pair union select run_b from pair),
    fact as materialized (from store.asked_of('paired')),
    -- A run that was given no seed derives it from the run around it: that one's is the seed that people gave.
    outer_of as materialized (
        select r.run_id, coalesce(r.root_run_id, r.parent_run_id) as outer_run_id
        from store.run r semi join (select run_id from fact where length(entropy) > 16) f using (run_id)
        where coalesce(r.root_run_id, r.parent_run_id) <> r.run_id
    ),
    outer_run as materialized (select distinct outer_run_id as run_id from outer_of),
    outer_fact as materialized (from store.asked_of('outer_run')),
    seed as materialized (
        select f.run_id, coalesce(o.given, f.given) as given, f.drawn, f.used,
               case when o.entropy is null then store.entropy_text(f.entropy, f.given) else store.entropy_text(o.entropy, o.given) end as base,
               case when o.entropy is null then base else base || ', derived ' || left(f.entropy, 8) end as shown,
               f.entropy
        from fact f left join outer_of i using (run_id) left join outer_fact o on o.run_id = i.outer_run_id
    ),
    job_of as materialized (select r.run_id, j.name from store.run r semi join paired using (run_id) left join store.job j using (job_key)),
    parameter as materialized (
        select f.run_id, coalesce(p.name, p.key) as name, concat_ws(': ', p.type, p.value) as value
        from (
            select run_id, unnest(from_json(parameters, '[{"name": "VARCHAR", "key": "VARCHAR", "type": "VARCHAR", "value": "VARCHAR"}]')) as p
            from fact
            semi join (
                select unnest([p.run_a, p.run_b]) as run_id from pair p join fact x on x.run_id = p.run_a join fact y on y.run_id = p.run_b
                where x.parameters is distinct from y.parameters and x.parameters is not null and y.parameters is not null
            ) using (run_id)
        ) f
    ),
    differing_parameter as materialized (
        select p.run_a, p.run_b, k.name, x.value as value_a, y.value as value_b
        from pair p
        join (select distinct p.run_a, p.run_b, q.name from pair p join parameter q on q.run_id = p.run_a
              union select p.run_a, p.run_b, q.name from pair p join parameter q on q.run_id = p.run_b) k using (run_a, run_b)
        left join parameter x on x.run_id = p.run_a and x.name = k.name
        left join parameter y on y.run_id = p.run_b and y.name = k.name
        where x.value is distinct from y.value
    ),
    -- What they were asked for. Of an operation that is called as its job only the name differs: `renamed`.
    own as materialized (
        select distinct * from (
        select run_a, run_b, 'parameter' as what, name as key, value_a, value_b, value_a as base_a, value_b as base_b, 'asked' as kind, null::boolean as drawn
        from differing_parameter
        union all
        select p.run_a, p.run_b, 'code', '', x.code, y.code, x.code, y.code, 'asked', null
        from pair p join fact x on x.run_id = p.run_a join fact y on y.run_id = p.run_b where x.code <> y.code
        union all
        select p.run_a, p.run_b, 'operation', '', x.operation, y.operation, x.operation, y.operation,
               case when x.operation = i.name and y.operation = j.name then 'renamed' else 'asked' end, null
        from pair p join fact x on x.run_id = p.run_a join fact y on y.run_id = p.run_b
        left join job_of i on i.run_id = p.run_a left join job_of j on j.run_id = p.run_b where x.operation <> y.operation
        union all
        -- Seeds that were drawn always differ: they count where something was drawn from them.
        select p.run_a, p.run_b, 'seed', '', x.shown, y.shown, x.base, y.base, case when x.given or y.given then 'asked' else 'chance' end,
               x.drawn or y.drawn
        from pair p join seed x on x.run_id = p.run_a join seed y on y.run_id = p.run_b
        where x.entropy <> y.entropy and (x.given or y.given or coalesce(x.drawn or y.drawn, true)))
    ),
    chance as materialized (
        select distinct p.run_a, p.run_b, list_distinct(coalesce(x.used, []) || coalesce(y.used, [])) as used,
               array_to_string(x.used, '; ') as used_a, array_to_string(y.used, '; ') as used_b,
               coalesce(store.only_names_things(list_distinct(coalesce(x.used, []) || coalesce(y.used, []))), true) as slight
        from pair p join seed x on x.run_id = p.run_a join seed y on y.run_id = p.run_b where len(x.used) > 0 or len(y.used) > 0
    ),
    -- Where they ran is compared where it may be the cause, or is worth a word: not for each of 100,000 runs.
    looked as materialized (
        select run_a, run_b from judged where level or depth = 0 union select run_a, run_b from loose
    ),
    looked_run as materialized (select run_a as run_id from looked union select run_b from looked),
    said as materialized (from store.settings_said('looked_run')),
    setting_of as materialized (select run_id, hash(list(hash(key, said) order by key)) as setting from said group by run_id),
    -- Most runs of one process say the same: each setting is taken apart once.
    setting as materialized (select distinct o.setting, s.key, s.said from said s join (select setting, min(run_id) as run_id from setting_of group by setting) o using (run_id)),
    item as materialized (from store.setting_items('setting')),
    other_setting as materialized (
        select l.run_a, l.run_b, x.setting as setting_a, y.setting as setting_b
        from looked l join setting_of x on x.run_id = l.run_a join setting_of y on y.run_id = l.run_b where x.setting <> y.setting
    ),
    compared_setting as materialized (select distinct setting_a, setting_b from other_setting),
    differing_item as materialized (
        select k.setting_a, k.setting_b, k.what, k.key, x.value as value_a, y.value as value_b
        from (select c.setting_a, c.setting_b, i.what, i.key from compared_setting c join item i on i.setting = c.setting_a
              union select c.setting_a, c.setting_b, i.what, i.key from compared_setting c join item i on i.setting = c.setting_b) k
        left join item x on x.setting = k.setting_a and x.what = k.what and x.key = k.key
        left join item y on y.setting = k.setting_b and y.what = k.what and y.key = k.key
        where x.value is distinct from y.value
    ),
    place as materialized (
        select o.run_a, o.run_b, d.what, d.key, d.value_a, d.value_b from other_setting o join differing_item d using (setting_a, setting_b)
    ),
    -- Per pair: which explanations there are.
    ground as materialized (
        select run_a, run_b, max(depth) as depth, bool_or(level) as level, bool_or(known) as known, bool_or(asked) as asked, bool_or(chance) as chance,
               bool_or(other) as other, bool_or(slight) as slight, bool_or(place) as place, bool_or(moved) as moved,
               bool_or(code_known) as code_known, bool_or(recorded) as recorded
        from (
            select run_a, run_b, depth, level, false as known, false as asked, false as chance, false as other, false as slight, false as place,
                   false as moved, false as code_known, false as recorded from judged
            union all by name
            select run_a, run_b, true as known from known
            union all by name
            select run_a, run_b, true as other, kind = 'asked' as asked, kind = 'chance' and coalesce(drawn, false) as chance from own
            union all by name
            select run_a, run_b, not slight as chance, slight from chance
            union all by name
            select run_a, run_b, what <> 'commit' as place, what = 'commit' as moved from place
            union all by name
            select p.run_a, p.run_b, x.callable is not null and y.callable is not null as code_known, x.operation is not null and y.operation is not null as recorded
            from pair p join fact x on x.run_id = p.run_a join fact y on y.run_id = p.run_b
        )
        group by run_a, run_b
    ),
    -- An input of loose ends: what it is called, and what it held.
    loose_version as materialized (select version_a as version_key from loose union select version_b from loose),
    loose_edge as materialized (
        select k.edge, min(k.role) as role, min(d.name) as name,
               min(case when k.role = '' then d.name when k.crowded then k.role || ' ' || d.name else k.role end) as slot
        from keyed k join store.dataset d using (dataset_key)
        where k.edge in (select edge_a from loose where edge_a is not null union select edge_b from loose where edge_b is not null)
        group by k.edge
    ),
    loose_content as materialized (from store.contents('loose_version')),
    raw as materialized (
        select l.run_a, l.run_b, coalesce(x.slot, y.slot) as slot, coalesce(x.name, y.name) as name, l.edge_a is not null as in_a, l.edge_b is not null as in_b,
               coalesce(c.content.digest, c.content.version) as content_a, coalesce(d.content.digest, d.content.version) as content_b,
               store.same_content(c.content, d.content) as same, l.version_a, l.version_b, false as is_target
        from loose l
        left join loose_edge x on x.edge = l.edge_a left join loose_edge y on y.edge = l.edge_b
        left join loose_content c on c.version_key = l.version_a left join loose_content d on d.version_key = l.version_b
        union all
        select null, null, slot, name, true, true, content_a, content_b, same, version_a, version_b, true
        from target_pair where same is not true and (run_a is null or run_b is null)
    ),
    reader as materialized (select unnest(list(distinct run_a) || list(distinct run_b)) as run_id from raw where run_a is not null),
    made as materialized (
        select w.run_id, w.role, w.dataset_key, w.version_key, hash(w.run_id, w.role, w.dataset_key) as output
        from store.write w join reader using (run_id) where w.holds
    ),
    -- What differs within: of the data itself, else (a file known by its bytes) of what its reader made of it.
    compared as materialized (
        select run_a, run_b, slot, version_a, version_b, true as itself from raw where in_a and in_b and same is not true
        union
        select r.run_a, r.run_b, r.slot, x.version_key, y.version_key, false
        from raw r join made x on x.run_id = r.run_a join made y on y.output = hash(r.run_b, x.role, x.dataset_key)
        where r.in_a and r.in_b and r.same is not true and x.version_key is distinct from y.version_key
    ),
    compared_version as materialized (select version_a as version_key from compared union select version_b from compared),
    inside as materialized (from store.insides('compared_version')),
    differing_inside as materialized (
        select c.run_a, c.run_b, c.slot, c.itself, k.kind, k.name,
               case when x.type is distinct from y.type and x.digest is not null and y.digest is not null then x.type else x.digest end as value_a,
               case when x.type is distinct from y.type and x.digest is not null and y.digest is not null then y.type else y.digest end as value_b,
               store.differing_rows(x.leaves, x.rows, y.leaves, y.rows) as differing_rows
        from compared c
        join (select distinct c.version_a, c.version_b, i.kind, i.name from compared c join inside i on i.version_key = c.version_a or i.version_key = c.version_b) k using (version_a, version_b)
        left join inside x on x.version_key = c.version_a and x.kind = k.kind and x.name = k.name
        left join inside y on y.version_key = c.version_b and y.kind = k.kind and y.name = k.name
        where x.digest is distinct from y.digest
            and exists (from inside i where i.version_key = c.version_a) and exists (from inside i where i.version_key = c.version_b)
    ),
    told_inside as materialized (
        select run_a, run_b, slot, itself, kind, name, value_a, value_b, differing_rows, count(*) over (partition by run_a, run_b, slot, itself) as many
        from differing_inside d
        where itself or not exists (from differing_inside e where e.itself and e.run_a is not distinct from d.run_a and e.run_b is not distinct from d.run_b and e.slot = d.slot)
    ),
    named_inside as materialized (
        select run_a, run_b, slot, kind || ' ' || name || coalesce(', rows ' || differing_rows, '') as what, value_a, value_b from told_inside where many <= store.most_named()
        union all
        select run_a, run_b, slot, count(*) || ' ' || kind || 's', null, null from told_inside where many > store.most_named() group by run_a, run_b, slot, kind
    ),
    -- One change that came with several runs, such as one seed for all of them, is one cause: where it is sure to have had
    -- an effect, else where something was drawn, else where it came first.
    weighed_own as materialized (
        select o.*, g.depth, g.level,
               case when kind = 'renamed' then g.level and not g.asked and not g.chance
                    when kind = 'chance' then coalesce(drawn, g.level and not g.asked)
                    else g.level or row_number() over (
                        partition by o.what, o.key, o.base_a, o.base_b, case when o.what = 'parameter' then j.name end
                        order by g.level desc, coalesce(o.drawn, false) desc, g.depth desc, o.run_a, o.run_b) = 1
                         and not (not g.level and bool_or(g.level) over (partition by o.what, o.key, o.base_a, o.base_b, case when o.what = 'parameter' then j.name end))
               end as is_cause
        from own o join ground g using (run_a, run_b) left join job_of j on j.run_id = o.run_a
    ),
    cause(grade, weight, run_a, run_b, role, what, value_a, value_b, tail) as (
        select 0, 1, i.run_a, i.run_b, i.slot, i.what, i.value_a, i.value_b, r.name
        from named_inside i join raw r on r.run_a is not distinct from i.run_a and r.run_b is not distinct from i.run_b and r.slot = i.slot
        union all
        select case when in_a and in_b and same is null then 1 when explained then 2 else 0 end, 2, run_a, run_b, slot,
               case when not in_b then 'input only in a' when not in_a then 'input only in b' when same is null then 'unknown input' else 'input' end,
               content_a, content_b, name
        from (
            select r.*, i.run_a is not null or i.slot is not null as explained
            from raw r left join (select distinct run_a, run_b, slot from named_inside) i
                on i.run_a is not distinct from r.run_a and i.run_b is not distinct from r.run_b and i.slot = r.slot
        )
        union all
        select case when is_cause then 0 else 2 end, case what when 'seed' then 3 when 'parameter' then 4 when 'code' then 5 else 6 end,
               run_a, run_b, null, concat_ws(' ', what, nullif(key, '')), value_a, value_b, null
        from weighed_own
        union all
        select case when g.level and g.known and not g.asked and not g.chance
                         and (p.what <> 'commit' or (not g.place and not g.slight and not g.code_known)) then 0 else 2 end, 7,
               run_a, run_b, null, concat_ws(' ', p.what, nullif(p.key, '')), p.value_a, p.value_b, null
        from place p join ground g using (run_a, run_b)
        union all
        -- Sources of chance that were seen to be used.
        select case when not c.slight or (g.level and g.known and not g.asked and not g.chance) then 0 else 2 end, 8,
               run_a, run_b, null, 'non-determinism', c.used_a, c.used_b, null
        from chance c join ground g using (run_a, run_b)
        union all
        -- Nothing that is recorded differs.
        select case when g.recorded and g.known then 0 else 1 end, 9, run_a, run_b, null, case when g.recorded and g.known then 'non-determinism' else 'unknown' end,
               case when g.recorded and g.known then run_a::varchar when g.known then 'nothing is recorded of its parameters and code' else 'no digest of what it wrote' end,
               case when g.recorded and g.known then run_b::varchar end, null
        from ground g
        where g.level and not g.other and not g.chance and not g.slight and not g.place and (not g.moved or g.code_known)
        union all
        select 0, 2, run_a, run_b, slot, 'output', content_a, content_b, name from target_pair where same is not true and run_a = run_b
        union all
        -- Without anything to compare, no answer would read as if nothing differed.
        select 0, 0, null, null, null,
               error('unknown: nothing of ' || a::varchar || ' can be compared with ' || b::varchar || ': name one output of each'),
               null, null, null
        from (select (select count(*) from target_pair) + (select count(*) from bare_pair) as pairs) where pairs = 0
    ),
    -- The way to the result, by the names of runs and datasets; of a long one the middle is left out.
    head as materialized (
        select distinct p.via.head as keys from pair p semi join cause c on c.run_a = p.run_a and c.run_b = p.run_b
    ),
    head_text as materialized (
        select keys, array_to_string(list(coalesce(d.name, j.name) order by place), ' ← ') as text
        from (select keys, unnest(keys) as key, generate_subscripts(keys, 1) as place from head) h
        left join store.dataset d on d.dataset_key = h.key
        left join store.run r on r.run_id = h.key left join store.job j on j.job_key = r.job_key
        group by keys
    ),
    way as materialized (
        select p.run_a, p.run_b, p.via.depth as depth,
               h.text || case when p.via.depth <= 6 then '' else case when p.via.depth > 7 then ' ← … ' || (p.via.depth - 7) || ' more …' else '' end || ' ← ' || j.name || ' ← ' || d.name end as text
        from pair p semi join cause c on c.run_a = p.run_a and c.run_b = p.run_b
        left join head_text h on h.keys = p.via.head
        left join job_of j on j.run_id = p.via.reader_a
        left join store.dataset d on d.dataset_key = p.via.dataset_key
    )
    select row_number() over (order by c.grade, coalesce(w.depth, 0) desc, c.weight, c.what, c.role, way_text, c.run_a, c.run_b) as rank,
           j.name as job_name, c.role, c.what, c.value_a as a, c.value_b as b,
           case when c.tail is null then w.text when w.run_a is null then c.tail else concat_ws(' ← ', w.text, j.name, c.tail) end as path,
           ['cause', 'unknown', 'also'][c.grade + 1] as grade, c.run_a::varchar as run_a, c.run_b::varchar as run_b
    from (select *, null as way_text from cause) c
    left join way w on w.run_a = c.run_a and w.run_b = c.run_b
    left join store.run r on r.run_id = c.run_a left join store.job j on j.job_key = r.job_key
    order by rank
);

comment on macro table why is 'Why two results differ: first causes, ranked, and what else differs.';
