"""A provider for memio that keeps facts as JSON files in a folder."""

from memio.registry import Provider

PROVIDER = Provider(stores={"facts": "memio_folder.facts:FolderFactAdapter"})
"""What the entry point in ``pyproject.toml`` names."""
