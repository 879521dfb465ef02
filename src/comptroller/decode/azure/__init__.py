"""Azure on the wire: the resource manager, and the data planes of key vaults, blobs, directories and tokens."""

from __future__ import annotations

from comptroller.decode.azure.codec import AzureCodec

__all__ = ["AzureCodec"]
