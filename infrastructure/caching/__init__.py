"""Where things are kept that can be made anew: compiled loops, calendars."""

from infrastructure.caching.folder import CACHE_VARIABLE, cache_folder

__all__ = ["CACHE_VARIABLE", "cache_folder"]
