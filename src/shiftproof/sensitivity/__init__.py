"""How often a gate or a rehearsal itself errs: plants each known defect, runs it as a user would, and counts misses.

Pure: `kind`, `plan`, `attempts`, `figures`, `normal`, `table`, `wording`, `document` and `page`. `state` remembers on
disk what was done, `runner` runs a gate or a rehearsal as a child process, `platform` looks whether all is back to
normal, `rules` asks what others would have said, `run` puts them together.
"""
