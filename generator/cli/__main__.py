"""`python -m generator.cli`: the command where no script of it lies on the path."""

from generator.cli import main

main()
