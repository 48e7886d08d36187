"""pyDVL: ``influences`` by DirectInfluence and CgInfluence."""

import protocol
import torch
import torch_models
from pydvl.influence.torch import CgInfluence, DirectInfluence


def prepare(arrays, settings, method):
    """pyDVL leaves the 1/n to the caller: its values are n times the scores."""
    model = torch_models.model_of(arrays, settings)
    train, test = torch_models.data_of(arrays, settings)
    loss, l2, n = torch.nn.functional.cross_entropy, settings["l2"], len(train[0])
    loader = torch_models.without_a_copy(*train)
    if method == "Direct":
        make = lambda: DirectInfluence(model, loss, regularization=l2)
    elif method == "block CG":
        # rtol is squared before use; steps are otherwise limited to 10 per right-hand side
        options = dict(rtol=settings["tol"] ** 0.5, maxiter=1000, solve_simultaneously=True)
        make = lambda: CgInfluence(model, loss, regularization=l2, **options)
    return lambda: make().fit(loader).influences(*test, *train).detach().numpy() / n


if __name__ == "__main__":
    protocol.serve(prepare, "pydvl")
