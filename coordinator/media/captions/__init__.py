"""Words on the picture and beside it: cards, how they look, files of them. Imports `picture` and `intake` only."""
