"""The peers' side of the same work, run by the Python of their own environment: no import of ours but the provider's.

`litellm`: LiteLLM's budget manager as its documentation shows it: ask what was spent, call, record the cost. It keeps
its file when it gets to it. `redis`: a counter that a Lua script checks and raises in one step, and that gives back a
hold whose time is over, as ledgers with a time to live do.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from ledger_provider import Client

MICROS = 1_000_000
USER = "bot"
MODEL = "gpt-4o"
HOLD_SECONDS = 1
RESERVE = """
local held = 0
local now = tonumber(redis.call('TIME')[1]) * 1000 + math.floor(tonumber(redis.call('TIME')[2]) / 1000)
for _, id in ipairs(redis.call('ZRANGEBYSCORE', 'expires', '-inf', now)) do
  redis.call('DECRBY', 'held', redis.call('HGET', 'holds', id))
  redis.call('HDEL', 'holds', id)
  redis.call('ZREM', 'expires', id)
end
local taken = tonumber(redis.call('GET', 'held') or '0') + tonumber(redis.call('GET', 'spent') or '0')
if taken + tonumber(ARGV[2]) > tonumber(ARGV[3]) then return 0 end
redis.call('INCRBY', 'held', ARGV[2])
redis.call('HSET', 'holds', ARGV[1], ARGV[2])
redis.call('ZADD', 'expires', now + tonumber(ARGV[4]), ARGV[1])
return 1
"""
SETTLE = """
local held = redis.call('HGET', 'holds', ARGV[1])
if held then
  redis.call('DECRBY', 'held', held)
  redis.call('HDEL', 'holds', ARGV[1])
  redis.call('ZREM', 'expires', ARGV[1])
end
redis.call('INCRBY', 'spent', ARGV[2])
return 1
"""


class Litellm:
    """Check, call, record."""

    def __init__(self, limit: int, _: str) -> None:
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
        import litellm

        self._litellm: Any = litellm
        try:
            self._manager = litellm.BudgetManager(project_name="bench")
        except ValueError:  # its file was cut short when it was killed: it starts without one
            os.unlink("user_cost.json")
            self._manager = litellm.BudgetManager(project_name="bench")
        if not self._manager.is_valid_user(USER):
            self._manager.create_budget(total_budget=limit / MICROS, user=USER)
        self._token = float(litellm.model_cost[MODEL]["output_cost_per_token"])

    def reserve(self, _: str, usd_micros: int) -> bool:
        """Whether what was recorded so far leaves room for this call."""
        spent = float(self._manager.get_current_cost(user=USER))
        return spent + usd_micros / MICROS <= float(self._manager.get_total_budget(USER))

    def settle(self, _: str, usd_micros: int) -> None:
        """Record what an answer of that cost says of its usage."""
        tokens = round(usd_micros / MICROS / self._token)
        usage = self._litellm.Usage(prompt_tokens=0, completion_tokens=tokens, total_tokens=tokens)
        self._manager.update_cost(user=USER, completion_obj=self._litellm.ModelResponse(model=MODEL, usage=usage))


class Redis:
    """A Lua counter; a hold is given back when its time is over."""

    def __init__(self, limit: int, place: str) -> None:
        import redis

        connection = redis.Redis(unix_socket_path=place)
        self._limit = limit
        self._reserve, self._settle = connection.register_script(RESERVE), connection.register_script(SETTLE)

    def reserve(self, number: str, usd_micros: int) -> bool:
        """Checked and held in one step."""
        return bool(self._reserve(args=[number, usd_micros, self._limit, HOLD_SECONDS * 1000]))

    def settle(self, number: str, usd_micros: int) -> None:
        """The hold becomes what was spent."""
        self._settle(args=[number, usd_micros])


def work(told: dict[str, Any]) -> None:
    """Threads that ask again and again, a number of times each; prints attempts and seconds."""
    kind: Any = {"litellm": Litellm, "redis": Redis}[told["who"]]
    ledger = kind(told["limit"], told["place"])
    barrier = threading.Barrier(told["threads"] + 1)
    attempts = [0] * told["threads"]
    ends: list[float] = []

    def one(worker: int) -> None:
        client = Client(told["provider"]) if told["provider"] else None
        barrier.wait()
        for step in range(told["each"]):
            number = f"{told['round']}.{worker}.{step}"
            attempts[worker] += 1
            if ledger.reserve(number, told["usd_micros"]):
                if client is not None:
                    client.charge(number, told["usd_micros"])
                ledger.settle(number, told["usd_micros"])
        ends.append(time.perf_counter())

    threads = [threading.Thread(target=one, args=(worker,), daemon=True) for worker in range(told["threads"])]
    for thread in threads:
        thread.start()
    print("ready", flush=True)
    sys.stdin.readline()
    started = time.perf_counter()
    barrier.wait()
    for thread in threads:
        thread.join()
    print(json.dumps({"attempts": sum(attempts), "seconds": max(ends) - started}), flush=True)
    os._exit(0)  # what the peer still writes in the background is its own affair


if __name__ == "__main__":
    work(json.loads(sys.argv[1]))
