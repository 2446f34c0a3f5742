"""``python -m synapse_otel``: the commands, where no script of them is on the path."""

from synapse_otel.cli import main

if __name__ == "__main__":
    main()
