"""The box bench measures what it says, on few boxes and a small flood."""

from __future__ import annotations

from bench import box


def test_the_box_bench_on_a_sample() -> None:
    with box.place() as place:
        launch = box.launch(place, 3)
        memory, alive = box.boxes(place, 3)
        flood = box.flood(place, 120, 3)
    names = [result.name for result in (launch, memory, alive, flood)]
    assert names == ["launch_p50_ms", "rss_per_box_mb", "boxes_at_once", "allowed_slowdown_under_flood"]
    assert launch.value > 0 and 5 < memory.value < 100 and alive.value == 3 and flood.value > 0
