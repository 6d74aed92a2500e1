"""Change the code in one place at a time, and count how many of the changes the tests notice.

    python scripts/mutants.py --number 200            # hours on one core; a stopped run continues where it was
    python scripts/mutants.py --number 20 --seed 1

Mutants are sampled from all places in the files below where a comparison, an arithmetic operator, a number, a boolean
operator or a returned value can be replaced. Each mutant is written into a copy of the tree, where the tests of its
file run until the first failure. A mutant that no test notices has survived: it is equivalent to the code, or a test
is missing. Results are appended to the file --out, one mutant a line.
"""

import argparse
import ast
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPIED = (
    "skgeo",
    "tests",
    "experiments",
    "benchmarks",
    "examples",
    "docs",
    "conftest.py",
    "pyproject.toml",
    "README.md",
)
#: Tests of reading input, without those of dask, whose clusters take long to start.
INPUT = (
    "input/test_bad_input.py input/test_bounds.py input/test_conventions.py input/test_frames.py "
    "input/test_from_xarray.py input/test_poles.py"
)
#: Files to change, each with the tests that run: first those that should notice, and if they do not, more.
TESTS = {
    "skgeo/_kernels/axis_gaps.py": ("test_grid.py", "input/test_bounds.py input/test_from_xarray.py"),
    "skgeo/_kernels/cell_corners.py": ("test_cells.py kernels/test_cell_corners.py", "input/test_conventions.py fuzz"),
    "skgeo/_kernels/cell_places.py": ("test_cells.py", "input/test_conventions.py fuzz"),
    "skgeo/_kernels/clusters.py": ("model_selection/test_splitters.py", "model_selection/test_degree_and_leakage.py"),
    "skgeo/_kernels/domain.py": ("kernels/test_domain.py", "test_pca.py"),
    "skgeo/_kernels/eigenbasis.py": ("kernels/test_eigenbasis.py", "test_pca.py"),
    "skgeo/_kernels/equal_area.py": ("model_selection/test_splitters.py", "model_selection/test_degree_and_leakage.py"),
    "skgeo/_kernels/evaluate.py": ("kernels/test_evaluate.py", "test_pca.py test_grid.py"),
    "skgeo/_kernels/evaluate_harmonics.py": ("kernels/test_evaluate.py", "encoders"),
    "skgeo/_kernels/exact_gp.py": ("gaussian_process/test_regressor.py", "gaussian_process"),
    "skgeo/_kernels/gp_class_search.py": ("gaussian_process/test_classifier.py", "gaussian_process"),
    "skgeo/_kernels/gp_classification.py": ("gaussian_process/test_classifier.py", "gaussian_process"),
    "skgeo/_kernels/gp_likelihood.py": ("gaussian_process/test_regressor.py", "gaussian_process"),
    "skgeo/_kernels/gp_search.py": ("gaussian_process/test_regressor.py", "gaussian_process"),
    "skgeo/_kernels/grouped_places.py": ("gaussian_process/test_regressor.py", "gaussian_process"),
    "skgeo/_kernels/harmonic_gp.py": ("gaussian_process/test_harmonic_process.py", "gaussian_process"),
    "skgeo/_kernels/logistic_moments.py": ("gaussian_process/test_classifier.py", "gaussian_process"),
    "skgeo/_kernels/harmonics.py": ("kernels/test_harmonics.py", "kernels test_pca.py"),
    "skgeo/_kernels/matern.py": ("gaussian_process/test_matern_kernel.py", "gaussian_process"),
    "skgeo/_kernels/neighbour_gp.py": ("gaussian_process/test_regressor.py", "gaussian_process"),
    "skgeo/_kernels/nearest_places.py": ("test_inverse.py", "encoders"),
    "skgeo/_kernels/patch_means.py": ("kernels/test_evaluate.py test_patch_area_means.py", "test_patches.py"),
    "skgeo/_kernels/sphere.py": ("test_grid.py test_patches.py", "test_cells.py inspection"),
    "skgeo/_kernels/threads.py": ("kernels/test_threads.py", "test_progress.py"),
    "skgeo/_input/axes.py": ("test_grid.py", f"{INPUT} fuzz"),
    "skgeo/_input/coordinates.py": (
        "input/test_bad_input.py input/test_frames.py input/test_poles.py",
        f"{INPUT} fuzz",
    ),
    "skgeo/_places.py": (
        "test_composition.py input/test_frames.py gaussian_process/test_mean.py",
        f"{INPUT} test_cells.py test_grid.py model_selection fuzz",
    ),
}
OTHER_COMPARISON = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
OTHER_OPERATOR = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--number", type=int, default=200, help="number of mutants")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--part", type=int, default=0, help="which part of the sample to run, when processes share it")
    parser.add_argument("--parts", type=int, default=1, help="number of processes that share the sample")
    parser.add_argument("--only", default="", help="part of the names of files to change")
    parser.add_argument("--out", type=Path, default=Path("mutants.jsonl"), help="file of the results")
    parser.add_argument("--timeout", type=int, default=900, help="seconds for the tests of a mutant")
    options = parser.parse_args()
    done = {}
    if options.out.exists():
        done = {result["mutant"]: result for result in map(json.loads, options.out.read_text().splitlines())}
    everything = [mutant for file in TESTS if options.only in file for mutant in mutants_of(file)]
    sample = random.Random(options.seed).sample(everything, min(options.number, len(everything)))
    sample = sample[options.part :: options.parts]
    with tempfile.TemporaryDirectory() as folder:
        copy_tree(Path(folder))
        for mutant in sample:
            name = "{file}:{line}: {change} #{number}".format(**mutant)
            if name not in done:
                done[name] = {"mutant": name, "result": run(mutant, Path(folder), options, done)}
                write(done[name], options.out)
    report([done["{file}:{line}: {change} #{number}".format(**mutant)] for mutant in sample])


def write(result, path):
    with path.open("a", encoding="utf-8") as out:
        out.write(json.dumps(result) + "\n")
    print(result["result"], result["mutant"], flush=True)


def report(results):
    """Print the score and the survivors."""
    counts = Counter(result["result"] for result in results)
    print("\nsurvivors:", *sorted(each["mutant"] for each in results if each["result"] == "survived"), sep="\n  ")
    noticed = len(results) - counts["survived"]
    print(f"\n{len(results)} mutants, {noticed} noticed ({noticed / max(1, len(results)):.0%}): {dict(counts)}")


def copy_tree(folder):
    for name in COPIED:
        if (ROOT / name).is_dir():
            leave_out = shutil.ignore_patterns("__pycache__", "_build", "results", "gallery")
            shutil.copytree(ROOT / name, folder / name, ignore=leave_out)
        else:
            shutil.copy(ROOT / name, folder / name)


def mutants_of(file):
    """All single changes of a file: its name, the number of the change, the line, and the change in words."""
    if not (ROOT / file).exists():
        return
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    for number, (node, change, _) in enumerate(changes_of(tree)):
        yield {"file": file, "number": number, "line": node.lineno, "change": change}


def changes_of(tree):
    """Yield (node, change in words, function that makes the change) in a fixed order; annotations are left alone."""
    for node in walk(tree):
        if isinstance(node, ast.Compare):
            for i, operator in enumerate(node.ops):
                other = OTHER_COMPARISON[type(operator)]
                yield node, f"{type(operator).__name__} -> {other.__name__}", replace_item(node.ops, i, other())
        elif isinstance(node, ast.BinOp | ast.AugAssign | ast.BoolOp) and type(node.op) in OTHER_OPERATOR:
            other = OTHER_OPERATOR[type(node.op)]
            yield node, f"{type(node.op).__name__} -> {other.__name__}", replace_field(node, "op", other())
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not):
            other = ast.UAdd() if isinstance(node.op, ast.USub) else None
            if other:
                yield node, "-x -> x", replace_field(node, "op", other)
            else:
                yield node, "not x -> not not x", replace_field(node, "operand", ast.UnaryOp(ast.Not(), node.operand))
        elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
            yield node, f"{node.value} -> {not node.value}", replace_field(node, "value", not node.value)
        elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            value = node.value
            other = value + 1 if isinstance(value, int) else 1.5 * value if value else 1.0
            yield node, f"{value} -> {other}", replace_field(node, "value", other)
        elif isinstance(node, ast.Return) and node.value is not None and not is_none(node.value):
            yield node, "return None", replace_field(node, "value", ast.Constant(None))


def walk(node):
    """As ast.walk, but depth first and without annotations, docstrings, texts of errors and type checking."""
    yield node
    for field, value in ast.iter_fields(node):
        if field in {"annotation", "returns", "decorator_list"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            skipped = isinstance(child, ast.JoinedStr | ast.Raise) or (
                isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            )
            if isinstance(child, ast.AST) and not skipped:
                yield from walk(child)


def is_none(node):
    return isinstance(node, ast.Constant) and node.value is None


def replace_item(items, i, other):
    def change():
        items[i] = other

    return change


def replace_field(node, field, other):
    return lambda: setattr(node, field, other)


def run(mutant, folder, options, done):
    """Whether the tests notice a mutant: "noticed", "survived" or "timeout"."""
    path = folder / mutant["file"]
    original = path.read_text(encoding="utf-8")
    tree = ast.parse(original)
    for number, (_, _, change) in enumerate(changes_of(tree)):
        if number == mutant["number"]:
            change()
            break
    changed = ast.unparse(ast.fix_missing_locations(tree))
    for tests in TESTS[mutant["file"]]:
        check_unchanged(tests, folder, options, done)
        path.write_text(changed, encoding="utf-8")
        try:
            result = run_tests(tests, folder, options.timeout)
        finally:
            path.write_text(original, encoding="utf-8")
        if result != "survived":
            break
    return result


def check_unchanged(tests, folder, options, done):
    """Stop where tests fail without a change: they would notice every change."""
    name = f"unchanged: {tests}"
    if name not in done:
        done[name] = {"mutant": name, "result": run_tests(tests, folder, options.timeout)}
        write(done[name], options.out)
    if done[name]["result"] != "survived":
        raise SystemExit(f"these tests fail without a change, or take too long: {tests}; see {options.out}")


def run_tests(tests, folder, timeout):
    files = [f"tests/{name}" for name in tests.split()]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n0", "-p", "no:cacheprovider", *files]
    environment = {**os.environ, "PYTHONPATH": str(folder), "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return "timeout"
    return "noticed" if done.returncode else "survived"


if __name__ == "__main__":
    main()
