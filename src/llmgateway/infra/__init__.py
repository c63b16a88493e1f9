"""The ports' implementations: everything that touches the network, the disk, the clock or the environment."""
