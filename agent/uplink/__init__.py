"""Everything that leaves this PC: the durable outbox, the link to the coordinator, and uploads on request.

`Outbox` takes chunks from any thread; `LinkClient` (thread `uplink`) carries them; `SourceFulfiller` (threads
`source-pin` and `source-upload`) answers the coordinator's wishes for full quality.
"""
