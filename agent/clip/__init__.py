"""From a span of packets to a playable file: stream copy, smart cut, thumbnail, name."""
