"""Pages and texts for people: the nightly report, plans, explanations, the data dictionary."""
