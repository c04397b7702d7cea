-- The steps of `why` (macros/why.sql) one by one, as temporary tables of a connection of their own; why_steps.py takes them in this
-- order, and leaves out those that have nothing to look at.

-- name: target
-- The results side by side.
create temp table target as from store.targets_of($a, $b);

-- name: start
-- The runs that wrote them.
create temp table start as from store.first_pairs('target');

-- name: link
-- What links versions and runs to others.
create temp table link as from store.version_link;

-- name: linked_run
-- The same of runs.
create temp table linked_run as from store.linked_run;

-- name: twin
-- Contents that others may hold, too.
create temp table twin as from store.twins();

-- name: serving
-- Runs that were answered from a cache.
create temp table serving as from store.served_run;

-- name: guess
-- The runs to compare, guessed.
create temp table guess as from store.guessed_pairs('start');

-- name: side
-- What they have read.
create temp table side as from store.side_by_side('guess', 'link', 'linked_run', 'twin', 'serving');

-- name: pair
-- How they are reached.
create temp table pair as from store.reached_pairs('start', 'side');

-- name: misguess
-- Where the guess is wrong.
create temp table misguess as from store.misguesses('guess', 'pair');

-- name: walk
-- Then they are walked.
create temp table walk as from store.walked_pairs('start', 'link', 'linked_run', 'twin', 'serving');

-- name: walked_side
-- And looked at once more.
create or replace temp table side as from store.side_by_side('walk', 'link', 'linked_run', 'twin', 'serving');

-- name: walked_pair
-- As is how they are reached.
create or replace temp table pair as from store.reached_pairs('start', 'side');

-- name: judged
-- How far they are from the result, and whether they have read the same.
create temp table judged as from store.judged_pairs('pair', 'side');

-- name: level
-- Those that have.
create temp table level as select run_a, run_b from judged where level;

-- name: own
-- What was asked for and with which chance, where it differs.
create temp table own as from store.asked_differences('pair', 'level');

-- name: silent
-- Where it was the same.
create temp table silent as from store.silent_pairs('level', 'own');

-- name: outer
-- There it may have been the run around it.
insert into own by name from store.outer_differences('silent');

-- name: reordered
-- Or the order of columns.
create temp table reordered as from store.order_differences('silent', 'side');

-- name: not_reordered
-- None, where there is nothing to look at.
create temp table if not exists reordered (run_a uuid, run_b uuid, slot varchar, value_a varchar, value_b varchar);

-- name: besides
-- Where the setting may have had an effect as well.
create temp table besides as from store.pairs_besides('judged', 'own');

-- name: looked
-- Where settings are compared.
create temp table looked as from store.pairs_looked_at('judged', 'besides', 'own', 'side');

-- name: place
-- In what they differ.
create temp table place as from store.setting_differences('looked');

-- name: raw
-- What differs and leads on to no other pair.
create temp table raw as from store.loose_ends('side', 'target');

-- name: inside
-- The columns, rows and tensors of that.
create temp table inside as from store.inside_differences('raw');

-- name: nothing_inside
-- None, where there is nothing to look at.
create temp table if not exists inside (run_a uuid, run_b uuid, slot varchar, what varchar, value_a varchar, value_b varchar);

-- name: ground
-- Which explanations there are.
create temp table ground as from store.explanations('start', 'judged', 'level', 'silent', 'side', 'own', 'reordered', 'place');

-- name: unexplained
-- Where there is none.
create temp table unexplained as from store.unexplained_pairs('ground');

-- name: lost
-- Code in use there that was not kept.
create temp table lost as from store.code_not_kept('unexplained');

-- name: nothing_lost
-- None, where there is nothing to look at.
create temp table if not exists lost (run_a uuid, run_b uuid, files varchar);

-- name: cause
-- What is told.
create temp table cause as
from store.causes($a, $b, 'target', 'raw', 'inside', 'reordered', 'own', 'place', 'besides', 'ground', 'unexplained', 'lost');

-- name: told
-- The same only once.
create temp table told as from store.told_causes('cause', 'pair');

-- name: why
-- First causes, ranked.
from store.ranked_causes('told', 'pair');
