"""The parts of README.md and docs/ that follow from the code: `python -m tools.docs`, `--check` for drift."""
