-- Accounts, devices and pairing.
select 1;
