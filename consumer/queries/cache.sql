-- What `relineage cache why-miss` asks about one run.

-- name: run
-- Its job, and what was said of the step and of chance.
select r.job_namespace, r.job_name, r.state,
       max(f.body) filter (where f.key = 'relineage_step') as step,
       max(f.body) filter (where f.key = 'relineage_seeds') as seeds
from runs r left join facets f on f.run_id = r.run_id and f.entity = 'run'
where r.run_id = $run_id
group by all;

-- name: inputs
-- What it read, by role.
select role, digest from inputs where run_id = $run_id order by store.natural(role), digest;

-- name: parameters
-- What it was told, by name.
select name, concat_ws(': ', type, value) as value from parameters where run_id = $run_id order by store.natural(name);
