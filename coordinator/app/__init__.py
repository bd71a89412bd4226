"""Composition root: builds adapters and hands them down. The only place that knows embedded from fleet.

`everything` is the supervisor of one machine, `serving` the process that agents and browsers speak to, `working` a
worker of one stage; `installation` is what all of them are built from.
"""
