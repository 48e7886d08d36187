"""dattri: ``attribute`` of IFAttributorExplicit."""

import protocol
import torch
import torch_models
from dattri.algorithm.influence_function import IFAttributorExplicit
from dattri.task import AttributionTask
from torch.func import functional_call


def prepare(arrays, settings, method):
    """dattri's scores have a row per training point, and n times our size."""
    model = torch_models.model_of(arrays, settings)
    train, test = torch_models.data_of(arrays, settings)
    loss = torch.nn.CrossEntropyLoss()

    def mean_loss(params, data):
        x, y = data
        return loss(functional_call(model, params, x), y)

    task = AttributionTask(loss_func=mean_loss, model=model, checkpoints=model.state_dict())
    train_loader = torch_models.in_one_batch(*train)
    test_loader = torch_models.in_one_batch(*test)

    def work():
        attributor = IFAttributorExplicit(task, regularization=settings["l2"])
        attributor.cache(train_loader)
        scores = attributor.attribute(train_loader, test_loader)
        return scores.detach().numpy().T / len(train[0])

    return work


if __name__ == "__main__":
    protocol.serve(prepare, "dattri")
