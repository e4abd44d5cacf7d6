"""Files: Parquet, the cache of embeddings, atomic writing, hashes."""
