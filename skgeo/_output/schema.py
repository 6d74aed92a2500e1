"""What the state of a model may hold: rules for attributes, and the check of a state against its rules.

A file can be forged, hash included. Its state is therefore checked before an object is made of it: names, types,
shapes, ranges, and sizes that several attributes share.
"""

import math
from collections import UserList
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

__all__ = [
    "AnyOf",
    "Array",
    "DType",
    "Dict",
    "Flag",
    "Integer",
    "Labels",
    "ListOf",
    "Number",
    "Part",
    "Rule",
    "Schema",
    "Sizes",
    "Strings",
    "Text",
    "Tuple",
    "check",
]

#: Lengths that attributes share, by the names that shapes in rules give them.
Sizes = dict[str, int]


# Numbers above this overflow when they are squared. No fit gives them.
LARGE = 1e150
POSITIVE = 5e-324


class Rule(Protocol):
    """A condition on one value."""

    def check(self, where: str, value: Any, sizes: Sizes) -> None:
        """Raise ValueError if the value breaks the rule. ``sizes`` collects and compares the lengths with names."""


def check(where: str, valid: bool, value: object, expected: str) -> None:
    """Raise ValueError unless ``valid``. The message is short however long the value is."""
    if not valid:
        given = f"{type(value).__name__}"
        if isinstance(value, np.ndarray | np.generic):
            given = f"array of dtype {value.dtype} and shape {value.shape}"
        elif value is None or isinstance(value, bool | int | float | str):
            given = repr(value) if len(repr(value)) <= 40 else f"{repr(value)[:36]}..."
        raise ValueError(f"{where} is {given}: expected {expected}")


@dataclass(frozen=True)
class Array:
    """An array of some kinds of dtype. Its shape holds numbers and names of sizes; ``None`` allows any shape."""

    shape: tuple[int | str, ...] | None
    kinds: str = "f"
    low: float = -math.inf
    high: float = math.inf
    finite: bool = True
    optional: bool = False
    double: bool = False

    def check(self, where: str, value: Any, sizes: Sizes) -> None:
        """Check type, kind of dtype, shape and range."""
        if value is None and self.optional:
            return
        expected = f"an array of dtype kind {self.kinds!r}"
        valid = isinstance(value, np.ndarray | np.generic) and value.dtype.kind in self.kinds
        check(where, valid, value, expected)
        # Estimators compute with numbers of the machine's byte order and of at most 8 bytes.
        check(where, value.dtype.kind not in "biufc" or value.dtype.isnative, value, expected)
        check(where, not self.double or value.dtype.kind != "f" or value.dtype.itemsize == 8, value, "float64")
        if self.shape is not None:
            shape = tuple(size if isinstance(size, int) else sizes.get(size, size) for size in self.shape)
            fits = value.ndim == len(shape)
            fits = fits and all(n == m or isinstance(m, str) for n, m in zip(value.shape, shape, strict=True))
            check(where, fits, value, f"shape {shape}")
            # A name that has no length yet takes the length of this array; twice in one shape means equal lengths.
            for size, n in zip(self.shape, value.shape, strict=True):
                if isinstance(size, str):
                    check(where, sizes.setdefault(size, n) == n, value, f"shape {shape}")
        if value.dtype.kind in "iuf" and value.size:
            least, most = value.min(), value.max()
            # Comparisons with NaN are false.
            within = bool(least >= self.low and most <= self.high)
            within = within or (not self.finite and bool(np.isnan(least)))
            check(where, within, value, f"values from {self.low:g} to {self.high:g}")
            infinite = self.finite and not math.isfinite(float(least) - float(most))
            check(where, not infinite or bool(np.isfinite(value).all()), value, "finite values")


def squarable(shape: tuple[int | str, ...]) -> Array:
    """The rule for numbers in float64 of either sign whose squares do not overflow."""
    return Array(shape, low=-LARGE, high=LARGE, double=True)


@dataclass(frozen=True)
class Strings:
    """An array of str objects."""

    shape: tuple[int | str, ...] | None
    optional: bool = False

    def check(self, where: str, value: Any, sizes: Sizes) -> None:
        """Check the shape and every element."""
        Array(self.shape, "OU", optional=self.optional).check(where, value, sizes)
        if value is not None and value.dtype.kind == "O":
            check(where, all(type(text) is str for text in value.flat), value, "an array of texts")


@dataclass(frozen=True)
class Labels:
    """The classes of a classifier: texts, numbers or booleans, sorted, and each one once."""

    size: str = "classes"

    def check(self, where: str, value: Any, sizes: Sizes) -> None:
        """Check kind, shape and order."""
        Array((self.size,), "biufUSO").check(where, value, sizes)
        # Objects of other types may not be comparable.
        if value.dtype.kind == "O":
            kinds = {type(label) for label in value.flat}
            check(where, len(kinds) <= 1 and kinds <= {str, int, bool, float}, value, "labels of one type")
        check(where, value.size >= 1 and bool((value[1:] > value[:-1]).all()), value, "sorted labels, each one once")


@dataclass(frozen=True)
class Number:
    """A real number, of Python or NumPy, or an array of shape ()."""

    low: float = -math.inf
    high: float = math.inf
    finite: bool = True
    optional: bool = False

    def check(self, where: str, value: Any, sizes: Sizes) -> None:
        """Check type, range and finiteness."""
        if value is None and self.optional:
            return
        number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
        number = number or (isinstance(value, np.ndarray) and value.shape == () and value.dtype.kind in "iuf")
        check(where, number, value, "a number")
        valid = self.low <= value <= self.high or (not self.finite and math.isnan(value))
        check(where, bool(valid), value, f"a number from {self.low:g} to {self.high:g}")
        check(where, not self.finite or abs(value) <= 1.7976931348623157e308, value, "a finite number")


@dataclass(frozen=True)
class Integer:
    """A whole number below 2^63, which may be a size that arrays have."""

    low: int = 0
    high: int = 2**63 - 1
    size: str | None = None
    optional: bool = False

    def check(self, where: str, value: Any, sizes: Sizes) -> None:
        """Check type and range, and compare the size."""
        if value is None and self.optional:
            return
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        check(where, whole and self.low <= value <= self.high, value, f"an integer from {self.low} to {self.high}")
        if self.size is not None:
            expected = sizes.setdefault(self.size, int(value))
            check(where, value == expected, value, f"{expected}")


@dataclass(frozen=True)
class Flag:
    """True or False."""

    def check(self, where: str, value: Any, sizes: Sizes) -> None:
        """Check the type."""
        check(where, isinstance(value, bool | np.bool_), value, "True or False")


@dataclass(frozen=True)
class DType:
    """A dtype of numbers or texts."""

    choices: tuple[str, ...] = ()

    def check(self, where: str, value: Any, sizes: Sizes) -> None:
        """Check type and choice."""
        known = isinstance(value, np.dtype) and (not self.choices or value.str[1:] in self.choices)
        check(where, known, value, " or ".join(self.choices) or "a dtype")


@dataclass(frozen=True)
class Text:
    """A text, maybe one of a few."""

    choices: tuple[str, ...] = ()
    optional: bool = False

    def check(self, where: str, value: Any, sizes: Sizes) -> None:
        """Check type and choice."""
        if value is None and self.optional:
            return
        known = isinstance(value, str) and (not self.choices or value in self.choices)
        check(where, known, value, " or ".join(map(repr, self.choices)) or "a text")


@dataclass(frozen=True)
class ListOf:
    """A list, or a tuple, of values of one kind. ``size`` names its length."""

    rule: Rule
    size: str | None = None
    kind: type | tuple[type, ...] = (list, tuple)

    def check(self, where: str, value: Any, sizes: Sizes) -> None:
        """Check the length and every element."""
        # scikit-learn 1.6 has a UserList that warns when it is read: take the list inside.
        value = value.data if isinstance(value, UserList) else value
        check(where, isinstance(value, self.kind), value, "a list")
        if self.size is not None:
            expected = sizes.setdefault(self.size, len(value))
            check(where, len(value) == expected, len(value), f"a list of length {expected}")
        for i, part in enumerate(value):
            self.rule.check(f"{where}[{i}]", part, sizes)


@dataclass(frozen=True)
class Tuple:
    """A tuple or list with a rule for each of its values."""

    rules: tuple[Rule, ...]

    def check(self, where: str, value: Any, sizes: Sizes) -> None:
        """Check the length and every element."""
        fits = isinstance(value, tuple | list) and len(value) == len(self.rules)
        check(where, fits, value, f"a tuple of {len(self.rules)} values")
        for i, (rule, part) in enumerate(zip(self.rules, value, strict=True)):
            rule.check(f"{where}[{i}]", part, sizes)


@dataclass(frozen=True)
class Dict:
    """A dict that has all keys of ``rules``, each with its rule. Without ``rules``, ``values`` is the rule of all."""

    values: Rule | None = None
    rules: Mapping[str, Rule] = field(default_factory=dict)
    optional: bool = False

    def check(self, where: str, value: Any, sizes: Sizes) -> None:
        """Check keys and values."""
        if value is None and self.optional:
            return
        check(where, isinstance(value, dict), value, "a dict")
        if self.rules:
            check(where, set(value) == set(self.rules), sorted(map(str, value)), f"the keys {', '.join(self.rules)}")
        for key, part in value.items():
            rule = self.rules.get(key, self.values) if self.rules else self.values
            if rule is not None:
                check(where, isinstance(key, str), key, "keys that are texts")
                rule.check(f"{where}[{key[:40]!r}]", part, sizes)


@dataclass(frozen=True)
class Part:
    """An object of the file that has one of these methods, or one of these texts in its place."""

    methods: tuple[str, ...]
    instead: tuple[Any, ...] = ()
    fitted: bool = True

    def check(self, where: str, value: Any, sizes: Sizes) -> None:
        """Check that the value is an object with such a method."""
        if value is None or isinstance(value, str):
            check(where, value in self.instead, value, f"an estimator with {' or '.join(self.methods)}")
            return
        # Values of Python and NumPy have none of the methods in question.
        able = any(callable(getattr(value, method, None)) for method in self.methods)
        check(where, able and not isinstance(value, type), value, f"an estimator with {' or '.join(self.methods)}")
        check(where, not self.fitted or _is_fitted(value), value, "a fitted estimator")


def _is_fitted(model: Any) -> bool:
    """Whether an estimator is fitted; a composed one with all of its parts."""
    parts = [*getattr(model, "steps", ()), *getattr(model, "transformer_list", ())]
    if parts:
        return all(_is_fitted(part[1]) for part in parts if part[1] is not None and not isinstance(part[1], str))
    try:
        check_is_fitted(model)
    except NotFittedError:
        return False
    return True


@dataclass(frozen=True)
class AnyOf:
    """One of several rules."""

    rules: tuple[Rule, ...]

    def check(self, where: str, value: Any, sizes: Sizes) -> None:
        """Try one rule after the other."""
        errors = []
        for rule in self.rules:
            before = dict(sizes)
            try:
                rule.check(where, value, sizes)
                return
            except ValueError as error:
                errors.append(error)
                sizes.clear()
                sizes.update(before)
        raise errors[-1]


@dataclass(frozen=True)
class Schema:
    """The attributes that a fitted object has, and those that it may have, beside its parameters.

    ``relation(state, sizes)`` checks that attributes agree with each other and with the parameters. With ``open``
    the class belongs to another package, whose later versions may have attributes of other names.
    """

    required: Mapping[str, Rule] = field(default_factory=dict)
    optional: Mapping[str, Rule] = field(default_factory=dict)
    relation: Callable[[Mapping[str, Any], Sizes], None] | None = None
    open: bool = False

    def check(self, name: str, state: Mapping[str, Any], sizes: Sizes) -> None:
        """Raise ValueError unless the state has the required attributes and all attributes keep their rules."""
        missing = [key for key in self.required if key not in state]
        if missing:
            raise ValueError(f"{name} has no {missing[0]}, which a fitted {name} has")
        for key, rule in [*self.required.items(), *self.optional.items()]:
            if key in state:
                rule.check(f"{name}.{key}", state[key], sizes)
        if self.relation is not None:
            self.relation(state, sizes)


def check_degrees(state: Mapping[str, Any], sizes: Sizes) -> None:
    """The number of harmonics follows from the degree of the fit."""
    degree: Any = state.get("max_degree")
    whole = isinstance(degree, int | np.integer) and not isinstance(degree, bool)
    fits = whole and (int(degree) + 1) ** 2 == sizes.get("harmonics")
    check("max_degree", bool(fits), degree, f"the degree of the fit, which has {sizes.get('harmonics')} harmonics")
    doubled = sizes.get("doubled")
    check("max_degree", doubled == (2 * int(degree or 0) + 1) ** 2, degree, f"one with {doubled} integrals")
