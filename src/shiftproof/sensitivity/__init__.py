"""How often the gate itself errs: plants each known defect, runs the gate as a user would, and counts what it missed.

Pure: `plan`, `attempts`, `normal`, `table`, `document` and `page`. `state` remembers on disk what was done, `gates`
runs a gate as a child process, `platform` looks whether all is back to normal, `rules` asks what others would have
said, `run` puts them together.
"""
