"""One use case a module; each step talks to ports only."""
