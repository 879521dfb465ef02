"""Where the server takes harmless text from: see `core/neutral.py`."""

from comptroller.core.neutral import TEXT_CHARS_MAX, neutral, neutral_name, written_out

__all__ = ["TEXT_CHARS_MAX", "neutral", "neutral_name", "written_out"]
