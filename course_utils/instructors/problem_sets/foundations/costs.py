"""What several exercises draw from: how a least-squares cost may be written."""

# Least squares as data term: how it is written, as code, and what stands before Phi'Phi in its
# Hessian, as code and as a number for N examples
SQUARES = {
    "half mean": (r"\frac{1}{2N}", "0.5 * jnp.mean({})", "1 / N", lambda N: 1 / N),
    "mean": (r"\frac1N", "jnp.mean({})", "2 / N", lambda N: 2 / N),
    "half sum": (r"\frac12", "0.5 * jnp.sum({})", "1.0", lambda N: 1.0),
    "sum": ("", "jnp.sum({})", "2.0", lambda N: 2.0),
}
MEANS_AND_HALVES = "Read the cost again: is it a mean or a sum, and is there a 1/2?"
