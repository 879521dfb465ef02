"""Carries what happened to people: routes, an outbox that survives, and one shape of channel. Never the truth."""
