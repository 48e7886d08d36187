"""The fitted models as the peers take them: a ``torch.nn.Module`` with the same weights."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def model_of(arrays, settings):
    """The model that ``settings["model"]`` names, with the weights among the arrays."""
    weights = {name: torch.as_tensor(a) for name, a in arrays.items() if name[0] in "wb"}
    if settings["model"] == "softmax regression":
        model = nn.Linear(*weights["w"].shape, bias="b" in weights)
        _fill(model, weights["w"].T, weights.get("b"))
        return model
    layers = []
    for i in range(settings["layers"]):
        w, b = weights[f"w{i}"], weights[f"b{i}"]
        if w.ndim == 4:  # height, width, channels in, channels out
            layer = nn.Conv2d(w.shape[2], w.shape[3], 3, stride=2, padding=1)
            w = w.permute(3, 2, 0, 1)
        else:
            layer, w = nn.Linear(*w.shape), w.T
        if isinstance(layer, nn.Linear) and layers and isinstance(layers[-2], nn.Conv2d):
            layers.append(MeanOverImage())
        _fill(layer, w, b)
        layers += [layer, nn.Tanh()]
    return nn.Sequential(*layers[:-1])


class MeanOverImage(nn.Module):
    """As ``AdaptiveAvgPool2d(1)``, which torch does not batch over directions."""

    def forward(self, x):
        """(n, channels, height, width) to (n, channels)."""
        return x.mean(dim=(2, 3))


def _fill(layer, w, b):
    with torch.no_grad():
        layer.weight.copy_(w)
        if b is not None:
            layer.bias.copy_(b)


def data_of(arrays, settings):
    """``(X, y), (X_test, y_test)`` as tensors."""
    X, X_test = (torch.as_tensor(arrays[name]) for name in ("X", "X_test"))
    if X.ndim == 4:  # torch keeps channels in front
        X, X_test = (x.permute(0, 3, 1, 2).contiguous() for x in (X, X_test))
    y, y_test = (torch.as_tensor(arrays[name]).long() for name in ("y", "y_test"))
    return (X, y), (X_test, y_test)


class Rows(TensorDataset):
    """Tensors whose rows are taken together, not one by one."""

    def __getitems__(self, rows):
        """Many rows of each tensor."""
        return [tensor[rows] for tensor in self.tensors]


def in_one_batch(*tensors):
    """A loader with all rows in one batch, gathered in one step: the fastest there is."""
    return DataLoader(Rows(*tensors), batch_size=len(tensors[0]), collate_fn=tuple)


def without_a_copy(*tensors):
    """A loader whose one batch is the tensors themselves; its sampler has no row numbers."""
    return DataLoader(TensorDataset(*tensors), batch_size=None, sampler=[slice(None)])
