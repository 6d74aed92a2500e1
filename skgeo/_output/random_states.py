"""Conversion of NumPy's random number generators to plain numbers and back, for model files."""

from typing import Any

import numpy as np

__all__ = ["build_generator", "build_random_state", "build_seed_sequence", "generator_numbers", "random_state_numbers"]

# The bit generators of NumPy, by their names in numpy.random.
_BIT_GENERATORS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")
# Largest number of words in the pool of a SeedSequence. NumPy's default is 4, and a file could ask for gigabytes.
_MAX_POOL_WORDS = 64


def random_state_numbers(random_state: np.random.RandomState) -> dict[str, Any]:
    """The state of a RandomState."""
    return random_state.get_state(legacy=False)


def build_random_state(numbers: dict[str, Any]) -> np.random.RandomState:
    """A RandomState that draws the same numbers next."""
    # The seed 0 does not matter: set_state replaces the whole state.
    random_state = np.random.RandomState(_bit_generator(numbers, 0))
    random_state.set_state(numbers)
    return random_state


def generator_numbers(generator: np.random.Generator) -> dict[str, Any]:
    """The state of a Generator, and the SeedSequence that ``spawn`` draws children from."""
    seed = generator.bit_generator.seed_seq
    if type(seed) is not np.random.SeedSequence:
        raise TypeError(f"{generator!r} cannot be saved: it was made without a SeedSequence. Use default_rng(seed).")
    return {"state": dict(generator.bit_generator.state), "seed": seed}


def build_generator(numbers: dict[str, Any]) -> np.random.Generator:
    """A Generator that draws the same numbers next, and spawns the same children."""
    bit_generator = _bit_generator(numbers["state"], numbers["seed"])
    bit_generator.state = numbers["state"]
    return np.random.Generator(bit_generator)


def build_seed_sequence(numbers: dict[str, Any]) -> np.random.SeedSequence:
    """A SeedSequence from its arguments."""
    if numbers["pool_size"] > _MAX_POOL_WORDS:
        raise ValueError(f"pool_size={numbers['pool_size']!r} of a SeedSequence: expected at most {_MAX_POOL_WORDS}")
    return np.random.SeedSequence(**numbers)


def _bit_generator(numbers: dict[str, Any], seed: Any) -> Any:
    """A new bit generator of the type that the state names.

    NumPy does not check the position of a state in its table. A position beyond the end of the table would make NumPy
    read memory outside the table, so the position is checked here.
    """
    name = numbers["bit_generator"]
    if name not in _BIT_GENERATORS:
        raise ValueError(f"bit_generator={name!r}: expected {', '.join(_BIT_GENERATORS)}")
    if name == "MT19937":
        position, last = numbers["state"]["pos"], 624
    else:
        # Philox has a buffer of 4 words. The others have no buffer and no position.
        position, last = numbers.get("buffer_pos", 0), 4
    if type(position) is not int or not 0 <= position <= last:
        raise ValueError(f"position {position!r} of a {name}: expected an integer from 0 to {last}")
    return getattr(np.random, name)(seed)
