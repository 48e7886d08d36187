"""A name for what a function computes, so that nothing it reads can change unnoticed.

A loss may read a global, a closure, an attribute of a module. Tracing it again shows what it reads
now: each operation, and each constant by its value.
"""

import hashlib
import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

PyTree = Any

_PLAIN = {bool, int, float, str, type(None)}
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def of_function(function: Callable, theta: jax.Array, data: PyTree) -> tuple[str, bool]:
    """A name for a function of theta and one example of the data, and whether it has a jvp.

    Derivatives follow from the function, unless it brings rules of its own: then these count too.
    """
    found: set[str] = set()
    name = of_trace(trace(function, theta, data), found)
    has_jvp = not any(word.startswith("custom_vjp_call") for word in found)
    along = lambda theta, z: jax.jvp(lambda theta: function(theta, z), (theta,), (theta,))
    if not has_jvp:
        name += of_trace(trace(jax.value_and_grad(function), theta, data))
    elif any(word.startswith("custom_jvp_call") for word in found):
        name += of_trace(trace(along, theta, data))
    return name, has_jvp


def trace(function: Callable, theta: jax.Array, data: PyTree) -> core.ClosedJaxpr:
    """What a function of theta and one example of the data computes."""
    example = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape[1:], a.dtype), data)
    return jax.make_jaxpr(function)(theta, example)


def of_trace(traced: core.ClosedJaxpr, found: set[str] | None = None) -> str:
    """32 hexadecimal digits for a traced computation; the names of its operations join ``found``.

    What has a memory address for a name, such as a function, counts by the rest of its name.
    """
    found, known = set() if found is None else found, {}

    def add(digest, value):
        if type(value) in _PLAIN:
            digest.update(f"{value!r},".encode())
        elif isinstance(value, core.ClosedJaxpr):
            add(digest, value.jaxpr)
            for constant in value.consts:
                add_constant(digest, constant)
        elif isinstance(value, core.Jaxpr):
            if value not in known:  # looked at once, however often it is called
                known[value] = of_jaxpr(value)
            digest.update(known[value])
        elif isinstance(value, list | tuple):
            for child in (len(value), *value):
                add(digest, child)
        elif isinstance(value, dict):
            add(digest, sorted(value.items()))
        elif isinstance(value, set | frozenset):
            add(digest, sorted(map(repr, value)))
        elif isinstance(value, jax.Array | np.ndarray):
            add_constant(digest, value)
        else:
            digest.update(_ADDRESS.sub("", f"{value!r},").encode())

    def add_constant(digest, array):
        array = as_numbers(array)
        digest.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())

    def of_jaxpr(jaxpr):
        digest, number = hashlib.blake2b(digest_size=16), {}

        def define(variables):
            for x in variables:
                number[x] = len(number)
                digest.update(f"{number[x]}:{x.aval} ".encode())

        def use(variables):
            for x in variables:
                if isinstance(x, core.Literal):
                    add_constant(digest, x.val)
                else:
                    digest.update(b"%d " % number[x])

        define((*jaxpr.constvars, *jaxpr.invars))
        for step in jaxpr.eqns:
            found.add(step.primitive.name)
            digest.update(step.primitive.name.encode())
            add(digest, step.params)
            use(step.invars)
            define(step.outvars)
        use(jaxpr.outvars)
        return digest.digest()

    digest = hashlib.blake2b(digest_size=16)
    add(digest, traced)
    return digest.hexdigest()


def as_numbers(array: Any) -> np.ndarray:
    """An array on the host; of PRNG keys, the numbers inside."""
    if jax.dtypes.issubdtype(jnp.result_type(array), jax.dtypes.prng_key):
        array = jax.random.key_data(array)
    return np.asarray(array)
