"""How fast the tool is, and compared with what. README.md here says how to run each benchmark and why it is fair."""
