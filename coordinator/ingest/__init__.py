"""Takes the agents' streams: chunks to the spool, rows and jobs to PostgreSQL, acks and wishes back.

`LinkServer` is the whole of it; `RollUp` moves spooled chunks to the object store. Media is never parsed here.
"""
