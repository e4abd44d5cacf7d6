"""Embedding a folder of any size, shard by shard."""
