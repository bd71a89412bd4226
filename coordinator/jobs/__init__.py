"""Jobs on PostgreSQL: what puts them there, what works them, what notices that one is missing.

`engine.py` is the only file that knows PgQueuer.
"""
