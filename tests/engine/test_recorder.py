"""What lies beside an entry can be erased: itself an entry, and every leaf stays as it was."""

from __future__ import annotations

from tests.engine.conftest import Bench

from comptroller.core.audit import EntryKind


async def test_an_erased_value_is_gone_and_the_log_still_adds_up(bench: Bench) -> None:
    recorder = bench.engine.recorder
    index = await recorder.record(
        EntryKind.BOX_REFUSED, agent="bot", run=bench.run.id, body={"look": "ssh"}, private={"detail": "a name"}
    )
    assert [item.value for item in await bench.store.private(index)] == ["a name"]
    size = await bench.store.size()
    root = await bench.store.root(size)
    erased = await recorder.erase(index, "detail", by="ann")
    assert not await bench.store.private(index)
    assert await bench.store.root(size) == root
    last = (await bench.store.entries(limit=1000))[-1]
    assert (last.index, last.document["kind"]) == (erased, "field.erased")
    assert last.document["body"] == {"entry": index, "field": "detail", "by": "ann"}
