"""What is done to pictures and sound: probe, normalise, cut, caption, level, export.

Everything here parses what came from outside, so the product calls it through `child.LimitedMedia` only:
a child process with limits on memory, time, pixels and file size. The functions themselves are plain and
synchronous, and safe to call directly on files that are trusted (tests, benches).

Rooms: `intake` reads, `picture` shapes, `sound` levels, `captions` letters, `output` writes what they make together.
"""
