"""Networks that turn the embedding of a place into outputs, and the module of an encoder with its network."""

import copy
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from skgeo._validation import check_parameter, is_integer, is_real

__all__ = ["MLP", "FcNet", "Linear", "LocationEncoder", "SirenNet"]


class Linear(nn.Linear):
    """One linear layer with bias: a linear model on top of an encoder.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Width of the embedding and number of outputs.

    Raises
    ------
    ValueError
        If a width is no positive integer.

    See Also
    --------
    skgeo.nn.SirenNet : Learns features of its own.

    Examples
    --------
    >>> import torch
    >>> from skgeo.nn import Linear
    >>> Linear(4, 1)(torch.zeros(3, 4)).shape
    torch.Size([3, 1])
    """

    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        n_inputs, n_outputs = check_widths(n_inputs=n_inputs, n_outputs=n_outputs)
        super().__init__(n_inputs, n_outputs)


class FcNet(nn.Module):
    """The residual network of Mac Aodha et al. [1]_.

    The layers are a linear layer with ReLU; ``n_layers`` residual layers ``x + relu(B dropout(relu(A x)))``, A and B
    with biases; and a linear output without bias.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Width of the embedding and number of outputs.
    hidden_dim : int, default=256
        Width of the layers.
    n_layers : int, default=4
        Number of residual layers.
    dropout : float, default=0.5
        Share of the values that dropout sets to zero in training.

    Raises
    ------
    ValueError
        If a width is no positive integer, or ``dropout`` not in [0, 1).

    See Also
    --------
    skgeo.nn.MLP : Without the residual connections.

    References
    ----------
    .. [1] Mac Aodha, O., Cole, E. & Perona, P. (2019). Presence-only geographical priors for fine-grained image
       classification. International Conference on Computer Vision.

    Examples
    --------
    >>> import torch
    >>> from skgeo.nn import FcNet
    >>> network = FcNet(4, 2, hidden_dim=16)
    >>> network(torch.zeros(3, 4)).shape
    torch.Size([3, 2])
    """

    def __init__(
        self, n_inputs: int, n_outputs: int, hidden_dim: int = 256, n_layers: int = 4, dropout: float = 0.5
    ) -> None:
        super().__init__()
        n_inputs, n_outputs, hidden_dim, n_layers = check_widths(
            n_inputs=n_inputs, n_outputs=n_outputs, hidden_dim=hidden_dim, n_layers=n_layers
        )
        self.first = nn.Linear(n_inputs, hidden_dim)
        self.layers = nn.ModuleList(_Residual(hidden_dim, dropout) for _ in range(n_layers))
        # The published network has no bias in its output layer.
        self.output = nn.Linear(hidden_dim, n_outputs, bias=False)

    def forward(self, embedding: Tensor) -> Tensor:
        """Compute the outputs.

        Parameters
        ----------
        embedding : Tensor of shape (..., n_inputs)
            The embedding of places.

        Returns
        -------
        Tensor of shape (..., n_outputs)
        """
        values = torch.relu(self.first(embedding))
        for layer in self.layers:
            values = layer(values)
        return self.output(values)


class _Residual(nn.Module):
    """A residual layer of FcNet: ``x + relu(B dropout(relu(A x)))``."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(width, width), nn.Linear(width, width)
        self.dropout = _dropout(dropout)

    def forward(self, values: Tensor) -> Tensor:
        """Add the two inner layers to the values."""
        return values + torch.relu(self.outer(self.dropout(torch.relu(self.inner(values)))))


class SirenNet(nn.Module):
    """Sinusoidal representation network [1]_: layers ``sin(w0 (W x + b))`` and a linear output.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Width of the embedding and number of outputs.
    hidden_dim : int, default=64
        Width of the layers.
    n_layers : int, default=2
        Number of layers with a sine.
    first_w0, w0 : float, default=30, 1
        Frequency of the sines of the first layer and of the others.
    dropout : float, default=0
        Share of the values that dropout sets to zero in training, before the sine.

    Raises
    ------
    ValueError
        If a width is no positive integer, a frequency not positive, or ``dropout`` not in [0, 1).

    See Also
    --------
    skgeo.encoders.GridEncoder : Computes sines of latitude and longitude with fixed frequencies.

    Notes
    -----
    Weights and biases are uniform random numbers from -b to b. The bound b is 1 / n_inputs in the first layer, and
    sqrt(6 / hidden_dim) / w0 in the other layers and the output. [1]_ does this for the weights, and the code of [2]_
    for weights and biases.

    References
    ----------
    .. [1] Sitzmann, V., Martel, J., Bergman, A., Lindell, D. & Wetzstein, G. (2020). Implicit neural representations
       with periodic activation functions. Advances in Neural Information Processing Systems 33.
    .. [2] Russwurm, M., Klemmer, K., Rolf, E., Zbinden, R. & Tuia, D. (2024). Geographic location encoding with
       spherical harmonics and sinusoidal representation networks. International Conference on Learning Representations.

    Examples
    --------
    >>> import torch
    >>> from skgeo.nn import SirenNet
    >>> network = SirenNet(4, 1, hidden_dim=16)
    >>> network(torch.zeros(3, 4)).shape
    torch.Size([3, 1])
    """

    def __init__(
        self,
        n_inputs: int,
        n_outputs: int,
        hidden_dim: int = 64,
        n_layers: int = 2,
        first_w0: float = 30.0,
        w0: float = 1.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        n_inputs, n_outputs, hidden_dim, n_layers = check_widths(
            n_inputs=n_inputs, n_outputs=n_outputs, hidden_dim=hidden_dim, n_layers=n_layers
        )
        for name, frequency in {"first_w0": first_w0, "w0": w0}.items():
            check_parameter(name, frequency, is_real(frequency) and frequency > 0, "a positive number")
        self.first_w0, self.w0 = float(first_w0), float(w0)
        widths = [n_inputs] + [hidden_dim] * n_layers
        self.layers = nn.ModuleList(nn.Linear(before, hidden_dim) for before in widths[:-1])
        self.output = nn.Linear(hidden_dim, n_outputs)
        self.dropout = _dropout(dropout)
        for layer in [*self.layers, self.output]:
            # The bounds keep the distribution of the sines the same from layer to layer.
            bound = 1.0 / n_inputs if layer is self.layers[0] else math.sqrt(6.0 / hidden_dim) / self.w0
            nn.init.uniform_(layer.weight, -bound, bound)
            nn.init.uniform_(layer.bias, -bound, bound)

    def forward(self, embedding: Tensor) -> Tensor:
        """Compute the outputs.

        Parameters
        ----------
        embedding : Tensor of shape (..., n_inputs)
            The embedding of places.

        Returns
        -------
        Tensor of shape (..., n_outputs)
        """
        values = embedding
        for i, layer in enumerate(self.layers):
            # The first layer has a frequency of its own. Dropout acts before the sine.
            values = torch.sin((self.w0 if i else self.first_w0) * self.dropout(layer(values)))
        return self.output(values)

    def extra_repr(self) -> str:
        """The settings that ``print`` shows."""
        return f"first_w0={self.first_w0}, w0={self.w0}"


class MLP(nn.Module):
    """A multi-layer perceptron: linear layers with ReLU and dropout, and a linear output.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Width of the embedding and number of outputs.
    hidden_dim : int, default=64
        Width of the layers.
    n_layers : int, default=2
        Number of layers with ReLU.
    dropout : float, default=0
        Share of the values that dropout sets to zero in training, after the ReLU.

    Raises
    ------
    ValueError
        If a width is no positive integer, or ``dropout`` not in [0, 1).

    See Also
    --------
    skgeo.nn.FcNet : With residual connections.

    Examples
    --------
    >>> import torch
    >>> from skgeo.nn import MLP
    >>> network = MLP(4, 1, hidden_dim=16)
    >>> network(torch.zeros(3, 4)).shape
    torch.Size([3, 1])
    """

    def __init__(
        self, n_inputs: int, n_outputs: int, hidden_dim: int = 64, n_layers: int = 2, dropout: float = 0.0
    ) -> None:
        super().__init__()
        n_inputs, n_outputs, hidden_dim, n_layers = check_widths(
            n_inputs=n_inputs, n_outputs=n_outputs, hidden_dim=hidden_dim, n_layers=n_layers
        )
        widths = [n_inputs] + [hidden_dim] * n_layers
        self.layers = nn.ModuleList(nn.Linear(before, hidden_dim) for before in widths[:-1])
        self.output = nn.Linear(hidden_dim, n_outputs)
        self.dropout = _dropout(dropout)

    def forward(self, embedding: Tensor) -> Tensor:
        """Compute the outputs.

        Parameters
        ----------
        embedding : Tensor of shape (..., n_inputs)
            The embedding of places.

        Returns
        -------
        Tensor of shape (..., n_outputs)
        """
        values = embedding
        for layer in self.layers:
            values = self.dropout(torch.relu(layer(values)))
        return self.output(values)


class LocationEncoder(nn.Module):
    """An encoder and the network on top of it, from degrees to outputs: ``network(encoder(points))``.

    Parameters
    ----------
    encoder : Module
        Maps (..., 2) degrees to an embedding, such as ``GridEncoder().fit(X).to_torch()``.
    network : Module
        Maps the embedding to outputs.
    mean, scale : float or sequence of float, default=0, 1
        Outputs are multiplied by ``scale``, and ``mean`` is added. A network that was trained on standardised targets
        then returns values in the units of the targets. Give one number, or one for each output.

    Attributes
    ----------
    mean, scale : Tensor of shape () or (n_outputs,)
        Buffers.

    See Also
    --------
    skgeo.nn.LocationClassifier, skgeo.nn.LocationRegressor : Train such a module; ``to_torch`` returns it.

    Notes
    -----
    The encoder computes in its own precision, which is float64 for a new encoder. The embedding is then rounded to the
    precision of the network. Places that are a few metres apart therefore have different embeddings in a float32
    network.

    Examples
    --------
    A loop of torch trains the network to tell land from sea:

    >>> import torch
    >>> from skgeo.datasets import make_land_ocean
    >>> from skgeo.encoders import SphericalHarmonics
    >>> from skgeo.nn import LocationEncoder, SirenNet
    >>> places, land = map(torch.from_numpy, make_land_ocean(1000, random_state=0))
    >>> harmonics = SphericalHarmonics(10).fit(places.numpy()).to_torch()
    >>> _ = torch.manual_seed(0)
    >>> model = LocationEncoder(harmonics, SirenNet(121, 1, hidden_dim=64))
    >>> optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    >>> loss_of = torch.nn.BCEWithLogitsLoss()
    >>> for step in range(100):
    ...     loss = loss_of(model(places)[:, 0], land.float())
    ...     optimizer.zero_grad()
    ...     loss.backward()
    ...     optimizer.step()
    >>> new, is_land = map(torch.from_numpy, make_land_ocean(1000, random_state=1))
    >>> print(f"{((model(new)[:, 0] > 0) == is_land).float().mean():.1f}")
    0.9
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        encoder: nn.Module,
        network: nn.Module,
        mean: float | list[float] = 0.0,
        scale: float | list[float] = 1.0,
    ) -> None:
        super().__init__()
        self.encoder, self.network = encoder, network
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float64))
        self.register_buffer("scale", torch.tensor(scale, dtype=torch.float64))

    def forward(self, points: Tensor) -> Tensor:
        """Compute the outputs.

        Parameters
        ----------
        points : Tensor of shape (..., 2)
            (latitude, longitude) in degrees, in this order, also if ``fit`` saw the columns in the other order.

        Returns
        -------
        Tensor of shape (..., n_outputs)
            In the dtype of the network's parameters.
        """
        embedding = self.encoder(points)
        # A network without parameters takes the embedding as it is.
        parameter = next(self.network.parameters(), embedding)
        values = self.network(embedding.to(parameter.dtype))
        # The buffers are float64 as made: the values return to their units in float64 and are rounded once.
        return (values * self.scale + self.mean).to(values.dtype)


# The networks by their names in the parameter ``network`` of estimators.
NETWORKS: Mapping[str, type[nn.Module]] = {"linear": Linear, "fcnet": FcNet, "siren": SirenNet, "mlp": MLP}


def make_network(network: Any, n_inputs: int, n_outputs: int, **options: Any) -> nn.Module:
    """Make a network from its name, from a module or from a function. Only networks with a name take options."""
    if isinstance(network, str):
        # "linear" is one layer: it has no width, number of layers or dropout to choose.
        cls = NETWORKS[network]
        return cls(n_inputs, n_outputs, **({} if cls is Linear else options))
    # Train a copy: fit must not change a module that is a parameter.
    module = copy.deepcopy(network) if isinstance(network, nn.Module) else network(n_inputs, n_outputs)
    check_parameter("network", network, isinstance(module, nn.Module), "a function that returns a torch module")
    _check_batch_norm(module)
    # Two embeddings show the shape of the output. BatchNorm learns nothing from them in evaluation mode.
    training, parameter = module.training, next(module.parameters(), torch.empty(0))
    with torch.no_grad():
        shape = module.eval()(torch.zeros(2, n_inputs, dtype=parameter.dtype, device=parameter.device)).shape
    if tuple(shape) != (2, n_outputs):
        raise ValueError(
            f"network gives {tuple(shape)} for 2 embeddings of width {n_inputs}: expected (2, {n_outputs}), a column "
            "for each output. Two classes have one column."
        )
    return module.train(training)


def _check_batch_norm(module: nn.Module) -> None:
    """Refuse layers that make the prediction for one place depend on the other places of the batch."""
    for layer in module.modules():
        # Without running statistics BatchNorm normalises by the batch in evaluation mode, too.
        if isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.running_mean is None:
            raise ValueError(
                f"network has {layer}: the prediction of a place would depend on the places that are predicted with "
                "it. Expected track_running_stats=True."
            )


def check_widths(**widths: int) -> list[int]:
    """Widths as int. torch.jit and files do not take integers of numpy, and integers of few bits would overflow."""
    for name, width in widths.items():
        check_parameter(name, width, is_integer(width) and width >= 1, "a positive integer")
    return list(map(int, widths.values()))


def _dropout(share: float) -> nn.Dropout:
    """A dropout layer with a checked share."""
    check_parameter("dropout", share, is_real(share) and 0 <= share < 1, "a number from 0 to below 1")
    return nn.Dropout(share)
