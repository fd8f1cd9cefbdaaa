"""The user's own editor, on text that must not reach a disk."""

from deployer.adapters.editor.editing import Editor

__all__ = ["Editor"]
