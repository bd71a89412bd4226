"""Running it: supervisor, lifelines, locks, certificates, tokens, ports, limits. Knows no stage."""
