"""Faults of the registry of models: damaged files, and promotions at the same moment."""

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.support.ledger import Figures, Progress
from training.errors import ModelFileError
from training.registry.versions import Registry


def damage_models(folder: Path, times: int, progress: Progress) -> Figures:
    """Flips bits, zeroes pages and cuts ends of stored models; each must be rejected before anything is unpickled."""
    registry, chance, accepted = Registry(folder / "models"), random.Random(1), 0
    files = [folder / "models" / "versions" / "v1" / name for name in ("pipeline.joblib", "scorer.npz")]
    for number in range(times):
        path = chance.choice(files)
        intact = path.read_bytes()
        path.write_bytes(_damaged(intact, chance))
        try:
            registry.load("v1")
            accepted += 1
        except ModelFileError:
            pass
        path.write_bytes(intact)
        progress((number + 1) / times)
    return {"damaged models": times, "accepted": accepted}


def _damaged(intact: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(intact)
    kind = chance.randrange(3)
    if kind == 0:
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    elif kind == 1:
        place = chance.randrange(max(1, len(damaged) - 4096))
        damaged[place : place + 4096] = bytes(len(damaged[place : place + 4096]))
        damaged[place] ^= 1  # it may have been a page of zeros
    else:
        del damaged[chance.randrange(len(damaged)) :]
    return bytes(damaged)


def race_promoters(folder: Path, times: int, progress: Progress) -> Figures:
    """Promotes from eight threads at once; each promotion must be in the history, with a different number."""
    done = 0
    for number in range(times // 8):
        registries = [Registry(folder / "models") for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda registry: registry.promote("v1", by="race", reason="race"), registries))
        done += 8
        progress((number + 1) / (times // 8))
    numbers = [promotion.number for promotion in Registry(folder / "models").history()]
    return {"promotions": done, "lost": done + 1 - len(numbers), "doubled": len(numbers) - len(set(numbers))}
