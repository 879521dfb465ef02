"""What signed Ethereum data needs of `eth-account`, loaded when the first of it comes; an extra of the package.

Importing it raises the interpreter's recursion limit a hundredfold, with which deeply nested JSON would end the
process: the limit is put back.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from comptroller.decode.shape import Undecodable


@dataclass(frozen=True, slots=True, kw_only=True)
class Wallet:
    """`transaction`: the fields of a typed transaction's bytes; `rlp`: a strict list decoder; `keccak` a hash; `signer`
    the address that signed typed data."""

    transaction: Callable[[bytes], dict[str, Any]]
    rlp: Callable[[bytes], Any]
    keccak: Callable[[bytes], bytes]
    signer: Callable[[dict[str, Any], dict[str, Any], dict[str, Any], str], str]


def wallet() -> Wallet:
    """The library. Raises `Undecodable` where the extra is not installed."""
    try:
        return _load()
    except ImportError as error:
        raise Undecodable("signed payments are read with `pip install 'comptroller[ethereum]'`") from error


@cache
def _load() -> Wallet:
    limit = sys.getrecursionlimit()
    try:
        import rlp
        from eth_account import Account
        from eth_account.messages import encode_typed_data
        from eth_account.typed_transactions.typed_transaction import TypedTransaction
        from eth_utils.crypto import keccak
        from hexbytes import HexBytes
    finally:
        sys.setrecursionlimit(limit)

    def signer(domain: dict[str, Any], types: dict[str, Any], message: dict[str, Any], signature: str) -> str:
        signable = encode_typed_data(domain_data=domain, message_types=types, message_data=message)
        return str(Account.recover_message(signable, signature=signature)).lower()

    return Wallet(
        transaction=lambda raw: dict(TypedTransaction.from_bytes(HexBytes(raw)).as_dict()),
        rlp=lambda raw: rlp.decode(raw, strict=True),
        keccak=lambda raw: bytes(keccak(raw)),
        signer=signer,
    )
