"""Chains by number, their coins, and the dollar tokens whose contracts are known; facts of 2026-11 from the issuers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

COIN_DECIMALS = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token contract. `currency` is what a payment in it is counted in, `decimals` how many it has; `name` and
    `version` are its EIP-712 domain, by which signed transfers name it."""

    chain: int
    address: str
    currency: str
    decimals: int
    name: str = ""
    version: str = ""


COINS: Mapping[int, str] = {
    1: "eth",
    10: "eth",
    14: "flr",
    56: "bnb",
    100: "xdai",
    137: "pol",
    324: "eth",
    1329: "sei",
    8453: "eth",
    42161: "eth",
    42220: "celo",
    43114: "avax",
    59144: "eth",
    84532: "eth",
    421614: "eth",
    534352: "eth",
    11155111: "eth",
}
"""What the gas and the plain value of a transaction are paid in."""

NETWORKS: Mapping[str, int] = {
    "arbitrum": 42161,
    "avalanche": 43114,
    "avalanche-fuji": 43113,
    "base": 8453,
    "base-sepolia": 84532,
    "celo": 42220,
    "ethereum": 1,
    "optimism": 10,
    "polygon": 137,
    "polygon-amoy": 80002,
    "sei": 1329,
}
"""Names of chains as x402 version 1 writes them."""

_USDC = (
    (1, "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", "USD Coin"),
    (10, "0x0b2c639c533813f4aa9d7837caf62653d097ff85", "USD Coin"),
    (137, "0x3c499c542cef5e3811e1192ce70d8cc03d5c3359", "USD Coin"),
    (8453, "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913", "USD Coin"),
    (42161, "0xaf88d065e77c8cc2239327c5edb3a432268e5831", "USD Coin"),
    (42220, "0xceba9300f2b948710d2653dd7b07f33a8b32118c", "USDC"),
    (43114, "0xb97ef9ef8734c71904d8002f8b6bc66dd9c48a6e", "USD Coin"),
    (84532, "0x036cbd53842c5426634e7929541ec2318f3dcf7e", "USDC"),
    (421614, "0x75faf114eafb1bdbe2f0316df893fd58ce46aa4d", "USD Coin"),
)
TOKENS: Mapping[tuple[int, str], Token] = {
    (chain, address): Token(chain=chain, address=address, currency="usdc", decimals=6, name=name, version="2")
    for chain, address, name in _USDC
} | {
    (1, "0xdac17f958d2ee523a2206206994597c13d831ec7"): Token(
        chain=1, address="0xdac17f958d2ee523a2206206994597c13d831ec7", currency="usdt", decimals=6
    ),
    (1, "0x6b175474e89094c44da98b954eedeac495271d0f"): Token(
        chain=1, address="0x6b175474e89094c44da98b954eedeac495271d0f", currency="dai", decimals=18
    ),
}
"""By chain and contract (lower case). A token that is not here may be worth anything."""


def chain_of(network: str) -> int | None:
    """The chain of `eip155:8453` or of a version 1 name; None where it is no such chain."""
    family, _, number = network.partition(":")
    if family == "eip155" and number.isascii() and number.isdigit() and len(number) <= 18 and number[0] != "0":
        return int(number)
    return NETWORKS.get(network)
