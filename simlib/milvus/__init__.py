"""The same search on Milvus."""
