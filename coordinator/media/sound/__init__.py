"""Sound: which of it is heard, how loud, and never above its ceiling. Imports `intake` only."""
