"""Composition root without Qt: builds the adapters, joins them through the session, serves the control API.

`run` is the process, `recording` one run of capture, `sending` the way to the coordinator, `serving` what the control
API asks; `surveying` answers for a machine where nothing runs.
"""
