"""Built on the engine: gradcheck, custom operations, checkpoints, anomaly mode, graph pictures, memory reports."""
