"""Commands that deliver: ``ship``, ``sync``, and what ``run`` delivers from outside."""
