"""The computation graph: recording, rules, the engine, and the transforms built on it."""
