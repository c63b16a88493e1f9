"""What an administrator can do, as plain functions."""
