"""Data Docs: the pages in which Great Expectations shows what it judged."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any


def write_docs(context: Any, folder: Path) -> Path:
    """Build the pages of everything that was judged in a context; gives the first of them.

    They are built beside the folder and put in its place when they are whole, so that a reader
    never meets half of them. They hold counts and rules, no values.
    """
    beside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    site = {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "store_backend": {
            "class_name": "TupleFilesystemStoreBackend",
            "base_directory": str(beside.absolute()),
        },
    }
    context.add_data_docs_site(folder.name, site)
    context.build_data_docs(site_names=[folder.name])
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(beside, folder)
    return folder / "index.html"
