"""Configuration: defaults, then the TOML file, then the environment, checked as a whole."""

from llmgateway.infra.settings.load import load
from llmgateway.infra.settings.mistakes import Findings, Mistake, SettingsError, nearest
from llmgateway.infra.settings.model import (
    DataSettings,
    KeySettings,
    ModelSettings,
    ProviderSettings,
    RoutingSettings,
    Secret,
    ServerSettings,
    Settings,
    TierSettings,
    TimeoutSettings,
)

__all__ = [
    "DataSettings",
    "Findings",
    "KeySettings",
    "Mistake",
    "ModelSettings",
    "ProviderSettings",
    "RoutingSettings",
    "Secret",
    "ServerSettings",
    "Settings",
    "SettingsError",
    "TierSettings",
    "TimeoutSettings",
    "load",
    "nearest",
]
