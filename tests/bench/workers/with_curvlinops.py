"""curvlinops: its Hessian and Gauss-Newton operators, inverted, and per-example gradients."""

import protocol
import torch
import torch_models
from curvlinops import CGInverseLinearOperator, GGNLinearOperator, HessianLinearOperator
from curvlinops.examples import IdentityLinearOperator
from torch.func import functional_call, grad, vmap


def prepare(arrays, settings, method):
    """The inverse is the library's, the scores are two products around it."""
    model = torch_models.model_of(arrays, settings)
    train, test = torch_models.data_of(arrays, settings)
    params = dict(model.named_parameters())
    operator = {"hessian": HessianLinearOperator, "ggn": GGNLinearOperator}[settings["curvature"]]
    mean = torch.nn.CrossEntropyLoss()

    def loss_of_one(params, x, y):
        return mean(functional_call(model, params, x[None]), y[None])

    def gradients(X, y):
        rows = vmap(grad(loss_of_one), in_dims=(None, 0, 0))(params, X, y)
        return torch.cat([rows[name].flatten(1) for name in params], dim=1).detach()

    def linear(X, y, S):  # ∇ℓ_i · s for all i at once, by forward mode, keeping no gradient
        losses = lambda params: torch.nn.functional.cross_entropy(
            functional_call(model, params, X), y, reduction="none"
        )
        pieces = S.split([p.numel() for p in params.values()])
        tangent = {k: s.view_as(p) for (k, p), s in zip(params.items(), pieces)}
        detached = {k: p.detach() for k, p in params.items()}
        return torch.func.jvp(losses, (detached,), (tangent,))[1]

    def work():
        H = operator(model, mean, list(params.values()), [train], check_deterministic=False)
        if method == "dense":
            identity = torch.eye(H.shape[1])
            factor = torch.linalg.cholesky((H @ identity).detach() + settings["l2"] * identity)
            S = torch.cholesky_solve(gradients(*test).T, factor)
        else:
            shapes = [tuple(p.shape) for p in params.values()]
            identity = IdentityLinearOperator(shapes, torch.device("cpu"), torch.float32)
            damped = H + settings["l2"] * identity
            # with its default eps of 1e-10 the last steps would be taken for divisions by zero
            options = dict(tolerance=settings["tol"], max_iter=10 * H.shape[0], eps=1e-30)
            S = CGInverseLinearOperator(damped, **options) @ gradients(*test).T
        if S.shape[1] == 1:
            return linear(*train, S[:, 0])[None].numpy() / len(train[0])
        return (S.T @ gradients(*train).T).numpy() / len(train[0])

    return work


if __name__ == "__main__":
    protocol.serve(prepare, "curvlinops-for-pytorch")
