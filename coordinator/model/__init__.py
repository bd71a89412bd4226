"""Values that the coordinator's rooms hand one another: frozen, with slots, by keyword."""
