"""Where an American option's exercise boundary is held, and where its integrals are read.

The boundary B(u) is held at Chebyshev nodes of the square root of time as H = ln(B / B(0+))^2,
which is smooth down to u = 0. What the integrals need between the nodes is a fixed linear map of
the nodes' values: integration points are shares of the time left, the same for every option.
Source: Andersen, Lake and Offengenden, "High-performance American option pricing", Journal of
Computational Finance 20(1), 2016, sections 5 and 6.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from system.algo_trader.options.black import Floats


class Scheme(NamedTuple):
    """Hold nodes and weights; n nodes past time 0, l points on the boundary, p points in a price.

    Attributes:
        node: sqrt(u / years) of each node, from 1 down to 0 [n + 1].
        share: (u - v) / u of each point of a boundary integral [l].
        weight: Its weight, in units of u [l].
        between: H at those points from H at the nodes [n, l, n + 1].
        root: sqrt(t / years) of each point of a price integral [p].
        price_weight: Its weight for d sqrt(t), in units of sqrt(years) [p].
        price_between: H at the times years - t from H at the nodes [p, n + 1].
        steps: Iterations of the boundary.
    """

    node: Floats
    share: Floats
    weight: Floats
    between: Floats
    root: Floats
    price_weight: Floats
    price_between: Floats
    steps: int


def scheme_of(nodes: int, boundary_points: int, price_points: int, steps: int) -> Scheme:
    """Return the scheme of so many nodes, integration points and iterations."""
    node = (1.0 + np.cos(np.pi * np.arange(nodes + 1) / nodes)) / 2.0
    y, w = np.polynomial.legendre.leggauss(boundary_points)
    share = (1.0 + y) ** 2 / 4.0
    at, price_weight = np.polynomial.legendre.leggauss(price_points)
    root = (1.0 + at) / 2.0
    return Scheme(
        node=node,
        share=share,
        weight=0.5 * (1.0 + y) * w,
        between=chebyshev_map(node[:nodes, None] * np.sqrt(1.0 - share), nodes),
        root=root,
        price_weight=0.5 * price_weight,
        price_between=chebyshev_map(np.sqrt(1.0 - root**2), nodes),
        steps=steps,
    )


def chebyshev_map(at: Floats, nodes: int) -> Floats:
    """Return what a polynomial through the nodes (1 + cos(i pi / n)) / 2 gives at other places.

    Args:
        at: Places in [0, 1], of any shape [...].
        nodes: n.

    Returns:
        Weights of the n + 1 values at the nodes [..., n + 1].
    """
    order = np.arange(nodes + 1)
    half = np.ones(nodes + 1)
    half[[0, -1]] = 0.5
    angle = np.arccos(np.clip(2.0 * np.asarray(at, dtype=np.float64) - 1.0, -1.0, 1.0))
    to_coefficients = np.cos(np.pi * np.outer(order, order) / nodes) * (2.0 / nodes) * half
    found: Floats = (np.cos(angle[..., None] * order) * half) @ to_coefficients
    return found


ACCURATE: Final = scheme_of(10, 16, 32, 16)
"""For single options: a 95th percentile of 2e-5 on a strike of 100 against QuantLib's QdFp."""

FAST: Final = scheme_of(5, 6, 8, 7)
"""For whole chains: a 95th percentile of 6e-4 on a strike of 100."""

NEAR: Final = scheme_of(4, 5, 8, 5)
"""For the pairs near the money that vote on a forward."""
