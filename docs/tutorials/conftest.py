"""The code of a tutorial runs in a folder of its own that holds the data, as the folder of a reader does."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "scripts"))
from draw_tutorials import fill_folder


@pytest.fixture(autouse=True)
def _folder_with_data(request, tmp_path, monkeypatch):
    page = Path(request.node.fspath).stem
    missing = fill_folder(tmp_path, page)
    if missing:
        pytest.skip(missing)
    monkeypatch.chdir(tmp_path)
