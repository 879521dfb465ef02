"""The escape suite: attacks on a real box from inside it, and what they must not reach outside."""
