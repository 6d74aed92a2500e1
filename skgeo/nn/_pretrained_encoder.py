"""A transformer that returns the embedding of a network with fixed weights."""

import copy
from typing import Any

import torch
from torch import nn

from skgeo._validation import check_parameter
from skgeo.encoders._base import FixedEncoder
from skgeo.nn._base_transformer import EncoderAndNetwork, NetworkTransformer
from skgeo.nn._networks import LocationEncoder
from skgeo.nn._pretrained_weights import PretrainedWeights
from skgeo.nn._stored_modules import StoredModule

__all__ = ["PretrainedEncoder"]


class PretrainedEncoder(NetworkTransformer, FixedEncoder):
    """The embedding of places by a network with fixed weights.

    The network comes from published files of SatCLIP [1]_ or GeoCLIP [2]_, from a
    :class:`~skgeo.nn.ContrastiveLocationEncoder` that was fitted before, or from your own code. ``fit`` learns nothing,
    so that a Pipeline can hold the encoder as it is: ``make_pipeline(load_geoclip(path), Ridge())``.

    Parameters
    ----------
    model : SatCLIPWeights, GeoCLIPWeights or Module
        The network: weights, as :func:`skgeo.nn.load_satclip` and :func:`skgeo.nn.load_geoclip` read them; or a torch
        module from (latitude, longitude) in degrees (n, 2) to numbers (n, n_outputs), such as
        ``ContrastiveLocationEncoder(...).fit(X, y).to_torch()``. A module computes in evaluation mode, and is not
        changed.
    dtype : "float64", "float32" or None, default=None
        Precision of the network. None is float64 for published weights, and the own precision of a module. float32
        takes half of the time and memory. The encoder works in float64 in any case. A module without an encoder of
        skgeo gets degrees in the precision of its parameters.
    device : str, default="cpu"
        Device on which torch computes, such as "cuda".
    coordinates : (str, str) or None, default=None
        Names of the latitude and the longitude column of a DataFrame. None finds lat, latitude, lon, lng, long,
        longitude, in any order and case, and a single pair such as start_lat, start_lon.
    missing : "error" or "nan", default="error"
        What to do with points that lack a coordinate: refuse them, or embed them as NaN.
    add_indicator : bool, default=False
        Add a column ``missing_location``, 1 where a coordinate is missing.
    verbose : bool or None, default=None
        Show a progress bar; needs tqdm. None shows it in interactive sessions, when work takes longer than two seconds.

    Attributes
    ----------
    n_features_in_ : int
        2: latitude and longitude.
    feature_names_in_ : ndarray of shape (2,)
        Columns of the DataFrame seen in ``fit``; only if it was one.

    Raises
    ------
    CoordinateError
        From any method that takes X, if it is not latitude and longitude in degrees.
    ValueError
        From ``fit``, if a parameter is invalid, or the module gives no row of numbers for a place.
    NotFittedError
        From ``transform`` and ``to_torch`` before ``fit``.

    See Also
    --------
    skgeo.nn.load_geoclip, skgeo.nn.load_satclip : Make an encoder from a published file.
    skgeo.nn.ContrastiveLocationEncoder : Learns such embeddings from your own images.

    Notes
    -----
    The columns have the names ``satclip0``, ``geoclip0`` and so on, or ``embedding0`` and so on for a module. Clones
    share published weights, and copy a module.

    GeoCLIP projects places to a map: its embedding jumps at the antimeridian, and at the poles it depends on the
    longitude. Longitudes of any convention are first brought to [-180, 180), so 180 becomes -180.

    :func:`skgeo.save` writes published weights and modules of ``skgeo.nn``. It cannot write a module of your own code,
    because its files contain no code: use joblib.

    References
    ----------
    .. [1] Klemmer, K., Rolf, E., Robinson, C., Mackey, L. & Russwurm, M. (2025). SatCLIP: global, general-purpose
       location embeddings with satellite imagery. Proceedings of the AAAI Conference on Artificial Intelligence 39(4),
       4347-4355.
    .. [2] Vivanco Cepeda, V., Nayak, G. K. & Shah, M. (2023). GeoCLIP: Clip-inspired alignment between locations and
       images for effective worldwide geo-localization. Advances in Neural Information Processing Systems 36.

    Examples
    --------
    A module of your own: the distances from the equator and from the meridian of Greenwich, in degrees.

    >>> import torch
    >>> from skgeo.nn import PretrainedEncoder
    >>> class Distances(torch.nn.Module):
    ...     def forward(self, points):
    ...         return points.abs()
    >>> encoder = PretrainedEncoder(Distances()).fit([[47.4, 8.5]])
    >>> encoder.transform([[47.4, 8.5], [-33.9, 18.4]])
    array([[47.4,  8.5],
           [33.9, 18.4]])
    >>> encoder.get_feature_names_out().tolist()
    ['embedding0', 'embedding1']
    """

    def __init__(
        self,
        model: PretrainedWeights | nn.Module | None = None,
        *,
        dtype: str | None = None,
        device: str = "cpu",
        coordinates: tuple[str, str] | None = None,
        missing: str = "error",
        add_indicator: bool = False,
        verbose: bool | None = None,
    ) -> None:
        self.model = model
        self.dtype = dtype
        self.device = device
        self.coordinates = coordinates
        self.missing = missing
        self.add_indicator = add_indicator
        self.verbose = verbose

    def __getstate__(self) -> dict[str, Any]:
        """The state. A module of skgeo.nn becomes plain values and arrays, which files without code can hold."""
        state = super().__getstate__()
        stored = StoredModule.of(self.model) if isinstance(self.model, nn.Module) else None
        return state if stored is None else {**state, "model": stored.parts}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the state, and the module from its parts."""
        if isinstance(state.get("model"), dict):
            state = {**state, "model": StoredModule(state["model"]).build()}
        super().__setstate__(state)

    def _encoder_and_network(self) -> EncoderAndNetwork:
        if isinstance(self.model, PretrainedWeights):
            encoder, network = self.model.build()
            dtype: str | None = self.dtype or "float64"
        else:
            # The copy takes the device, the precision and the evaluation mode: the module of the user stays as it is.
            assert isinstance(self.model, nn.Module)
            encoder, network = _encoder_and_rest(copy.deepcopy(self.model).cpu())
            dtype = self.dtype
        return EncoderAndNetwork(encoder, network if dtype is None else network.to(getattr(torch, dtype)))

    def _check_parameters(self) -> None:
        valid = isinstance(self.model, PretrainedWeights | nn.Module)
        accepted = "weights, as load_satclip(path).model and load_geoclip(path).model are, or a torch module"
        check_parameter("model", self.model, valid, accepted)
        valid = self.dtype is None or (isinstance(self.dtype, str) and self.dtype in ("float32", "float64"))
        check_parameter("dtype", self.dtype, valid, "'float32', 'float64' or None")
        self._n_outputs()

    def _n_outputs(self) -> int:
        """Width of the embedding."""
        if isinstance(self.model, PretrainedWeights):
            return self.model.n_outputs
        # Two places show the shape of the output. They need numbers, also while a file is checked on the meta device.
        try:
            with torch.no_grad(), torch.device("cpu"):
                places = torch.zeros(2, 2, dtype=torch.float64)
                output = LocationEncoder(*self._encoder_and_network())(places)
        except (IndexError, RuntimeError, TypeError, ValueError) as error:
            raise ValueError(
                f"model does not take 2 places (2, 2): {error}. Expected a module of (latitude, longitude) in degrees."
            ) from error
        # These are the floating-point types that NumPy has, too.
        known = output.dtype in (torch.float16, torch.float32, torch.float64)
        if output.ndim != 2 or len(output) != 2 or not known:
            raise ValueError(
                f"model gives {output.dtype} of shape {tuple(output.shape)} for 2 places (2, 2): expected float32, "
                "float64 or float16 of shape (2, n_outputs)."
            )
        return output.shape[1]

    def _embedding_names(self) -> list[str]:
        prefix = self.model.column_prefix if isinstance(self.model, PretrainedWeights) else "embedding"
        return [f"{prefix}{i}" for i in range(self._n_outputs())]


def _encoder_and_rest(module: Any) -> tuple[nn.Module, nn.Module]:
    """The encoder of places in a module, which computes in a precision of its own, and the rest of the module."""
    module.eval()
    if type(module) is not LocationEncoder:
        return nn.Identity(), module
    # Most modules do not rescale outputs. Their network alone can go into a file of skgeo.nn.save.
    if bool((module.mean == 0.0).all() and (module.scale == 1.0).all()):
        return module.encoder, module.network
    units = module.mean.tolist(), module.scale.tolist()
    return module.encoder, LocationEncoder(nn.Identity(), module.network, *units)
