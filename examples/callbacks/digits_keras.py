"""Keras with JAX, which learns digits. `python examples/callbacks/digits_keras.py`."""

from __future__ import annotations

import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
from sklearn.datasets import load_digits

import synapse_otel
from synapse_otel.integrations.keras import SynapseCallback


def main() -> None:
    """Train."""
    x, y = load_digits(return_X_y=True)
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(32, "relu"), keras.layers.Dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    with synapse_otel.job("train", plugin="digits-keras") as ctx:
        callbacks = [keras.callbacks.EarlyStopping("val_loss", patience=3), SynapseCallback(ctx)]
        model.fit(x / 16, y, 128, epochs=5, validation_split=0.2, verbose=0, callbacks=callbacks)


if __name__ == "__main__":
    main()
