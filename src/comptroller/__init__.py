"""Comptroller: an AI agent in a box whose only way out is a gateway that knows what each request would do and cost."""

__version__ = "0.1.0"
