"""The stories of `deploy secrets`: values are set, edited, compared, rotated and checked, never shown."""
