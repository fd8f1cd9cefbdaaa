"""An app's DNS: looks at what is there, and carries out what was planned for it."""
