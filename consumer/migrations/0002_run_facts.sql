-- What tells at a glance that two runs were asked for different things, so that `why` takes apart the facets of those only.
-- Null in rows from before: then it looks. `relineage rebuild` fills them in.
alter table store.run add column asked uuid;
alter table store.run add column chance uuid;
alter table store.run add column unfixed boolean;
comment on column store.run.asked is 'md5 of its operation, code and parameters: what was asked for, without the inputs.';
comment on column store.run.chance is 'md5 of its entropy.';
comment on column store.run.unfixed is 'Whether it used chance that no seed fixes.';
