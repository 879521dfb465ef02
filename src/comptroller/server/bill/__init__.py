"""Bills of others beside our log: read line by line, compared, and what they prove."""
