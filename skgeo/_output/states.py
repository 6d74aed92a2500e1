"""The state of an object for a file, and an object from the state in a file, both checked against its class."""

import keyword
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from skgeo._output.schema import Schema, Sizes, check
from skgeo._output.schemas import FIXED_ENCODER, SCHEMAS
from skgeo._output.schemas_sklearn import SKLEARN_SCHEMAS

__all__ = ["check_model", "read_state", "restore"]

# Entries of a state beside parameters and fitted attributes: versions, and the output that set_output chose.
_VERSIONS = ("_skgeo_version", "_sklearn_version")
_OUTPUT_CONFIG = "_sklearn_output_config"
_FRAMES = ("default", "pandas", "polars")


def read_state(model: Any) -> dict[str, Any]:
    """The state that pickle would write, the version included."""
    state: dict[str, Any] = model.__getstate__()
    _check_no_cache(state)
    return _without_threads(type(model), state)


def check_model(name: str, model: Any) -> None:
    """Raise ValueError if ``restore`` would refuse the state of a model, because its file could not be loaded."""
    try:
        _check_parameters(name, model, fitted=_check_state(name, type(model), model.__getstate__()))
    except ValueError as error:
        raise ValueError(
            f"{type(model).__name__} cannot be saved, because the file could not be loaded: {error}. Fit the model "
            "with the parameters that it has now."
        ) from error


def restore(name: str, cls: Any, state: dict[str, Any]) -> Any:
    """A model from its state, made as pickle makes it: ``__setstate__`` compares versions."""
    _check_no_cache(state)
    fitted = _check_state(name, cls, state)
    model = cls.__new__(cls)
    model.__setstate__(_without_threads(cls, state))
    _check_parameters(name, model, fitted=fitted)
    return model


def _without_threads(cls: type, state: dict[str, Any]) -> dict[str, Any]:
    """The state with ``n_jobs=None``: a number of threads belongs to a machine, and does not change the output."""
    threaded = "n_jobs" in state and issubclass(cls, BaseEstimator)
    return {**state, "n_jobs": None} if threaded else state


def _check_no_cache(state: Mapping[str, Any]) -> None:
    """Refuse a Pipeline that would load pickles from a folder that its file names."""
    if state.get("memory") is not None:
        raise ValueError(
            f"memory={state['memory']!r}: the cache of a Pipeline holds pickles, which can run code. Save the Pipeline "
            "with memory=None and set it after loading"
        )


def _schema_of(name: str) -> Schema:
    """The schema of the class with this name in files. Encoders without a schema of their own learn nothing."""
    if name.startswith("sklearn."):
        return SKLEARN_SCHEMAS[name.rpartition(".")[2]]
    return SCHEMAS.get(name, FIXED_ENCODER) if name.startswith("skgeo.encoders.") else SCHEMAS[name]


def _check_state(name: str, cls: Any, state: Mapping[str, Any]) -> bool:
    """Raise ValueError unless the state can be one of the class. Returns whether it is that of a fitted object."""
    schema, kind = _schema_of(name), cls.__name__
    parameters = set(cls._get_param_names()) if issubclass(cls, BaseEstimator) else set()
    for key in state:
        _check_name(key, cls, schema, parameters)
    for key in _VERSIONS:
        check(f"{kind}.{key}", isinstance(state.get(key, ""), str), state.get(key), "a text")
    config = state.get(_OUTPUT_CONFIG, {})
    known = isinstance(config, dict) and set(config) <= {"transform"}
    known = known and all(isinstance(frame, str) and frame in _FRAMES for frame in config.values())
    check(f"{kind}.{_OUTPUT_CONFIG}", known, config, f"one of {', '.join(_FRAMES)}")
    missing = sorted(parameters - set(state))
    if missing:
        raise ValueError(f"{kind} has no parameter {missing[0]}, as this version of its package has it")
    fitted = any(key in state for key in (*schema.required, "n_features_in_"))
    if fitted or not issubclass(cls, BaseEstimator):
        schema.check(kind, state, _sizes(state))
        # In some versions of scikit-learn the classes are an attribute, in others a property.
        if fitted and "classes_" in schema.optional and "classes_" not in state and not hasattr(cls, "classes_"):
            raise ValueError(f"{kind} has no classes_, which a fitted {kind} has")
    # The state has a fitted attribute of another version, but none that this version needs.
    elif not schema.open and set(state) & set(schema.optional):
        raise ValueError(f"{kind} has {sorted(set(state) & set(schema.optional))[0]}, but is not fitted")
    return fitted


def _sizes(state: Mapping[str, Any]) -> Sizes:
    """Sizes to begin with: attributes are compared with the number of columns that the estimator was fitted on."""
    width = state.get("n_features_in_")
    return {"features": int(width)} if isinstance(width, int | np.integer) and not isinstance(width, bool) else {}


def _check_name(key: Any, cls: type, schema: Schema, parameters: set[str]) -> None:
    """Refuse names that are no attributes of such an object, or that would hide a method of its class."""
    kind = cls.__name__
    valid = isinstance(key, str) and key.isidentifier() and key.isascii() and not keyword.iskeyword(key)
    check(f"{kind} attribute", valid, key, "the name of an attribute")
    known = key in parameters or key in schema.required or key in schema.optional
    if known or key in _VERSIONS or key == _OUTPUT_CONFIG:
        return
    # Fitted attributes of other versions of scikit-learn are accepted, but not those that would hide a method.
    private_or_fitted = (key.startswith("_") or key.endswith("_")) and not key.startswith("__")
    if not schema.open or not private_or_fitted or callable(getattr(cls, key, None)):
        raise ValueError(f"{kind} has {key[:60]}, which is no attribute that files may hold")


def _check_parameters(name: str, model: Any, *, fitted: bool) -> None:
    """Raise ValueError if ``fit`` would refuse a parameter of a fitted model, or of any model of scikit-learn."""
    if name.startswith("sklearn."):
        # The constraints take any callable for some parameters, and the types of NumPy can be called.
        types = [key for key, value in vars(model).items() if isinstance(value, type) and key != "dtype"]
        if types:
            raise ValueError(f"{name}.{types[0]} is a type, which only dtype may be")
        # The class has the constraints of its parameters. FrozenEstimator has none.
        if hasattr(type(model), "_parameter_constraints"):
            model._validate_params()
    elif fitted and hasattr(model, "_check_loaded"):
        model._check_loaded()
