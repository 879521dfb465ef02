"""Ethereum-style JSON-RPC: what a signed transaction pays and calls."""

from comptroller.decode.ethereum.codec import EthereumCodec

__all__ = ["EthereumCodec"]
