"""Which loads are compared, and over which programs."""
import dataclasses

import systems


@dataclasses.dataclass
class Scenario:
    name: str
    load: dict                      # bench_load's options
    systems: dict                   # name: how to start it, None for the shards themselves
    shards: int = 2
    more_shards: dict = dataclasses.field(default_factory=dict)  # systems that have another number of them
    value_bytes: int = 600
    reach: float = 0                # the router's processor time over HAProxy's: the goal
    pump: float = 0                 # the minimal pump's, on a quiet machine
    half_of: tuple = ()             # a system and a closed loop: requests are due at half of the rate that it reaches
    seconds: float = 1.0
    rounds: int = 0                 # 0: as the command line says
    core: int | None = None         # the compared programs stay on it; the load and the shards go where they like


def closed(connections, outstanding, **more):
    return {"connections": connections, "outstanding": outstanding, **more}


def opened(rate, connections, **more):
    return {"connections": connections, "rate": rate, **more}


def proxies(build):
    return {"direct": None, "pump": systems.pump(build), "haproxy": systems.haproxy(1),
            "haproxy, all threads": systems.haproxy(0), "nginx": systems.nginx, "router": systems.router(build)}


def table(build):
    """The scenarios whose ratios to HAProxy have goals."""
    each = proxies(build)
    return [
        Scenario("1×1", closed(1, 1), each, reach=0.75, pump=0.57),
        Scenario("8×16", closed(8, 16), each, reach=3.2, pump=0.91),
        Scenario("64×4", closed(64, 4), each, reach=1.15, pump=0.79),
        Scenario("256×1", closed(256, 1), each, reach=0.50, pump=0.70),
        Scenario("64 KiB values, 4×4", closed(4, 4), each, value_bytes=65536, reach=1.15, pump=0.46),
        Scenario("open loop, 20,000/s over 16", opened(20000, 16), each, reach=1.0, pump=0.82),
    ]


def kept_on_core(build):
    """1×1 with the router kept on one core. Elsewhere the kernel moves it once or twice a request, as chance and small
    differences of timing have it, and a move costs more than the router's own work for the request."""
    return [Scenario("1×1, the router kept on one core", closed(1, 1), proxies(build), core=1)]


def further(build):
    each = proxies(build)
    return [
        Scenario("2,000×1", closed(2000, 1), each),
        Scenario("find of 1,000 records, 4×1", closed(4, 1, mix="find"), each),
        Scenario("batch of 10, 8×4", closed(8, 4, mix="batch"), each),
        Scenario("open loop at half of HAProxy's best, 64", opened(0, 64), each, half_of=("haproxy", closed(64, 4))),
    ]


def own(build):
    """The router against itself: the second and later systems over the first."""
    router = systems.router
    loads = [("8×16", closed(8, 16)), ("64×4", closed(64, 4)), ("256×1", closed(256, 1)), ("1×1", closed(1, 1))]
    result = []
    for name, load in loads:
        result.append(Scenario(f"{name}: version, shards, vnodes", load,
                               {"2 shards": router(build), "64 shards": router(build), "version 1": router(build, version=1),
                                "1,000,000 vnodes": router(build, vnodes=1_000_000)}, more_shards={"64 shards": 64}))
    for rate in (20000, 60000):
        result.append(Scenario(f"{rate:,}/s over 64: workers", opened(rate, 64),
                               {"1 worker": router(build), "2 workers": router(build, workers=2)}))
    return result


def by_load(build):
    """Latency by load: what a router adds to a request."""
    each = proxies(build)
    some = {name: each[name] for name in ("direct", "haproxy", "nginx", "router")}
    return [Scenario(f"{rate}", opened(rate, 32), some) for rate in (2000, 5000, 10000, 20000, 40000, 60000, 80000)]


def smoke(build):
    """That everything runs: seconds, for tests."""
    some = {"direct": None, "pump": systems.pump(build), "router": systems.router(build), "router, version 1": systems.router(build, version=1)}
    return [Scenario(mix, closed(4, 4, mix=mix), some, seconds=0.2) for mix in ("get-put", "find", "batch")]
