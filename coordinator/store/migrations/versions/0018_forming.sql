-- A moment is offered as soon as it is heard; while what comes next may still move its ends it is forming, and nothing is
-- asked for of it.
alter table moments add column is_forming boolean not null default false;
