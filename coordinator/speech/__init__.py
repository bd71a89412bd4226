"""Speech to timed words: the engines, the models they need, and the process that holds them.

`choose` opens an engine, `child` keeps one in a supervised process, `files` reads a whole recording,
`fetch` brings a model onto this machine and `resolve` finds it again.
"""
