"""The page that lists and plays moments and posts, its JSON twin, and the signed object routes."""
