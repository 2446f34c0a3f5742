"""The crash-safe memory on disk: segments of frames, the state block, cursors and locks."""
