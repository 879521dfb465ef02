"""Google Cloud and Google's other APIs on the wire: every published operation by host, path and method."""

from comptroller.decode.gcp.codec import GcpCodec

__all__ = ["GcpCodec"]
