-- What a language model said of what was found, and what calls used by provider.

-- The last opinion of a moment: {adjustment, title, model}; null: no model was asked. It is in score, title and evidence.
alter table moments add column opinion jsonb;

-- Which model judged what a look found, or why none did; both empty where none is configured.
alter table analyses add column judge text not null default '';
alter table analyses add column unjudged text not null default '';

-- What was used on a day, for people. What a budget is held by is llm_spend.
create table llm_used (
    day date not null,
    tier text not null,
    provider text not null,
    num_calls bigint not null default 0,
    num_tokens bigint not null default 0,
    cost_micros bigint not null default 0,
    primary key (day, tier, provider)
) with (fillfactor = 70);
