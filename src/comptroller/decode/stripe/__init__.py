"""Stripe v1: form-encoded requests, the money they move and the answers that tell what was really moved."""

from comptroller.decode.stripe.codec import StripeCodec

__all__ = ["StripeCodec"]
