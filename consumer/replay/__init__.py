"""Doing a run again: from its recorded code, inputs, parameters and chance, and saying whether the same came out.

`recorded` reads what is known of a run, `places` decides where its files lie in the replay, `code` brings back the
code, `inputs` the inputs, `command` and `process` start it, `outcome` compares what came out, `answer` brings both into
one database and asks why, `record` says it as an event. `replaying` puts these together for one process, `closure` for
all of an upstream, `environment` rebuilds the packages.
"""
