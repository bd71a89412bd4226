-- What was said in a session since an utterance, which goes down to its agent with the news of the session.
create index utterances_of_session on utterances (session_id, utterance_id);
