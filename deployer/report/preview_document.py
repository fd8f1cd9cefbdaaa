"""What a plan would change, as JSON has it (docs/json.md): whole values, none of them secret."""

from __future__ import annotations

from typing import Any

from deployer.model.changes import FieldChange, ImageChange, ObjectChange, Preview


def preview_entry(preview: Preview) -> dict[str, Any]:
    """The documented `plan` of a target."""
    return {
        "image": _image_entry(preview.image) if preview.image else None,
        "objects": [_object_entry(one) for one in preview.objects],
        "unchanged": preview.unchanged,
        "pods": [
            {
                "object": str(one.key),
                "restarts": one.restarts,
                "before": one.before,
                "after": one.after,
                "note": one.note,
            }
            for one in preview.pods
        ],
        "secrets": [
            {"name": one.name, "change": one.change, "before": one.before, "after": one.after}
            for one in preview.secrets
        ],
        "hooks": list(preview.hooks),
        "taken": list(preview.taken),
        "dns": list(preview.dns),
    }


def _image_entry(image: ImageChange) -> dict[str, Any]:
    return {
        "action": image.action,
        "oldTag": image.old,
        "newTag": image.new,
        "oldVersion": image.old_version,
        "newVersion": image.new_version,
    }


def _object_entry(one: ObjectChange) -> dict[str, Any]:
    return {
        "object": str(one.key),
        "apiVersion": one.key.api_version,
        "namespace": one.key.namespace,
        "action": one.action,
        "facts": list(one.facts),
        "fields": [_field_entry(each) for each in one.fields],
        "refused": [{"field": each.path, "hint": each.hint} for each in one.refused],
    }


def _field_entry(change: FieldChange) -> dict[str, Any]:
    return {
        "field": change.path,
        "change": change.change,
        "old": change.old,
        "new": change.new,
        "secret": change.secret,
    }
