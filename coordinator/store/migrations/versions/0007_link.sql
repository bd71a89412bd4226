-- What the link asks at each connect and at each look for news, by index.
create index sessions_of_agent on sessions (agent_id, started_at desc);
create index clips_of_session on clips (session_id);
create index moments_changed on moments (updated_at);
create index exports_changed on exports (updated_at);
create index chunks_by_age on chunks (received_at) where place like 'spool:%';
create index sessions_by_end on sessions (ended_at);
