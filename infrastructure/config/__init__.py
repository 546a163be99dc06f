"""Settings: where each value comes from, and secrets that cannot be printed by accident."""

from infrastructure.config.home import home_dir
from infrastructure.config.loader import load_settings
from infrastructure.config.secret import Secret
from infrastructure.config.setting import Origin, Setting, Settings

__all__ = ["Origin", "Secret", "Setting", "Settings", "home_dir", "load_settings"]
