-- What x may be: a run id, namespace/name, name, each with @version or not, a digest or a prefix of at least 8 hex
-- digits of a digest or version, a job. All rules are tried; hits on one thing are one hit. `run:`, `job:`,
-- `dataset:`, `digest:` in front settle which rules apply.

-- A prefix of at least 8 hex digits, with a label or without.
create or replace macro store.hex_of(text) as
    lower(regexp_extract(text, '^(?:[a-z0-9-]+:)?([0-9a-fA-F]{8,64})$', 1));

create or replace macro store.hex_floor(hex) as ('0x' || rpad(left(hex, 16), 16, '0'))::ubigint;
create or replace macro store.hex_ceiling(hex) as ('0x' || rpad(left(hex, 16), 16, 'f'))::ubigint;

-- One row per hit of each term in `asked` (term), in which each stands once: term, kind, key (what makes two hits one thing), label (how to name it without doubt), and what
-- it is: run_id, or dataset_key (canonical), with version or not, or digest.
create or replace macro store.hits(asked) as table (
    with asked as (
        select
            term, nullif(regexp_extract(term, '^(run|job|dataset|digest):', 1), '') as only_kind,
            regexp_replace(term, '^(run|job|dataset|digest):', '') as text
        from query_table(asked)
    ),
    -- Every way to read the text as a name, with and without a version.
    reading as (
        select term, only_kind, text as name, null as version from asked
        union all
        select term, only_kind, array_to_string(parts[:i], '@'), array_to_string(parts[i + 1:], '@')
        from (select term, only_kind, string_split(text, '@') as parts, unnest(range(1, len(string_split(text, '@')))) as i from asked)
    ),
    -- Every way to split a name at a slash: as keys, so that no text is compared row by row.
    keyed as (
        select term, only_kind, version, name, null::uuid as name_key from reading
        union all
        select term, only_kind, version, name, store.name_key(array_to_string(parts[:i], '/'), array_to_string(parts[i + 1:], '/'))
        from (select *, string_split(name, '/') as parts, unnest(range(1, len(string_split(name, '/')))) as i from reading)
    ),
    named_dataset as (
        select distinct k.term, coalesce(a.canonical_key, d.dataset_key) as dataset_key, k.version
        from (
            select k.term, d.dataset_key, k.version from store.dataset d join keyed k on d.dataset_key = k.name_key where coalesce(k.only_kind, 'dataset') = 'dataset'
            union
            select k.term, d.dataset_key, k.version from store.dataset d join keyed k on k.name_key is null and d.name = k.name where coalesce(k.only_kind, 'dataset') = 'dataset'
        ) k
        join store.dataset d using (dataset_key)
        left join store.dataset_alias a using (dataset_key)
    ),
    member as (
        select n.term, n.dataset_key, n.version as wanted, coalesce(a.dataset_key, n.dataset_key) as member_key
        from named_dataset n left join store.dataset_alias a on a.canonical_key = n.dataset_key
        where n.version is not null
    ),
    -- A whole version is meant, not those that begin with it.
    versioned as (
        select m.term, m.dataset_key, v.version
        from member m join store.version v on v.dataset_key = m.member_key
        where v.version = m.wanted
            or (store.hex_of(m.wanted) <> '' and starts_with(regexp_replace(lower(v.version), '^.*:', ''), store.hex_of(m.wanted))
                and (not contains(m.wanted, ':') or starts_with(lower(v.version), lower(m.wanted))))
        group by m.term, m.dataset_key, m.wanted, v.version
        qualify v.version = m.wanted or not bool_or(v.version = m.wanted) over (partition by m.term, m.dataset_key, m.wanted)
    ),
    -- A bare digest or version, whole or its beginning.
    hex as (select term, only_kind, text, store.hex_of(text) as hex from asked where store.hex_of(text) <> ''),
    by_digest as (
        select distinct h.term, d.digest
        from store.version_digest d join hex h
            on d.digest_prefix between store.hex_floor(h.hex) and store.hex_ceiling(h.hex)
            and starts_with(split_part(d.digest, ':', 2), h.hex)
            and (not contains(h.text, ':') or starts_with(d.digest, lower(h.text)))
        where coalesce(h.only_kind, 'digest') = 'digest'
    ),
    by_version as (
        select distinct h.term, coalesce(a.canonical_key, v.dataset_key) as dataset_key, v.version
        from store.version v join hex h
            on starts_with(regexp_replace(lower(v.version), '^.*:', ''), h.hex)
            and (not contains(h.text, ':') or starts_with(lower(v.version), lower(h.text)))
        left join store.dataset_alias a using (dataset_key)
        where coalesce(h.only_kind, 'digest') = 'digest' and (h.term, v.version) not in (select (term, digest) from by_digest)
        qualify v.version = h.text or not bool_or(v.version = h.text) over (partition by h.term)
    )
    select a.term, 'run' as kind, r.run_id::varchar as key, 'run:' || r.run_id as label, r.run_id, null::uuid as dataset_key,
           null::varchar as version, null::varchar as digest
    from store.run r join asked a on r.run_id = store.run_uuid(a.text)
    where coalesce(a.only_kind, 'run') = 'run'
    union all
    select k.term, 'job', any_value(j.job_key)::varchar, 'job:' || j.namespace || '/' || j.name,
           -- Its latest run: by start, else by first event.
           (select min({age: -epoch_us(coalesce(r.first_start_at, r.first_at)), run_id: r.run_id}).run_id
            from store.run r where r.job_key = store.name_key(j.namespace, j.name)),
           null, null, null
    from store.job j join keyed k on j.job_key = k.name_key or (k.name_key is null and j.name = k.name)
    where coalesce(k.only_kind, 'job') = 'job' and k.version is null
    group by k.term, j.namespace, j.name
    union all
    select n.term, 'dataset', n.dataset_key::varchar, 'dataset:' || d.namespace || '/' || d.name, null, n.dataset_key, null, null
    from named_dataset n join store.dataset d using (dataset_key) where n.version is null
    union all
    select v.term, 'version', v.dataset_key::varchar || '@' || v.version, 'dataset:' || d.namespace || '/' || d.name || '@' || v.version,
           null, v.dataset_key, v.version, null
    from (from versioned union from by_version) v join store.dataset d using (dataset_key)
    union all
    select term, 'digest', digest, 'digest:' || digest, null, null, null, digest from by_digest
);

-- A dataset as people know it: of a file its path, which finds it again.
create or replace macro store.dataset_text(namespace, name) as
    case when namespace = 'file' and starts_with(name, '/') then name else namespace || '/' || name end;

-- How alike a name is to what somebody typed: as a whole, by its last part (a file's with its ending), or because it
-- contains it.
create or replace macro store.likeness(name, label, typed) as
    greatest(jaro_winkler_similarity(lower(name), lower(typed)), jaro_winkler_similarity(lower(label), lower(typed)),
             jaro_winkler_similarity(lower(regexp_extract(name, '[^/.]*$')), lower(typed)),
             jaro_winkler_similarity(lower(regexp_extract(name, '[^/]*$')), lower(typed)),
             case when contains(lower(label), lower(typed)) then 0.95 else 0 end);

-- The one thing that each term in `asked` (term) is. An error lists the candidates where there are several, and the nearest where there is none.
create or replace macro store.resolve_each(asked) as table (
    with hit as materialized (from store.hits(asked)),
    found as materialized (
        select a.term, count(h.term) as things, list(h.label order by h.label) as labels
        from query_table(asked) a left join hit h on h.term = a.term group by a.term
    ),
    unknown as (select term from found where things = 0),
    near as (
        select term, list(label order by score desc, label)[:5] as labels
        from (
            select term, label, max(store.likeness(name, label, term)) as score
            from (
                -- No name is the term, else it were known: a condition, since a cross join would read all names also where nothing is unknown.
                select term, 'dataset:' || store.dataset_text(namespace, name) as label, name from store.dataset join unknown on name <> term
                union all
                select term, 'job:' || namespace || '/' || name, name from store.job join unknown on name <> term
            )
            group by term, label
        )
        group by term
    ),
    checked as (
        select f.term, case
            when things > 1 then error('ambiguous: ' || f.term || ' is ' || things || ' things: ' || array_to_string(f.labels[:10], ', ')
                                       || case when things > 10 then ' and ' || (things - 10) || ' more' else '' end || '; put run:, job:, dataset: or digest: in front, or add @version')
            when things = 0 then error('unknown: nothing is known as ' || f.term || '; nearest: ' || coalesce(array_to_string(n.labels, ', '), 'nothing'))
            else true end as one
        from found f left join near n on n.term = f.term
    )
    select c.term, h.kind, h.run_id, h.dataset_key, h.version, h.digest from checked c left join hit h on c.one and h.term = c.term
);

-- The one thing that x is.
create or replace macro store.resolve(x) as table (
    with asked as (select x::varchar as term)
    select kind, run_id, dataset_key, version, digest from store.resolve_each('asked')
);
