"""Thalweg: earth data from raw files in a bucket to a service people query, publish and trust."""

__version__ = "0.1.0"
