"""The API: one table of endpoints, served over the control socket and under /api/v1 of the console's port."""
