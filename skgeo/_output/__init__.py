"""From results to files and labelled objects."""
