-- What is to be forgotten.
select 1;
