"""Networks against numbers worked out by hand, and the paper's identity of SirenNet and Grid."""

import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from skgeo.encoders import GridEncoder, SphericalHarmonics, WrapEncoder
from skgeo.nn import MLP, FcNet, Linear, LocationEncoder, SirenNet

POINTS = [[0.0, 0.0], [47.4, 8.5], [-33.9, 151.2], [89.0, -179.0]]


def set_parameters(module, **values):
    """Give parameters, with dots as double underscores, the values of nested lists."""
    parameters = dict(module.named_parameters())
    assert {name.replace(".", "__") for name in parameters} == set(values)
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(torch.tensor(values[name.replace(".", "__")], dtype=parameter.dtype))


def test_a_siren_by_hand():
    network = SirenNet(1, 1, hidden_dim=1, n_layers=2, w0=2.0).double()
    set_parameters(
        network,
        layers__0__weight=[[0.01]],
        layers__0__bias=[0.002],
        layers__1__weight=[[0.7]],
        layers__1__bias=[-0.1],
        output__weight=[[3.0]],
        output__bias=[0.5],
    )
    first = math.sin(30.0 * (0.01 * 4.0 + 0.002))
    second = math.sin(2.0 * (0.7 * first - 0.1))
    assert network(torch.tensor([[4.0]], dtype=torch.float64)).item() == pytest.approx(3.0 * second + 0.5, rel=1e-12)


def test_a_residual_network_by_hand():
    network = FcNet(1, 1, hidden_dim=2, n_layers=1).double().eval()
    set_parameters(
        network,
        first__weight=[[2.0], [-3.0]],
        first__bias=[1.0, 1.0],
        layers__0__inner__weight=[[1.0, 0.0], [1.0, 1.0]],
        layers__0__inner__bias=[-6.0, 1.0],
        layers__0__outer__weight=[[1.0, 2.0], [0.0, -1.0]],
        layers__0__outer__bias=[0.5, 1.0],
        output__weight=[[10.0, 7.0]],
    )
    # x = 2: first (5, -5) -> (5, 0); inner (-1, 6) -> (0, 6); outer (12.5, -5) -> (12.5, 0); sum (17.5, 0).
    assert network(torch.tensor([[2.0]], dtype=torch.float64)).item() == 175.0


def test_a_perceptron_by_hand():
    network = MLP(2, 1, hidden_dim=2, n_layers=1).double()
    set_parameters(
        network,
        layers__0__weight=[[1.0, 2.0], [3.0, -4.0]],
        layers__0__bias=[0.5, 0.0],
        output__weight=[[2.0, 5.0]],
        output__bias=[-1.0],
    )
    assert network(torch.tensor([[1.0, 1.0]], dtype=torch.float64)).item() == 2.0 * 3.5 - 1.0


def test_the_published_shapes():
    network = FcNet(5, 3)
    assert [tuple(parameter.shape) for parameter in network.parameters()] == [
        (256, 5), (256,), *[(256, 256), (256,), (256, 256), (256,)] * 4, (3, 256)
    ]  # fmt: skip
    assert [module.p for module in network.modules() if isinstance(module, nn.Dropout)] == [0.5] * 4
    assert all(module.p == 0.0 for module in SirenNet(5, 3).modules() if isinstance(module, nn.Dropout))


def test_residual_dropout_between_layers_in_training_only():
    torch.manual_seed(0)
    width = 1000
    network = FcNet(1, width, hidden_dim=width, n_layers=1)
    eye, none = torch.eye(width).tolist(), [0.0] * width
    set_parameters(
        network,
        first__weight=[[1.0]] * width,
        first__bias=none,
        layers__0__inner__weight=eye,
        layers__0__inner__bias=none,
        layers__0__outer__weight=eye,
        layers__0__outer__bias=none,
        output__weight=eye,
    )
    values, counts = network(torch.ones(1, 1)).unique(return_counts=True)
    assert values.tolist() == [1.0, 3.0]  # kept values are doubled
    assert 400 < counts[0] < 600
    assert (network.eval()(torch.ones(1, 1)) == 2.0).all()


def test_dropout_of_the_siren_is_before_the_sine():
    torch.manual_seed(0)
    width = 1000
    network = SirenNet(1, width, hidden_dim=width, n_layers=1, dropout=0.5)
    parameters = {"layers__0__weight": [[0.0]] * width, "layers__0__bias": [math.pi / 360.0] * width}
    set_parameters(network, **parameters, output__weight=torch.eye(width).tolist(), output__bias=[0.0] * width)
    values, counts = network(torch.ones(1, 1)).detach().round(decimals=5).unique(return_counts=True)
    assert_allclose(values, [0.0, math.sin(30.0 * 2.0 * math.pi / 360.0)], atol=1e-5)
    assert 400 < counts[0] < 600
    assert_allclose(network.eval()(torch.ones(1, 1)).detach(), math.sin(math.pi / 12.0), rtol=1e-6)


def test_initial_weights_of_the_siren():
    torch.manual_seed(0)
    network = SirenNet(50, 200, hidden_dim=100, n_layers=3, w0=2.0)
    hidden = math.sqrt(6.0 / 100.0) / 2.0
    for layer, bound in zip([*network.layers, network.output], [1.0 / 50.0, hidden, hidden, hidden], strict=True):
        for parameter in layer.parameters():
            assert 0.9 * bound < parameter.abs().max() <= bound
            assert parameter.std().item() == pytest.approx(bound / math.sqrt(3.0), rel=0.2)


def test_activations_of_a_deep_siren_keep_their_spread():
    # What the initialisation is for (Sitzmann et al. 2020). The sine of a normal variable of variance s has variance
    # (1 - exp(-2 s)) / 2, and a layer makes 2 v of a variance v: it falls from 1/2 to 0.398, where both agree.
    torch.manual_seed(0)
    values = 2.0 * torch.rand(2000, 3) - 1.0
    network = SirenNet(3, 1, hidden_dim=256, n_layers=6)
    for i, layer in enumerate(network.layers):
        values = torch.sin((30.0 if i == 0 else 1.0) * layer(values))
        assert 0.6 < values.std().item() < 0.72


def test_one_layer_of_a_siren_is_the_grid_encoder():
    """The identity of Russwurm et al. 2024: zeros, inverse scales and biases of pi / 2 make Grid of SirenNet."""
    n_scales, low, high = 7, 0.5, 90.0
    inverse = [1.0 / (low * (high / low) ** (s / (n_scales - 1))) for s in range(n_scales)]
    nothing, quarter = [0.0] * n_scales, [math.pi / 2.0] * n_scales
    network = SirenNet(2, 4 * n_scales, hidden_dim=4 * n_scales, n_layers=1, first_w0=1.0).double()
    set_parameters(
        network,
        layers__0__weight=np.transpose([inverse * 2 + nothing * 2, nothing * 2 + inverse * 2]).tolist(),
        layers__0__bias=nothing + quarter + nothing + quarter,
        output__weight=np.eye(4 * n_scales).tolist(),
        output__bias=[0.0] * 4 * n_scales,
    )
    found = network(torch.tensor(POINTS, dtype=torch.float64)).detach()
    # Angles reach 360, where float64 is known to 6e-14.
    assert_allclose(found, GridEncoder(n_scales, low, high).fit_transform(POINTS), rtol=0.0, atol=2e-13)


def test_the_location_encoder_is_encoder_and_network():
    network = Linear(4, 2).double()
    set_parameters(network, weight=[[1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0, 1.0]], bias=[0.5, 0.0])
    model = LocationEncoder(WrapEncoder().fit(POINTS).to_torch(), network, mean=[100.0, 0.0], scale=[10.0, 1.0])
    # 30 N, 90 E: sin and cos of latitude are 1/2 and sqrt(3)/2, those of longitude 1 and 0.
    expected = [10.0 * (0.5 + math.sqrt(3.0) + 3.0 + 0.5) + 100.0, 0.0]
    assert_allclose(model(torch.tensor([30.0, 90.0], dtype=torch.float64)).detach(), expected, atol=1e-12)


def test_float32_network_separates_places_centimetres_apart():
    encoder = GridEncoder(1, 1e-6, 1e-6).fit(POINTS).to_torch()
    model = LocationEncoder(encoder, Linear(4, 1))
    set_parameters(model, network__weight=[[0.0, 0.0, 1.0, 0.0]], network__bias=[0.0])
    places = torch.tensor([[0.0, 100.0], [0.0, 100.0 + 1e-6]], dtype=torch.float64)  # 11 cm; float32 knows a metre
    values = model(places).detach()
    assert values.dtype == torch.float32
    assert_allclose(values[:, 0], np.sin([100.0 / 1e-6, 100.0 / 1e-6 + 1.0]), atol=1e-6)


NETWORKS = {
    "linear": lambda width: Linear(width, 2),
    "fcnet": lambda width: FcNet(width, 2, hidden_dim=8),
    "siren": lambda width: SirenNet(width, 2, hidden_dim=8),
    "mlp": lambda width: MLP(width, 2, hidden_dim=8),
}


@pytest.mark.parametrize("encoder", [SphericalHarmonics(3), GridEncoder(3)], ids=repr)
@pytest.mark.parametrize("name", NETWORKS)
def test_location_encoders_are_exported(encoder, name):
    width = len(encoder.fit(POINTS).get_feature_names_out())
    model = LocationEncoder(encoder.to_torch(), NETWORKS[name](width)).eval()
    points = torch.tensor(POINTS)
    program = torch.export.export(model, (points,), dynamic_shapes=({0: torch.export.Dim("n", min=1)},))
    more = torch.cat([points, points + 1.0])
    assert_allclose(program.module()(more).detach(), model(more).detach(), rtol=1e-6, atol=1e-6)


# In whole graphs, without falling back to Python. "aot_eager" traces forward and backward as the default backend does,
# but makes no machine code, which takes half a minute a network.
@pytest.mark.parametrize("name", NETWORKS)
def test_location_encoders_are_compiled(name):
    torch.compiler.reset()
    model = LocationEncoder(SphericalHarmonics(3).fit(POINTS).to_torch(), NETWORKS[name](16)).eval()
    check_compiled(model, torch.compile(model, fullgraph=True, backend="aot_eager"))


def check_compiled(model, compiled):
    points = torch.tensor(POINTS, requires_grad=True)
    other = points.detach().clone().requires_grad_()
    expected = model(other).detach()
    assert_allclose(compiled(points).detach(), expected, rtol=1e-5, atol=1e-6)
    compiled(points).square().sum().backward()
    model(other).square().sum().backward()
    assert_allclose(points.grad, other.grad, rtol=1e-4, atol=1e-6)
    assert points.grad.any()


@pytest.mark.parametrize("network", [FcNet, SirenNet, MLP])
def test_bad_parameters_are_refused(network):
    with pytest.raises(ValueError, match="n_inputs=0: expected a positive integer"):
        network(0, 1)
    with pytest.raises(ValueError, match="n_outputs=1.5: expected a positive integer"):
        network(1, 1.5)
    with pytest.raises(ValueError, match="hidden_dim=0: expected a positive integer"):
        network(1, 1, hidden_dim=0)
    with pytest.raises(ValueError, match="n_layers=0: expected a positive integer"):
        network(1, 1, n_layers=0)
    with pytest.raises(ValueError, match="dropout=1.0: expected a number from 0 to below 1"):
        network(1, 1, dropout=1.0)


def test_more_bad_parameters_are_refused():
    with pytest.raises(ValueError, match="n_inputs=-1: expected a positive integer"):
        Linear(-1, 1)
    with pytest.raises(ValueError, match="first_w0=0: expected a positive number"):
        SirenNet(1, 1, first_w0=0)
    with pytest.raises(ValueError, match="w0=nan: expected a positive number"):
        SirenNet(1, 1, w0=math.nan)
