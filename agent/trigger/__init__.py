"""What starts a clip, and what the streamer hears of it."""
