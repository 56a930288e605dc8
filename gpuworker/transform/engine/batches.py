"""Arrow batches on their way in and out: the spool file, and types that every reader of the result knows."""

import pyarrow as pa


def spool(reader, path):
    """Writes a stream to an Arrow IPC file, so that the input's size is bounded by disk and not by memory."""
    rows = 0
    with pa.OSFile(path, "wb") as sink, pa.ipc.new_file(sink, reader.schema) as writer:
        for batch in reader:
            rows += batch.num_rows
            writer.write_batch(batch)
        if rows == 0:  # a file without any batch is one that some readers refuse
            writer.write_batch(empty(reader.schema))
    return rows


def columns_of(path):
    """The column names of a spooled stream."""
    with pa.memory_map(path) as source, pa.ipc.open_file(source) as file:
        return file.schema.names


def empty(schema):
    return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in schema], schema=schema)


def plain_type(t):
    """The type without what only says how an engine lays values out: views, 64-bit offsets, dictionaries."""
    if pa.types.is_dictionary(t):
        return plain_type(t.value_type)
    if pa.types.is_large_string(t) or pa.types.is_string_view(t):
        return pa.string()
    if pa.types.is_large_binary(t) or pa.types.is_binary_view(t):
        return pa.binary()
    if pa.types.is_list(t) or pa.types.is_large_list(t) or pa.types.is_list_view(t) or pa.types.is_large_list_view(t):
        return pa.list_(t.value_field.with_type(plain_type(t.value_type)))
    if pa.types.is_struct(t):
        return pa.struct([f.with_type(plain_type(f.type)) for f in t])
    return t


def plain_schema(schema):
    return pa.schema([f.with_type(plain_type(f.type)) for f in schema])


def conform(batch, schema):
    """The batch with exactly this schema; a value that does not fit raises pa.ArrowInvalid."""
    if batch.schema.names != schema.names:
        raise ValueError(f"columns changed from {schema.names} to {batch.schema.names} between two batches")
    return pa.RecordBatch.from_arrays(
        [c if c.type == f.type else c.cast(f.type) for c, f in zip(batch.columns, schema)], schema=schema
    )
