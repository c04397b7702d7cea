-- Where chance shows: one recipe with several outcomes, and tasks whose outcome depends on the seed.

-- The runs whose recipe and outcome are known, and whether their seed was given, or drawn and used (null: not known).
create or replace view store.chance_run as
with step as (select run_id, job_key, task, recipe, outcome, given from store.run where recipe is not null and outcome is not null),
-- Only these need a look at what they have drawn.
unseeded as (select run_id from step where given is not true),
seeds as (
    select f.run_id, store.has_drawn(store.seeds_told(f.body).libraries) as drawn,
           coalesce(len(store.chance_used(store.seeds_told(f.body).uncovered)), 0) > 0 as used
    from store.run_facet('relineage_seeds') f semi join unseeded using (run_id)
)
select r.run_id, j.namespace, j.name, r.task, r.recipe, r.outcome, coalesce(r.given, false) as given,
       case when r.given then false when s.used then true else s.drawn end as drawn
from step r left join seeds s using (run_id) left join store.job j using (job_key);
comment on view store.chance_run is 'The runs whose recipe and outcome are known, and how chance was fixed in them.';
comment on column store.chance_run.run_id is 'The run.';
comment on column store.chance_run.namespace is 'Namespace of its job.';
comment on column store.chance_run.name is 'Name of its job.';
comment on column store.chance_run.task is 'What was asked for.';
comment on column store.chance_run.recipe is 'The task and the seeds that were given.';
comment on column store.chance_run.outcome is 'What came out.';
comment on column store.chance_run.given is 'Whether its seed was given.';
comment on column store.chance_run.drawn is 'Without a given seed: whether something was drawn; null when nobody looked.';

create or replace view nondeterminism as
-- With a given seed, or without any chance used, one recipe has one outcome.
with fixed as (select * from store.chance_run where given or not drawn),
several as (select recipe from fixed group by recipe having count(distinct outcome) > 1),
involved as materialized (select f.* from fixed f semi join several using (recipe)),
said as materialized (from store.settings_said('involved')),
told as (select run_id as setting, key, said from said),
item as (from store.setting_items('told')),
-- Per setting its values in these runs, nothing being one too.
value_of as (
    select i.recipe, k.what, k.key, i.run_id, t.value
    from involved i
    join (select distinct v.recipe, t.what, t.key from involved v join item t on t.setting = v.run_id) k using (recipe)
    left join item t on t.setting = i.run_id and t.what = k.what and t.key = k.key
),
differing as (
    select recipe, what, key, list(distinct coalesce(value, '(nothing)') order by coalesce(value, '(nothing)')) as vals
    from value_of group by recipe, what, key having count(distinct coalesce(value, '(nothing)')) > 1
),
setting as (
    select recipe, list(concat_ws(' ', what, nullif(key, '')) || ': ' || array_to_string(vals, ' | ') order by what, key) as settings from differing group by recipe
),
by_outcome as (
    select recipe, outcome, list(run_id::varchar order by run_id::varchar) as run_ids from involved group by recipe, outcome
)
select i.recipe, min(i.task) as task, min(i.namespace) as job_namespace, min(i.name) as job_name,
       count(*) as runs, count(distinct i.outcome) as outcomes,
       any_value(o.runs_by_outcome) as runs_by_outcome, coalesce(any_value(s.settings), []) as settings
from involved i
join (select recipe, list({outcome: outcome, run_ids: run_ids} order by run_ids) as runs_by_outcome from by_outcome group by recipe) o using (recipe)
left join setting s using (recipe)
group by i.recipe;
comment on view nondeterminism is 'Recipes that led to different outcomes, though their seeds were given or nothing was drawn.';
comment on column nondeterminism.recipe is 'The recipe.';
comment on column nondeterminism.task is 'Its task.';
comment on column nondeterminism.job_namespace is 'Namespace of the job; of several the first.';
comment on column nondeterminism.job_name is 'Name of the job; of several the first.';
comment on column nondeterminism.runs is 'How many runs of it are known.';
comment on column nondeterminism.outcomes is 'How many different outcomes they had.';
comment on column nondeterminism.runs_by_outcome is 'Each outcome with its runs.';
comment on column nondeterminism.settings is 'What differed of where they ran: packages, machine, switches, commit, each with its values. Empty: nothing that is recorded.';

create or replace view seed_sensitivity as
with per_recipe as (
    select task, recipe, list(distinct outcome order by outcome) as outcomes from store.chance_run where given group by task, recipe
),
free as (
    select task, count(*) as runs, count(distinct outcome) as outcomes from store.chance_run where not given and coalesce(drawn, true) group by task
),
sensitive as (
    select task from per_recipe group by task having count(distinct outcomes) > 1
    union
    select task from free where outcomes > 1
    union
    select f.task from free f join per_recipe p using (task) join store.chance_run r on r.task = f.task and not r.given and coalesce(r.drawn, true)
    where not list_contains(p.outcomes, r.outcome)
),
run as materialized (select * from store.chance_run semi join sensitive using (task) where given or coalesce(drawn, true)),
task as (
    select task, min(namespace) as job_namespace, min(name) as job_name, count(*) as runs, count(distinct recipe) filter (where given) as seeds,
           count(*) filter (where not given) as unseeded_runs, count(distinct outcome) as outcomes
    from run group by task
),
-- Of a metric that has steps, the last one; where a run says it several times, all of them count.
measured as (
    select r.task, r.run_id, m.name as metric, m.value
    from metrics m join run r on r.run_id::varchar = m.run_id
    where isfinite(m.value)
    qualify coalesce(m.step, -1) = max(coalesce(m.step, -1)) over (partition by r.run_id, m.name)
),
spread as (
    select task, metric, count(distinct run_id) as n, list_sort(list(value)) as vals from measured group by task, metric
)
select t.task, t.job_namespace, t.job_name, t.runs, t.seeds, t.unseeded_runs, t.outcomes,
       s.metric, s.n, list_min(s.vals) as min, list_avg(s.vals) as mean, list_max(s.vals) as max, list_stddev_samp(s.vals) as deviation
from task t left join spread s using (task);
comment on view seed_sensitivity is 'Tasks whose outcome depends on the seed, one row a metric, with how far it spreads.';
comment on column seed_sensitivity.task is 'What was asked for: operation, inputs, parameters, code.';
comment on column seed_sensitivity.job_namespace is 'Namespace of the job; of several the first.';
comment on column seed_sensitivity.job_name is 'Name of the job; of several the first.';
comment on column seed_sensitivity.runs is 'Runs with a given seed, or with one that was drawn and used.';
comment on column seed_sensitivity.seeds is 'How many seeds were given.';
comment on column seed_sensitivity.unseeded_runs is 'Runs whose seed was drawn.';
comment on column seed_sensitivity.outcomes is 'How many different outcomes they had.';
comment on column seed_sensitivity.metric is 'A metric of these runs, at its last step; null when they measured nothing.';
comment on column seed_sensitivity.n is 'How many runs measured it.';
comment on column seed_sensitivity.min is 'Its least value.';
comment on column seed_sensitivity.mean is 'Its mean.';
comment on column seed_sensitivity.max is 'Its greatest value.';
comment on column seed_sensitivity.deviation is 'Its standard deviation, of a sample; null of one value.';
