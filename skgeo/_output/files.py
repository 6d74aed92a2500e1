"""Models in files that hold numbers and text and cannot run code."""

import os
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from skgeo._output.archive import describe, pack, unpack
from skgeo._output.integrity import (
    check_arrays,
    check_file_hash,
    read_metadata,
    reraise_as_model_file_error,
    write_file,
    write_metadata,
)
from skgeo._output.model_tree import SavedClass, TreeReader, TreeWriter
from skgeo._output.random_states import (
    build_generator,
    build_random_state,
    build_seed_sequence,
    generator_numbers,
    random_state_numbers,
)
from skgeo._output.states import check_model, read_state, restore

__all__ = ["load", "save"]

_FORMAT = "skgeo model"
# Modules of skgeo whose public estimators files may hold. A module is imported when a file or a model names one of its
# classes, so that "import skgeo" does not import torch for skgeo.nn.
_SKGEO_MODULES = ("skgeo", "skgeo.encoders", "skgeo.nn")
# Classes that files may hold although they are no estimators.
_OTHER_CLASSES = ("skgeo.CellGrid", "skgeo.LatLonGrid", "skgeo.nn.GeoCLIPWeights", "skgeo.nn.SatCLIPWeights")
# The content of a checkpoint of ContrastiveLocationEncoder.fit: the only class in files that has no public name.
_CHECKPOINT_CLASS, _CHECKPOINT_MODULE = "skgeo.nn.TrainingState", "skgeo.nn._checkpoint_file"
# Estimators of scikit-learn whose fitted state is numbers, text and arrays, by their public modules.
_SCIKIT_LEARN_CLASSES = {
    "sklearn.compose": ("ColumnTransformer", "TransformedTargetRegressor"),
    "sklearn.decomposition": ("PCA", "TruncatedSVD"),
    "sklearn.feature_selection": ("VarianceThreshold",),
    "sklearn.frozen": ("FrozenEstimator",),
    "sklearn.impute": ("MissingIndicator", "SimpleImputer"),
    "sklearn.linear_model": (
        "ARDRegression",
        "BayesianRidge",
        "ElasticNet",
        "ElasticNetCV",
        "HuberRegressor",
        "Lasso",
        "LassoCV",
        "LinearRegression",
        "LogisticRegression",
        "LogisticRegressionCV",
        "MultiTaskElasticNet",
        "MultiTaskElasticNetCV",
        "MultiTaskLasso",
        "MultiTaskLassoCV",
        "Ridge",
        "RidgeCV",
        "RidgeClassifier",
        "RidgeClassifierCV",
    ),
    "sklearn.pipeline": ("FeatureUnion", "Pipeline"),
    "sklearn.preprocessing": (
        "Binarizer",
        "FunctionTransformer",  # fit replaces "passthrough" by one
        "KBinsDiscretizer",
        "LabelBinarizer",  # a part of RidgeClassifier
        "LabelEncoder",
        "MaxAbsScaler",
        "MinMaxScaler",
        "Normalizer",
        "OneHotEncoder",
        "OrdinalEncoder",
        "PolynomialFeatures",
        "PowerTransformer",
        "QuantileTransformer",
        "RobustScaler",
        "StandardScaler",
    ),
}
_INSTEAD = (
    "Files without code hold numbers, text, estimators of skgeo and simple ones of scikit-learn. For other models, use "
    "skops or joblib."
)


def save(model: Any, path: str | os.PathLike[str]) -> None:
    """Write a model to a file that cannot run code.

    The file is an archive of plain arrays and one JSON text. numpy, any zip tool and any text editor can read it, on
    any machine and in many years. Loading it runs no code from the file. Files of joblib and pickle, in contrast, run
    code of their author.

    Parameters
    ----------
    model : estimator, LatLonGrid or CellGrid
        An estimator of skgeo, fitted or not; a simple estimator of scikit-learn (see Notes); or a ColumnTransformer,
        FeatureUnion, FrozenEstimator or Pipeline of these, in any nesting.
    path : str or path-like
        The file to write. No ending is added to its name; ``.npz`` is usual. An existing regular file is replaced when
        the new file is complete, and keeps its permissions. A symbolic link is followed and stays a link.

    Raises
    ------
    TypeError
        If the model, or a part or parameter of it, is of a type that files may not hold, such as a function, a torch
        module or another library's estimator; the message says which. Nothing is written.
    ValueError
        If a Pipeline has ``memory``, because its cache consists of pickles; or if a fitted model has parameters or
        attributes that its fit does not give, so that its file could not be loaded.
    OSError
        If the file cannot be written, or ``path`` is a folder, a device or a pipe.

    See Also
    --------
    skgeo.load : Reads the file.
    skgeo.nn.save : The same for torch modules, as safetensors.

    Notes
    -----
    The file is a zip archive without compression. Its first entry ``skgeo.json`` is a JSON object with the keys, in
    this order, ``format`` ("skgeo model"), ``format_version`` (1), ``skgeo_version``, ``objects``, ``arrays`` and
    ``sha256``. The other entries are ``array_0.npy`` and so on.

    ``arrays`` gives for each array its ``dtype`` (as ``array.dtype.str``), ``shape``, ``order`` in memory ("C" or "F")
    and the ``sha256`` of its bytes in that order, ``array.tobytes("A")``. The last key, ``sha256``, is the hash of the
    other keys as compact JSON, ``json.dumps(metadata, separators=(",", ":"))``: it covers all names, types and values.

    ``objects`` lists the estimators, parts before wholes and the model last, each with ``class``, its public name, and
    ``state``, its parameters and fitted attributes. A value in it is null, true, false, a number, a text, a list, or an
    object of one of these forms: ``{"tuple": [...]}``, ``{"dict": {...}}``, ``{"items": [[key, value], ...]}`` (a dict
    with keys other than text), ``{"slice": [start, stop, step]}``, ``{"float": "nan"}`` (or "inf", "-inf"), ``{"dtype":
    "<f8"}``, ``{"scalar_type": "<f8"}`` (the type ``numpy.float64``), ``{"array": name}``, ``{"scalar": name}`` (a
    numpy scalar, held as an array of shape ()), ``{"strings": [...], "shape": [...]}`` (an array of str objects),
    ``{"parts": [...], "shape": [...]}`` (an array of other objects), ``{"object": i}`` (the i-th of ``objects``).
    NumPy's RandomState, Generator and SeedSequence are objects with the ``state`` of NumPy: after loading they draw the
    numbers that would have come next.

    Files hold those estimators of scikit-learn whose fitted state is numbers, text and arrays: scalers and other
    preprocessing (except KernelCenterer, MultiLabelBinarizer, SplineTransformer and TargetEncoder), SimpleImputer,
    MissingIndicator, PCA, TruncatedSVD, VarianceThreshold, TransformedTargetRegressor, and linear models such as
    Ridge, Lasso, LogisticRegression and their variants with ``CV``. Trees, neighbours, support vector machines and
    searches cannot be saved: save ``search.best_estimator_``, or use ``skops.io.dump``.

    ``n_jobs`` of an estimator is saved as None: a number of threads belongs to a machine, and does not change results.

    The same model gives the same bytes.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> import skgeo
    >>> grid = skgeo.LatLonGrid(np.arange(-85, 90, 10), np.arange(5, 360, 10))
    >>> basis = skgeo.SphericalHarmonicPCA(max_degree=3).fit(grid)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "basis.npz")
    ...     skgeo.save(basis, path)
    ...     loaded = skgeo.load(path)
    >>> loaded
    SphericalHarmonicPCA(max_degree=3)
    >>> bool((loaded.transform(grid) == basis.transform(grid)).all())
    True
    """
    tree = TreeWriter(_find_class, _name_in_files, _INSTEAD)
    tree.write(model)
    described = {name: describe(array) for name, array in tree.arrays.items()}
    write_file(path, pack(write_metadata(_FORMAT, described, objects=tree.objects), tree.arrays))


def load(path: str | os.PathLike[str], *, sha256: str | None = None) -> Any:
    """Read a model from a file of :func:`skgeo.save`, without running code from it.

    The content is checked against its hash before anything is built from it, and only the classes that
    :func:`skgeo.save` names are built. The hash shows damage. It does not show who made the file. Therefore everything
    that the file declares is compared with its content and with the results of a fit: names, types, shapes and ranges.
    The model of a stranger runs no code and has the methods of its class, but its numbers can be wrong.

    Parameters
    ----------
    path : str or path-like
        The file.
    sha256 : str or None, default=None
        SHA-256 of the whole file as 64 hexadecimal digits, if you know it from somewhere that you trust. Another file
        is refused before it is read.

    Returns
    -------
    estimator, LatLonGrid or CellGrid
        The model as it was saved, with the same output bit for bit. ``partial_fit`` can continue.

    Raises
    ------
    ModelFileError
        If the file is empty, truncated, altered, of another program, of a newer format, or not the one with
        ``sha256``; or if it holds a class that this skgeo does not know, or attributes that no fit gives.
    ValueError
        If ``sha256`` is no SHA-256.
    ImportError
        If the model is an estimator of skgeo.nn and torch is missing.
    OSError
        If the file cannot be read.

    Warns
    -----
    VersionWarning
        If another version of skgeo wrote the file. If the model has parts of another version of scikit-learn,
        scikit-learn gives its ``InconsistentVersionWarning``.

    See Also
    --------
    skgeo.save : Writes the file; describes its format.

    Examples
    --------
    >>> import os, tempfile
    >>> import skgeo
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "scale.npz")
    ...     skgeo.save(skgeo.PatchScaleFeaturizer(log=False), path)
    ...     skgeo.load(path)
    PatchScaleFeaturizer(log=False)
    """
    file = os.fsdecode(path)
    check_file_hash(path, sha256)
    text, arrays = unpack(path, file, _FORMAT)
    metadata = read_metadata(text, _FORMAT, file)
    with reraise_as_model_file_error(file, *TreeReader.errors):
        check_arrays(file, metadata["arrays"], {name: describe(array) for name, array in arrays.items()})
        return TreeReader(_find_class, arrays).read(metadata["objects"])


_NUMPY_CLASSES = {
    "numpy.random.Generator": SavedClass(np.random.Generator, generator_numbers, build_generator),
    "numpy.random.RandomState": SavedClass(np.random.RandomState, random_state_numbers, build_random_state),
    "numpy.random.SeedSequence": SavedClass(np.random.SeedSequence, lambda seed: seed.state, build_seed_sequence),
}


def _find_class(name: str) -> SavedClass | None:
    """The class with this name in files, or None if files may not hold it.

    The name comes from a file that anyone may have written. It is compared with lists before anything is imported, and
    the lists end at classes: no name reaches a function, a private object or an attribute of a class.
    """
    if name in _NUMPY_CLASSES:
        return _NUMPY_CLASSES[name]
    module, _, class_name = name.rpartition(".")
    if name == _CHECKPOINT_CLASS:
        module = _CHECKPOINT_MODULE
    elif module in _SKGEO_MODULES:
        if class_name not in import_module(module).__all__:
            return None
    elif class_name not in _SCIKIT_LEARN_CLASSES.get(module, ()):
        return None
    cls = getattr(import_module(module), class_name)
    # __all__ names functions, modules and torch modules, too. All estimators are subclasses of BaseEstimator.
    is_estimator = isinstance(cls, type) and issubclass(cls, BaseEstimator)
    if not is_estimator and name not in (_CHECKPOINT_CLASS, *_OTHER_CLASSES):
        return None
    return SavedClass(cls, read_state, partial(restore, name, cls), partial(check_model, name))


def _name_in_files(cls: type) -> str | None:
    """The name that a class has in files, or None if files may not hold it."""
    # A class lives in a private module of the package that exports it: skgeo.encoders._wrap.WrapEncoder is
    # skgeo.encoders.WrapEncoder. The random generators of numpy live in modules with other names.
    module = str(cls.__module__)
    package = "numpy.random" if module.startswith("numpy.") else module.partition("._")[0]
    name = f"{package}.{cls.__name__}"
    found = _find_class(name)
    return name if found is not None and found.cls is cls else None
