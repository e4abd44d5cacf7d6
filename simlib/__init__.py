"""simlib: product-image search, one embedding strategy at a time.

The data flows one way: catalogue → encoder → embeddings → search → plot.

    import simlib

    image_df = simlib.load_catalogue("sample")
    encoder = simlib.load_encoder("towhee")
    image_df = simlib.embed(image_df, encoder)
    simlib.plot_similar(image_df, "towhee_img_embedding", query_index=0, k_neighbors=5)

Every name below is loaded when it is first used (PEP 562), so that ``import simlib`` stays quick
and loads neither torch nor matplotlib.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOME_OF = {
    "build_index": "milvus.index",
    "index_shards": "milvus.index",
    "open_index": "milvus.index",
    "load_catalogue": "catalogue",
    "move_to_root_folder": "flatten",
    "undo_move_to_root_folder": "flatten",
    "ImageError": "images",
    "load_image": "images",
    "load_encoder": "encoders",
    "find_duplicates": "measuring.duplicates",
    "flatten_pixels": "encoders.pixels",
    "compare": "measuring.comparison",
    "embed": "embedding",
    "embed_folder": "shards.run",
    "iterate_shards": "shards.run",
    "load_shards": "shards.run",
    "embedding_matrix": "columns",
    "evaluate": "measuring.evaluation",
    "measure_robustness": "measuring.robustness",
    "save_embeddings": "storage.parquet",
    "load_embeddings": "storage.parquet",
    "encode_query": "search",
    "explore": "explorer.widgets",
    "nearest": "search",
    "nearest_many": "search",
    "precision_at_k": "measuring.evaluation",
    "plot_comparison": "plots",
    "plot_grid": "plots",
    "plot_map": "plots",
    "plot_similar": "plots",
    "text_image_search": "plots",
}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str):
    if name not in _HOME_OF:
        raise AttributeError(f"module 'simlib' has no attribute {name!r}; it has: {__all__}")
    value = getattr(import_module(f"simlib.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
