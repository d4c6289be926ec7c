"""`python -m shiftproof`: the same as the `shiftproof` program."""

from shiftproof.cli import main

main()
