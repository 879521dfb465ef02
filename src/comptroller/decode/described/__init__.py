"""Services known by a description: `services/NAME.yaml`, a person's own or one that comes with Comptroller."""

from comptroller.decode.described.codec import DescribedCodec
from comptroller.decode.described.service import Operation, Service
from comptroller.decode.described.shipped import SHIPPED, shipped_codec, shipped_service, shipped_text

__all__ = [
    "SHIPPED",
    "DescribedCodec",
    "Operation",
    "Service",
    "shipped_codec",
    "shipped_service",
    "shipped_text",
]
