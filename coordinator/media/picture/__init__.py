"""Pictures: upright, square-pixelled, BT.709; shaped and composed for where they go. Imports `intake` only."""
