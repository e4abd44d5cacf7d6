"""simlib: product-image search, one embedding strategy at a time.

The data flows one way: catalogue → encoder → embeddings → search → plot.

    import simlib

    image_df = simlib.load_catalogue("sample")
    encoder = simlib.load_encoder("towhee")
    image_df = simlib.embed(image_df, encoder)
    simlib.plot_similar(image_df, "towhee_img_embedding", query_index=0, k_neighbors=5)

Public are the names in ``__all__`` here, and those in the ``__all__`` of the modules
``simlib.check``, ``simlib.measuring`` and ``simlib.training``. All else may change in any version.

Every name is loaded when it is first used (PEP 562), so that ``import simlib`` stays quick and
loads neither torch nor matplotlib.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.2.0"

if TYPE_CHECKING:  # what editors and type checkers see; kept equal to _MODULE_OF by a test
    from simlib.catalogue import load_catalogue as load_catalogue
    from simlib.columns import embedding_matrix as embedding_matrix
    from simlib.columns import set_embeddings as set_embeddings
    from simlib.embedding import embed as embed
    from simlib.encoders import load_encoder as load_encoder
    from simlib.encoders.base import Encoder as Encoder
    from simlib.encoders.base import TextEncoder as TextEncoder
    from simlib.encoders.own import make_encoder as make_encoder
    from simlib.encoders.pixels import flatten_pixels as flatten_pixels
    from simlib.explorer.widgets import explore as explore
    from simlib.flatten import move_to_root_folder as move_to_root_folder
    from simlib.flatten import undo_move_to_root_folder as undo_move_to_root_folder
    from simlib.images import ImageError as ImageError
    from simlib.images import load_image as load_image
    from simlib.match import plot_match as plot_match
    from simlib.measuring.comparison import compare as compare
    from simlib.measuring.differences import paired_difference as paired_difference
    from simlib.measuring.duplicates import find_duplicates as find_duplicates
    from simlib.measuring.evaluation import bootstrap_interval as bootstrap_interval
    from simlib.measuring.evaluation import evaluate as evaluate
    from simlib.measuring.evaluation import precision_at_k as precision_at_k
    from simlib.measuring.robustness import measure_robustness as measure_robustness
    from simlib.milvus.build import build_index as build_index
    from simlib.milvus.build import index_shards as index_shards
    from simlib.milvus.index import MilvusIndex as MilvusIndex
    from simlib.milvus.index import open_index as open_index
    from simlib.plots import plot_comparison as plot_comparison
    from simlib.plots import plot_grid as plot_grid
    from simlib.plots import plot_map as plot_map
    from simlib.plots import plot_similar as plot_similar
    from simlib.plots import text_image_search as text_image_search
    from simlib.query import encode_query as encode_query
    from simlib.reporting.report import report as report
    from simlib.search import nearest as nearest
    from simlib.search import nearest_many as nearest_many
    from simlib.shards.run import embed_folder as embed_folder
    from simlib.shards.run import iterate_shards as iterate_shards
    from simlib.shards.run import load_shards as load_shards
    from simlib.storage.parquet import load_embeddings as load_embeddings
    from simlib.storage.parquet import save_embeddings as save_embeddings
    from simlib.training.adapting import adapt as adapt
    from simlib.transformer import EmbeddingTransformer as EmbeddingTransformer

_MODULE_OF = {
    "EmbeddingTransformer": "transformer",
    "Encoder": "encoders.base",
    "ImageError": "images",
    "MilvusIndex": "milvus.index",
    "TextEncoder": "encoders.base",
    "adapt": "training.adapting",
    "bootstrap_interval": "measuring.evaluation",
    "build_index": "milvus.build",
    "compare": "measuring.comparison",
    "embed": "embedding",
    "embed_folder": "shards.run",
    "embedding_matrix": "columns",
    "encode_query": "query",
    "evaluate": "measuring.evaluation",
    "explore": "explorer.widgets",
    "find_duplicates": "measuring.duplicates",
    "flatten_pixels": "encoders.pixels",
    "index_shards": "milvus.build",
    "iterate_shards": "shards.run",
    "load_catalogue": "catalogue",
    "load_embeddings": "storage.parquet",
    "load_encoder": "encoders",
    "load_image": "images",
    "load_shards": "shards.run",
    "make_encoder": "encoders.own",
    "measure_robustness": "measuring.robustness",
    "move_to_root_folder": "flatten",
    "nearest": "search",
    "nearest_many": "search",
    "open_index": "milvus.index",
    "paired_difference": "measuring.differences",
    "plot_comparison": "plots",
    "plot_grid": "plots",
    "plot_map": "plots",
    "plot_match": "match",
    "plot_similar": "plots",
    "precision_at_k": "measuring.evaluation",
    "report": "reporting.report",
    "save_embeddings": "storage.parquet",
    "set_embeddings": "columns",
    "text_image_search": "plots",
    "undo_move_to_root_folder": "flatten",
}

__all__ = [*_MODULE_OF]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str):
    if name not in _MODULE_OF:
        raise AttributeError(
            f"module 'simlib' has no attribute {name!r}; it has: {', '.join(__all__)}"
        )
    value = getattr(import_module(f"simlib.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
