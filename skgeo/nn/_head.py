"""A small network that turns the features of a patch into an embedding, to be added to the token of the patch."""

from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.pipeline import make_union
from torch import Tensor, nn

from skgeo._patch_scale import DESCRIPTORS
from skgeo._typing import FloatArray
from skgeo._validation import check_flag, check_magnitude, check_parameter, is_integer
from skgeo.nn._networks import check_widths
from skgeo.nn._transformer_modules import check_tensor

__all__ = ["PatchProjectionHead"]

# A descriptor with a deviation below this share of its mean does not distinguish training patches. Divided by such a
# small deviation, the descriptor of a patch of another grid would be far larger than all other features.
_MIN_RELATIVE_DEVIATION = 0.1


class PatchProjectionHead(nn.Module):
    """Project the position and scale features of patches to the width of a transformer's tokens.

    The position part is multiplied by a learnable gain vector; the descriptors of scale are standardised one by one,
    with statistics of the training patches, and multiplied by a gain vector of their own. Both parts together
    pass through LayerNorm, Linear, GELU and Linear. Add the output to the tokens of the patches:
    ``tokens = tokens + head(features)``, with features (n_patches, n_position + n_scale) and tokens
    (..., n_patches, embed_dim).

    Build a head from fitted transformers with :meth:`from_transformers`, or from their output with
    :meth:`from_features`. The constructor builds a head from widths, with means of 0 and standard deviations of 1.
    ``load_state_dict`` replaces these by the statistics of a trained head.

    Parameters
    ----------
    n_position : int
        Number of position features; they come first.
    n_scale : int, default=10
        Number of descriptors of scale.
    embed_dim : int, default=768
        Width of the tokens.
    hidden_dim : int or None, default=None
        Width between the two linear layers. None is ``2 * max(n_position + n_scale, embed_dim)``.

    Attributes
    ----------
    position_gain, scale_gain : Parameter of shape (n_position,) and (n_scale,)
        Learnable gains; ones to begin with.
    scale_mean, scale_std : Tensor of shape (n_scale,)
        Buffers: mean and standard deviation of the training descriptors. If a descriptor varies by less than a tenth of
        its mean, it is divided by its mean, or by 1 if it is a logarithm. Descriptors of other grids then stay within a
        few units.
    position_columns, scale_columns : Tensor of shape (n_position,) and (n_scale,)
        Buffers: the columns of the features that hold each part.
    layers : Sequential
        LayerNorm, Linear, GELU, Linear, with torch's default initialisation.

    Raises
    ------
    ValueError
        If a width is no positive integer; from a call, if the last dimension is not n_position + n_scale or the numbers
        are not real.
    TypeError
        From a call with anything but a tensor: ``torch.from_numpy`` makes a tensor from the output of transformers.

    Notes
    -----
    The descriptors have different units. LayerNorm alone would standardise across the descriptors of a patch and mix
    the units: the vectors of patches of 0.01 and of 1 degree would be almost parallel, with a cosine of 0.998, or of
    0.7 for logarithms. With descriptors that are standardised one by one, the cosine is -0.7 on average. A call
    standardises the features first, and then converts them to the dtype of the parameters, so that small differences
    between patches are kept.

    Examples
    --------
    A training step on the tokens of 162 patches of the globe, here random, for a batch of 4 samples.

    >>> import numpy as np, torch
    >>> from sklearn.pipeline import make_union
    >>> from skgeo import LatLonGrid, SphericalHarmonicPCA
    >>> from skgeo import PatchPositionEncoder, PatchScaleFeaturizer
    >>> from skgeo.nn import PatchProjectionHead
    >>> grid = LatLonGrid(np.arange(-88, 90, 4.0), np.arange(2, 360, 4.0))
    >>> patches = grid.patches((5, 5))
    >>> position = PatchPositionEncoder(SphericalHarmonicPCA(3))
    >>> union = make_union(position, PatchScaleFeaturizer()).fit(patches)
    >>> features = torch.from_numpy(union.transform(patches))
    >>> _ = torch.manual_seed(0)
    >>> head = PatchProjectionHead.from_transformers(union, patches, embed_dim=32)
    >>> readout = torch.nn.Linear(32, 1)
    >>> optimizer = torch.optim.AdamW([*head.parameters(), *readout.parameters()])
    >>> tokens, target = torch.randn(4, 162, 32), torch.randn(4, 162, 1)
    >>> loss = (readout(tokens + head(features)) - target).square().mean()
    >>> loss.backward()
    >>> optimizer.step()
    >>> all(parameter.grad.any() for parameter in head.parameters())
    True
    """

    position_columns: Tensor
    scale_columns: Tensor
    scale_mean: Tensor
    scale_std: Tensor

    def __init__(self, n_position: int, n_scale: int = 10, embed_dim: int = 768, hidden_dim: int | None = None) -> None:
        super().__init__()
        n_position, n_scale, embed_dim = check_widths(n_position=n_position, n_scale=n_scale, embed_dim=embed_dim)
        n_features = n_position + n_scale
        usual = 2 * max(n_features, embed_dim)
        (hidden,) = check_widths(hidden_dim=usual if hidden_dim is None else hidden_dim)
        self.position_gain = nn.Parameter(torch.ones(n_position))
        self.scale_gain = nn.Parameter(torch.ones(n_scale))
        self.register_buffer("position_columns", torch.arange(n_position))
        self.register_buffer("scale_columns", torch.arange(n_position, n_features))
        self.register_buffer("scale_mean", torch.zeros(n_scale))
        self.register_buffer("scale_std", torch.ones(n_scale))
        self.layers = nn.Sequential(
            nn.LayerNorm(n_features), nn.Linear(n_features, hidden), nn.GELU(), nn.Linear(hidden, embed_dim)
        )

    @classmethod
    def from_features(
        cls, features: Any, *, n_scale: int = 10, log: bool = True, embed_dim: int = 768, hidden_dim: int | None = None
    ) -> Self:
        """Build a head for given training features, and take the statistics of the descriptors from them.

        Parameters
        ----------
        features : array-like or Tensor of shape (..., n_position + n_scale)
            Features of the training patches; the descriptors of scale are the last columns.
        n_scale : int, default=10
            Number of descriptors.
        log : bool, default=True
            Whether the descriptors are logarithms.
        embed_dim, hidden_dim : int
            As for the class.

        Returns
        -------
        PatchProjectionHead

        Raises
        ------
        ValueError
            If the features are empty, have too few columns, or are not finite real numbers.
        """
        table = _table(features)
        check_flag("log", log)
        check_parameter("n_scale", n_scale, is_integer(n_scale) and n_scale >= 1, "a positive integer")
        scale_columns = dict.fromkeys(range(table.shape[1])[-n_scale:], log)
        return cls._from_table(table, scale_columns, embed_dim, hidden_dim)

    @classmethod
    def from_transformers(
        cls, transformers: Any, patches: Any, *, embed_dim: int = 768, hidden_dim: int | None = None
    ) -> Self:
        """Build a head for the output of fitted transformers; the descriptors may stand anywhere in it.

        Parameters
        ----------
        transformers : transformer, or list of transformers
            A fitted FeatureUnion, Pipeline or ColumnTransformer of patch tables, or a list of fitted transformers whose
            outputs stand side by side. The columns of ``get_feature_names_out()`` with names of PatchScaleFeaturizer
            are descriptors. All other columns are position features.
        patches : array-like or DataFrame of shape (n_patches, 6), or array-like
            The patch table of the training domain; or its stacks of pixels, of shape (n_patches, n_rows, n_columns, 2);
            or its stacks of cells, of shape (n_patches, n_cells, 3).
        embed_dim, hidden_dim : int
            As for the class.

        Returns
        -------
        PatchProjectionHead

        Raises
        ------
        ValueError
            If the columns hold no descriptor, hold a descriptor twice, or hold descriptors only.
        """
        union = make_union(*transformers) if isinstance(transformers, list | tuple) else transformers
        names = [str(name) for name in union.get_feature_names_out()]
        return cls._from_table(_table(union.transform(patches)), _scale_columns(names), embed_dim, hidden_dim)

    @classmethod
    def _from_table(cls, table: Tensor, scale_columns: dict[int, bool], embed_dim: int, hidden_dim: int | None) -> Self:
        """Build a head. ``scale_columns`` maps each column that holds a descriptor to whether it is a logarithm."""
        position_columns = sorted(set(range(table.shape[1])) - set(scale_columns))
        if not position_columns:
            raise ValueError(
                f"features has {table.shape[1]} columns, all of them descriptors of scale: expected position features "
                "beside them."
            )
        # All buffers are copied into those of the new head, to keep their dtype.
        head = cls(len(position_columns), len(scale_columns), embed_dim, hidden_dim)
        mean, std = scale_statistics(table[:, list(scale_columns)].numpy(), np.array(list(scale_columns.values())))
        head.scale_mean.copy_(torch.from_numpy(mean))
        head.scale_std.copy_(torch.from_numpy(std))
        head.position_columns.copy_(torch.tensor(position_columns))
        head.scale_columns.copy_(torch.tensor(list(scale_columns)))
        return head

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Move and cast the module as torch does, but keep the statistics in single precision or better."""
        # In half precision a mean log area of about 20 has an error of 0.01. Patches differ by less than that.
        mean, std = self.scale_mean, self.scale_std
        module: Any = super()  # torch gives this method no types
        module._apply(fn, recurse)
        if self.scale_mean.dtype.itemsize < 4:
            device = self.scale_mean.device
            self.scale_mean, self.scale_std = mean.to(device, torch.float32), std.to(device, torch.float32)
        return self

    def forward(self, features: Tensor) -> Tensor:
        """Project features of patches.

        Parameters
        ----------
        features : Tensor of shape (..., n_position + n_scale)
            Features in any floating dtype, on the device of the module.

        Returns
        -------
        Tensor of shape (..., embed_dim)
            The embedding, in the dtype of the parameters.
        """
        check_tensor(features, "features")
        n_position, n_scale = self.position_gain.numel(), self.scale_gain.numel()
        if features.ndim == 0 or features.shape[-1] != n_position + n_scale:
            raise ValueError(
                f"features has shape {tuple(features.shape)}: expected (..., {n_position + n_scale}), "
                f"{n_position} position features and {n_scale} descriptors of scale."
            )
        # Standardise in the dtype of the features, and round to the dtype of the parameters afterwards.
        dtype = self.position_gain.dtype
        position = features[..., self.position_columns].to(dtype)
        scale = ((features[..., self.scale_columns] - self.scale_mean) / self.scale_std).to(dtype)
        parts = [position * self.position_gain, scale * self.scale_gain]
        return self.layers(torch.cat(parts, dim=-1))


def _table(features: Any) -> Tensor:
    """Features of any type as a float64 tensor (n_patches, n_features) on the CPU."""
    values = features if isinstance(features, Tensor) else np.asarray(features)
    if isinstance(values, np.ndarray):
        if values.dtype.kind not in "fiu" or np.ma.is_masked(features):
            raise ValueError(f"features holds {values.dtype} values or masked ones: expected real numbers.")
        values = torch.from_numpy(values.astype(np.float64))
    table = values.detach().cpu().to(torch.float64)
    if table.ndim < 2 or table.numel() == 0:
        raise ValueError(f"features has shape {tuple(table.shape)}: expected (n_patches, n_position + n_scale).")
    table = table.flatten(0, -2)
    if not torch.isfinite(table).all():
        raise ValueError("features has NaN or infinity: drop these patches first.")
    return table


def _scale_columns(names: list[str]) -> dict[int, bool]:
    """Find the columns that hold descriptors by their names. Maps each of them to whether it is a logarithm."""
    # PatchScaleFeaturizer gives logarithms the prefix "log_". Unions add "name__" before it.
    known = {prefix + name for name in DESCRIPTORS for prefix in ("", "log_")}
    plain = [name.rsplit("__", maxsplit=1)[-1] for name in names]
    columns = {column: name.startswith("log_") for column, name in enumerate(plain) if name in known}
    found = [plain[column] for column in columns]
    if not found or len(set(found)) < len(found):
        raise ValueError(
            f"transformers give {len(names)} columns, {names[0]} to {names[-1]}, with the descriptors {found}: "
            "expected each descriptor of PatchScaleFeaturizer at most once, and at least one. For other "
            "descriptors use from_features, with the descriptors as the last columns."
        )
    return columns


def check_columns(state: Mapping[str, Any], prefix: str = "") -> None:
    """Raise ValueError unless the state of a head takes each column of the features once."""
    names = ("position_columns", "scale_columns")
    columns = [int(i) for name in names for i in state.get(f"{prefix}{name}", ())]
    if sorted(columns) != list(range(len(columns))):
        raise ValueError(f"{' and '.join(names)} are no permutation of the {len(columns)} columns of the features")


def scale_statistics(
    descriptors: npt.NDArray[Any], log: npt.NDArray[np.bool_], weight: npt.NDArray[np.float64] | None = None
) -> tuple[FloatArray, FloatArray]:
    """Mean and deviation of each column. A column that hardly varies gets its mean, or 1, in place of the deviation."""
    values = descriptors.astype(np.float64)
    check_magnitude("The table of descriptors", values)
    mean = np.average(values, axis=0, weights=weight)
    std = np.sqrt(np.average((values - mean) ** 2, axis=0, weights=weight))
    # A logarithm has no unit, so differences of 1 are large; other descriptors are compared with their mean.
    unit = np.where(log | (mean == 0.0), 1.0, np.abs(mean))
    return mean, np.where(std <= _MIN_RELATIVE_DEVIATION * unit, unit, std)
