"""TFLite files as the objects of their schema, and back."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ai_edge_litert import schema_py_generated as schema


def unpacked(tflite: bytes) -> "schema.ModelT":
    """The objects of a file."""
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(tflite, 0))


def packed(model: "schema.ModelT") -> bytes:
    """The file of objects."""
    import flatbuffers

    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
