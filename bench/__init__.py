"""The load rig: how much CPU, memory and time the gateway adds, with plain nginx in its place as the yardstick."""
