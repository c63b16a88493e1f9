"""Configuration: defaults, then the TOML file, then the environment, checked as a whole."""

from llmgateway.infra.settings.environment import variable_part
from llmgateway.infra.settings.load import config_path, load
from llmgateway.infra.settings.mistakes import Findings, Mistake, SettingsError, nearest
from llmgateway.infra.settings.model import (
    DataSettings,
    KeySettings,
    ModelSettings,
    ProjectSettings,
    ProviderSettings,
    RoutingPolicy,
    Secret,
    ServerSettings,
    Settings,
    TierSettings,
    TimeoutSettings,
)
from llmgateway.infra.settings.positions import Sources

__all__ = [
    "DataSettings",
    "Findings",
    "KeySettings",
    "Mistake",
    "ModelSettings",
    "ProjectSettings",
    "ProviderSettings",
    "RoutingPolicy",
    "Secret",
    "ServerSettings",
    "Settings",
    "SettingsError",
    "Sources",
    "TierSettings",
    "TimeoutSettings",
    "config_path",
    "load",
    "nearest",
    "variable_part",
]
