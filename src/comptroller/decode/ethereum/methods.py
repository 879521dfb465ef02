"""JSON-RPC methods of Ethereum-style nodes and their classes. A method that is not here is refused."""

from __future__ import annotations

from collections.abc import Mapping

from comptroller.core.action import ActionClass

_READS = """
eth_accounts eth_baseFee eth_blobBaseFee eth_blockNumber eth_call eth_callMany eth_chainId eth_coinbase
eth_createAccessList eth_estimateGas eth_feeHistory eth_gasPrice eth_getAccount eth_getBalance eth_getBlockByHash
eth_getBlockByNumber eth_getBlockReceipts eth_getBlockTransactionCountByHash eth_getBlockTransactionCountByNumber
eth_getCode eth_getFilterChanges eth_getFilterLogs eth_getLogs eth_getProof eth_getStorageAt
eth_getTransactionByBlockHashAndIndex eth_getTransactionByBlockNumberAndIndex eth_getTransactionByHash
eth_getTransactionBySenderAndNonce eth_getTransactionCount eth_getTransactionReceipt eth_getUncleByBlockHashAndIndex
eth_getUncleByBlockNumberAndIndex eth_getUncleCountByBlockHash eth_getUncleCountByBlockNumber eth_hashrate
eth_maxPriorityFeePerGas eth_mining eth_newBlockFilter eth_newFilter eth_newPendingTransactionFilter
eth_protocolVersion eth_simulateV1 eth_supportedEntryPoints eth_syncing eth_uninstallFilter
eth_estimateUserOperationGas eth_getUserOperationByHash eth_getUserOperationReceipt
net_listening net_peerCount net_version web3_clientVersion web3_sha3 rpc_modules txpool_content txpool_inspect
txpool_status debug_traceBlockByHash debug_traceBlockByNumber debug_traceCall debug_traceTransaction trace_block
trace_call trace_filter trace_get trace_replayBlockTransactions trace_replayTransaction trace_transaction
alchemy_getAssetTransfers alchemy_getTokenAllowance alchemy_getTokenBalances alchemy_getTokenMetadata
"""
_PAYS = """
eth_sendRawTransaction eth_sendRawTransactionSync eth_sendPrivateRawTransaction eth_sendPrivateTransaction
eth_sendRawTransactionConditional eth_sendBundle mev_sendBundle eth_sendTransaction eth_resend eth_sendUserOperation
personal_sendTransaction wallet_sendCalls
"""
_SIGNS = """
eth_sign eth_signTransaction eth_signTypedData eth_signTypedData_v3 eth_signTypedData_v4 personal_sign
personal_signTransaction personal_unlockAccount personal_importRawKey personal_newAccount wallet_grantPermissions
"""

METHODS: Mapping[str, frozenset[ActionClass]] = {
    **dict.fromkeys(_READS.split(), frozenset({ActionClass.READ})),
    **dict.fromkeys(_PAYS.split(), frozenset({ActionClass.PAY})),
    # Whoever holds such a signature can move money with it later, unseen.
    **dict.fromkeys(_SIGNS.split(), frozenset({ActionClass.PAY, ActionClass.ENTITLE})),
}
"""A signed transaction adds what it does; where only a node's own key signs, the amount is not known."""


def classes_of(method: str) -> frozenset[ActionClass]:
    """The classes of a method; `unknown` for any that is not listed."""
    return METHODS.get(method, frozenset({ActionClass.UNKNOWN}))
